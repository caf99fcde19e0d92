//! The root file system.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::harness::{Case, Stage, ensure, hold};

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

/// The old root stays below the new one, and with it the host's procfs, which the kernel would take for a reason to
/// let the container mount one without masks.
#[test]
fn without_pivot_root() {
    let script = "mount -t proc proc /proc 2>/dev/null && echo mounted || echo refused";
    let masked = move |stage: &Stage| {
        stage.edit(|spec| {
            let list = ["CAP_SETFCAP"];
            spec["process"]["capabilities"] =
                json!({ "bounding": list, "effective": list, "permitted": list });
            spec["process"]["args"] = json!(["busybox", "unshare", "-mrpf", "sh", "-c", script]);
            spec["linux"]["maskedPaths"] = json!(["/proc/sys"]);
        });
    };
    let prints = move |stage: &Stage, options: &[&str]| {
        masked(stage);
        let outcome = stage.create_with(&stage.id, options);
        ensure!(outcome.code == Some(0), "{outcome}");
        stage.start()?;
        let said = stage.wait_for_output(|text| text.ends_with('\n'))?;
        ensure!(said == "refused\n", "{said}");
        Ok(())
    };
    hold(&[
        Case::steps("no unmasked procfs can be mounted", move |stage| {
            prints(stage, &[])
        }),
        Case::steps("nor after --no-pivot", move |stage| {
            prints(stage, &["--no-pivot"])
        }),
        Case::steps("hooks run all the same", |stage| {
            let script = format!(
                "cat >/dev/null; echo >{}",
                stage.inside("/hooked").display()
            );
            stage.edit(|spec| {
                spec["hooks"]["createContainer"] =
                    json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"] }]);
            });
            let outcome = stage.create_with(&stage.id, &["--no-pivot"]);
            ensure!(outcome.code == Some(0), "{outcome}");
            ensure!(stage.inside("/hooked").exists(), "no hook");
            Ok(())
        }),
    ]);
}
