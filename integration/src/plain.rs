//! Plain OCI bundles made by hand: a root file system with busybox in it, and no promise.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Bench, Bundle, binaries, program, require_program};

const BUSYBOX: &str = "/usr/bin/busybox";
const APPLETS: [&str; 14] = [
    "cat", "echo", "env", "false", "id", "kill", "ls", "mount", "ps", "sh", "sleep", "touch",
    "true", "umount",
];

/// What the probe needs of the host to be run in a root file system of its own.
const PROBE_NEEDS: [&str; 3] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libgcc_s.so.1",
];

/// A busybox root file system and a spec that runs `arguments` in it as root without capabilities.
pub fn bundle(bench: &Bench, name: &str, arguments: &[&str]) -> Bundle {
    let directory = bench.directory(name);
    root_file_system(&directory.join("rootfs"));
    let bundle = Bundle::at(directory.clone(), &directory);
    bundle.set_spec(&spec(arguments));
    bundle
}

/// Puts busybox, the probe and what they need into `root`.
pub fn root_file_system(root: &Path) {
    require_program(BUSYBOX, "busybox-static");
    for directory in ["bin", "dev", "etc", "proc", "sys", "tmp", "lib64"] {
        fs::create_dir_all(root.join(directory)).expect("make a directory");
    }
    let programs = [PathBuf::from(BUSYBOX), binaries::probe_path()];
    program::copy(programs, &root.join("bin"));
    for file in PROBE_NEEDS {
        let to = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a directory")).expect("make a directory");
        program::copy([file], &to);
    }
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("link an applet");
    }
}

/// A small spec: new pid, mount, ipc, uts and network namespaces, `/proc` and `/dev`.
pub fn spec(arguments: &[&str]) -> Value {
    let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({ "type": kind }));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": arguments,
            "env": ["PATH=/bin"],
            "cwd": "/",
        },
        "root": { "path": "rootfs" },
        "hostname": "plain",
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            {
                "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]
            },
        ],
        "linux": { "namespaces": namespaces },
    })
}
