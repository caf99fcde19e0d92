//! A file that the runtime writes inside an image is a link to a file of the host's there (crun's `.krun_config.json`).
//! Ours makes mount points, the working directory, devices and what is copied up.

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, Bundle, plain};
use serde_json::{Value, json};

use crate::attacker::tree;

/// Names that engines and runtimes write, all of them links to a file or a directory of the host's.
fn image(bench: &Bench, name: &str, words: &[&str]) -> Bundle {
    let marker = bench.directory("marker");
    for file in ["passwd", "resolv.conf", "hosts", "directory/file"] {
        let path = marker.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, "the host's").expect("a file");
    }
    let bundle = plain::bundle(bench, name, words);
    let root = bundle.rootfs();
    for file in ["passwd", "resolv.conf", "hosts", "hostname"] {
        symlink(marker.join(file), root.join("etc").join(file)).expect("a link");
    }
    for file in [".krun_config.json", ".dockerenv", ".containerenv"] {
        symlink(marker.join("passwd"), root.join(file)).expect("a link");
    }
    symlink(&marker, root.join("work")).expect("a link");
    symlink(marker.join("directory"), root.join("filled")).expect("a link");
    bundle
}

type Change = fn(&mut Value, &str);

fn add_mount(spec: &mut Value, mount: Value) {
    spec["mounts"].as_array_mut().expect("mounts").push(mount);
}

const CHANGES: [(&str, Change); 6] = [
    ("nothing", |_, _| {}),
    ("files of an engine's", |spec, source| {
        for name in ["passwd", "resolv.conf", "hosts", "hostname"] {
            let mount = json!({
                "destination": format!("/etc/{name}"), "type": "bind", "source": source, "options": ["bind", "ro"],
            });
            add_mount(spec, mount);
        }
    }),
    ("a working directory that is missing", |spec, _| {
        spec["process"]["cwd"] = json!("/work/missing/deep");
    }),
    ("a device elsewhere than in /dev", |spec, _| {
        spec["linux"]["devices"] = json!([
            { "path": "/work/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438 },
        ]);
    }),
    ("what is copied up", |spec, _| {
        let mount = json!({
            "destination": "/filled", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
        });
        add_mount(spec, mount);
    }),
    ("hidden and read-only paths", |spec, _| {
        spec["linux"]["maskedPaths"] = json!(["/work/passwd", "/etc/hosts", "/filled"]);
        spec["linux"]["readonlyPaths"] = json!(["/work/directory", "/etc/passwd"]);
    }),
];

#[test]
fn what_the_runtime_writes_in_an_image_never_goes_through_its_links() {
    let bench = Bench::new();
    let source = bench.file("source", "the engine's").display().to_string();
    let bundle = image(&bench, "image", &["cat", "/etc/passwd"]);
    let marker = bench.path("marker");
    let whole = bundle.spec();
    let before = tree(&marker);
    let mut ran = vec![];
    for (what, change) in CHANGES {
        bundle.set_spec(&whole).edit(|spec| change(spec, &source));
        let outcome = bundle.run(&bench).run();
        assert_eq!(tree(&marker), before, "{what}: {outcome}");
        assert!(!outcome.stdout.contains("the host's"), "{what}: {outcome}");
        bench.assert_nothing_left_by(&outcome);
        if outcome.code == Some(0) {
            ran.push(what);
        }
    }
    // A link is followed as the container would follow it, and what is missing there is made.
    assert!(ran.contains(&"files of an engine's"), "{ran:?}");
}
