//! The site's policy, and `seal`: bundles that promise nothing run strictly, or not at all.

mod enforced;
mod exceptions;
mod seal_command;
mod site_file;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use integration::{Bench, Bundle, Outcome, plain};
use serde_json::{Value, json};

const EXCEPTION: &str = "org.opt-runtime.exception.";

/// A site's file that seals, with more lines.
fn sealing(bench: &Bench, more: &str) -> PathBuf {
    let text = format!("policy = \"seal\"\n[seal]\nrun-as = \"65534:65533\"\n{more}");
    site_file(bench, &text)
}

fn site_file(bench: &Bench, text: &str) -> PathBuf {
    let file = bench.file("site.toml", text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    file
}

/// A bundle as podman makes it: root, with capabilities, a cgroup mount and the host's files bound in.
fn like_podmans(bench: &Bench, name: &str) -> Bundle {
    let hosts = bench.file("hosts", "127.0.0.1 localhost\n");
    let bundle = plain::bundle(bench, name, &["/bin/probe", "look"]);
    bundle.edit(|spec| {
        let capabilities = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"];
        spec["process"]["capabilities"] = json!({
            "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
        });
        spec["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [0, 10] });
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        let ro = ["nosuid", "noexec", "nodev", "ro"];
        mounts.push(json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ro }));
        mounts.push(json!({
            "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ro,
        }));
        mounts.push(json!({
            "destination": "/etc/hosts", "type": "bind", "source": hosts, "options": ["bind", "rprivate"],
        }));
        spec["linux"]["maskedPaths"] = json!(["/proc/acpi", "/proc/kcore", "/sys/firmware"]);
    });
    bundle
}

fn ask_for(bundle: &Bundle, exceptions: &[&str]) {
    bundle.edit(|spec| {
        let asked = exceptions
            .iter()
            .map(|what| (format!("{EXCEPTION}{what}"), json!("a test")));
        spec["annotations"] = Value::Object(asked.collect());
    });
}

fn run(bench: &Bench, bundle: &Bundle, policy: &Path) -> Outcome {
    bundle.run(bench).arg("--policy").arg(policy).run()
}

/// What the command sees of itself is what the promise says.
#[track_caller]
fn assert_strict(report: &Value) {
    let status = &report["status"];
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(status["Seccomp"], "2");
    for line in report["mounts"].as_array().expect("mounts") {
        assert!(
            line.as_str().is_some_and(|line| line.contains("nosuid")),
            "{line}"
        );
    }
}

fn seal(bench: &Bench, bundle: &Bundle, name: &str) -> Bundle {
    let output = bench.path(name);
    let tool = bench.runtime().arg("seal").arg(&bundle.directory);
    let tool = tool.arg("--output").arg(&output);
    tool.args(["--run-as", "65534:65533"]).expect(0);
    Bundle::at(output.clone(), &output)
}
