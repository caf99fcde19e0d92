//! The root file system.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::{Case, ensure, hold};

#[test]
fn root() {
    hold(&[
        Case::new("is writable unless it says otherwise")
            .script("echo x >/written && cat /written")
            .check(|stage, outcome| {
                ensure!(outcome.stdout == "x\n", "{outcome}");
                ensure!(stage.inside("/written").exists(), "not on the host");
                Ok(())
            }),
        Case::new("readonly")
            .spec(|spec| spec["root"]["readonly"] = json!(true))
            .has_mount("/", &["ro"]),
        Case::new("readonly leaves the mounts on it alone")
            .spec(|spec| spec["root"]["readonly"] = json!(true))
            .mount("/tmp", "tmpfs", &[])
            .script("touch /tmp/file && ! touch /file 2>/dev/null && echo yes")
            .prints("yes"),
        Case::new("readonly and mounts whose destination isn't there: it is made all the same")
            .spec(|spec| spec["root"]["readonly"] = json!(true))
            .mount("/made/for/this", "tmpfs", &[])
            .script("touch /made/for/this/file && echo yes")
            .prints("yes"),
        Case::new("an absolute path")
            .prepare(|stage| {
                let path = stage.bundle.rootfs().display().to_string();
                stage.edit(|spec| spec["root"]["path"] = json!(path));
            })
            .script("echo yes")
            .prints("yes"),
        Case::new("a path relative to the bundle that climbs")
            .spec(|spec| spec["root"]["path"] = json!("./x/../rootfs/"))
            .prepare(|stage| {
                fs::create_dir(stage.bundle.directory.join("x")).expect("make a directory")
            })
            .script("echo yes")
            .prints("yes"),
        Case::new("one that isn't there is refused")
            .spec(|spec| spec["root"]["path"] = json!("nowhere"))
            .refused("nowhere"),
        Case::new("a file is refused")
            .prepare(|stage| fs::write(stage.bundle.directory.join("file"), "").expect("write"))
            .spec(|spec| spec["root"]["path"] = json!("file"))
            .refused("file"),
        Case::new("none is refused")
            .spec(|spec| {
                spec.as_object_mut().expect("an object").remove("root");
            })
            .refused("root"),
        Case::new("what is above it can't be reached")
            .script("cd /; cd ..; cd ..; ls -d bin")
            .prints("bin"),
        Case::new("the bundle may be a link")
            .prepare(|stage| {
                let directory = &stage.bundle.directory;
                let moved = stage.bench.path("moved");
                fs::rename(directory, &moved).expect("move");
                symlink(&moved, directory).expect("link");
            })
            .script("echo yes")
            .prints("yes"),
        Case::new("it may be a link")
            .prepare(|stage| {
                let directory = &stage.bundle.directory;
                fs::rename(directory.join("rootfs"), directory.join("moved")).expect("move");
                symlink("moved", directory.join("rootfs")).expect("link");
            })
            .script("echo yes")
            .prints("yes")
            .but_runc("it refuses it"),
    ]);
}
