//! An image's volume over `/proc`, or a link in its place (CVE-2019-19921): what the runtime writes to `/proc/self/attr`
//! goes into a file of the image's, and the security label is never set.

use integration::{Bench, plain};
use serde_json::{Value, json};

#[test]
fn nothing_but_procfs_is_mounted_over_what_the_runtime_writes_to() {
    let bench = Bench::new();
    let volume = bench.directory("volume");
    std::fs::create_dir_all(volume.join("attr")).expect("a directory");
    std::fs::write(volume.join("attr/exec"), "the image's").expect("a file");
    let before = crate::attacker::tree(&volume);
    let bundle = plain::bundle(&bench, "image", &["true"]);
    // A directory that leads there by a link of the image's.
    std::os::unix::fs::symlink("proc", bundle.rootfs().join("link")).expect("a link");
    std::os::unix::fs::symlink("../proc/self", bundle.rootfs().join("etc/self")).expect("a link");
    let whole = bundle.spec();
    for destination in [
        "/proc",
        "/proc/self",
        "/proc/self/attr",
        "/proc/thread-self/attr",
        "/proc/1/attr",
        "/proc/sys",
        "/proc/sys/kernel",
        "/proc/../proc/self",
        "/link",
        "/link/self/attr",
        "/etc/self/attr",
    ] {
        for kind in ["bind", "tmpfs"] {
            bundle.set_spec(&whole).edit(|spec| {
                let mount = json!({
                    "destination": destination, "type": kind, "source": volume,
                    "options": if kind == "bind" { json!(["rbind"]) } else { json!([]) },
                });
                mounts(spec).push(mount);
            });
            bench.assert_refused(&bundle.run(&bench).run(), "/proc");
            assert_eq!(crate::attacker::tree(&volume), before, "{destination}");
        }
    }
}

/// The same in the order that hides it best: first the volume, then procfs below it, or none at all.
#[test]
fn a_volume_is_no_proc_whatever_the_order() {
    let bench = Bench::new();
    let volume = bench.directory("volume");
    let bundle = plain::bundle(&bench, "image", &["true"]);
    bundle.edit(|spec| {
        let mount = json!({ "destination": "/proc", "type": "bind", "source": volume, "options": ["rbind"] });
        mounts(spec).insert(0, mount);
    });
    bench.assert_refused(&bundle.run(&bench).run(), "/proc");
    bundle.edit(|spec| mounts(spec).retain(|mount| mount["type"] != "proc"));
    bench.assert_refused(&bundle.run(&bench).run(), "/proc");
}

fn mounts(spec: &mut Value) -> &mut Vec<Value> {
    spec["mounts"].as_array_mut().expect("mounts")
}
