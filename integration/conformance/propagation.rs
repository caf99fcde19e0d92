//! Propagation: of each mount, and of the root file system.

use std::fs;

use serde_json::json;

use crate::harness::{Case, Check, Stage, ensure, hold};

/// C2: libcontainer drops the propagation of a mount.
#[test]
fn of_a_mount() {
    let bound = |name, options: &'static [&'static str], seen: &'static [&'static str]| {
        Case::new(name)
            .bind("/mnt", options)
            .has_mount("/mnt", seen)
    };
    let shared = |name, options: &'static [&'static str], seen: &'static [&'static str]| {
        Case::new(name)
            .prepare(shared_source)
            .bind("/mnt", options)
            .has_mount("/mnt", seen)
    };
    let below = |name, options: &'static [&'static str], seen: &'static [&'static str]| {
        Case::new(name)
            .prepare(|stage| stage.mount_on_host(&stage.source().join("sub"), "mode=755"))
            .bind("/mnt", options)
            .has_mount("/mnt/sub", seen)
    };
    hold(&[
        bound("private without one", &[], &["private"]),
        bound("private", &["private"], &["private"]),
        bound("rprivate", &["rprivate"], &["private"]),
        bound("shared", &["shared"], &["shared"]).but_crun("it is lost"),
        bound("rshared", &["rshared"], &["shared"]).but_crun("it is lost"),
        bound("unbindable", &["unbindable"], &["unbindable"]).but_crun("it is lost"),
        bound("runbindable", &["runbindable"], &["unbindable"]).but_crun("it is lost"),
        shared("slave of a shared source", &["slave"], &["slave"]).but_crun("it is lost"),
        shared("rslave of a shared source", &["rslave"], &["slave"]).but_crun("it is lost"),
        shared("private of a shared source", &["private"], &["private"]),
        shared("shared with a shared source", &["shared"], &["shared"]).but_crun("it is lost"),
        bound("of a tmpfs, too", &["rbind", "rshared"], &["shared"]).but_crun("it is lost"),
        below(
            "shared leaves what is below",
            &["rbind", "shared"],
            &["private"],
        ),
        below(
            "rshared takes what is below along",
            &["rbind", "rshared"],
            &["shared"],
        )
        .but_crun("it is lost"),
        Case::new("of a tmpfs")
            .mount("/mnt", "tmpfs", &["rshared"])
            .has_mount("/mnt", &["shared"])
            .but_crun("it is lost"),
        bound(
            "the last one counts",
            &["rshared", "rprivate"],
            &["private"],
        )
        .but_crun("two are an error"),
        Case::new("beside other options")
            .bind("/mnt", &["ro", "nosuid", "rshared"])
            .has_mount("/mnt", &["ro", "nosuid", "shared"])
            .but_crun("it is lost"),
    ]);
}

/// The stage's source is a shared mount.
fn shared_source(stage: &Stage) {
    let source = stage.source();
    stage.mount_on_host(&source, "mode=755");
    let mount = integration::Tool::new("mount").args(["--make-shared"]);
    mount.arg(&source).expect(0);
}

/// A container whose /mnt is the shared source with `propagation`, and which runs `script`.
fn linked(propagation: &'static str, script: &'static str, steps: fn(&Stage) -> Check) -> Case {
    Case::steps(propagation, move |stage| {
        shared_source(stage);
        let source = stage.bench.path("source").display().to_string();
        stage.add_mount("/mnt", "bind", &source, &["rbind", propagation]);
        stage.edit(|spec| {
            spec["process"]["args"] = json!(["sh", "-c", script]);
            let all = json!(["CAP_SYS_ADMIN"]);
            spec["process"]["capabilities"] = json!({
                "bounding": all, "effective": all, "permitted": all,
            });
            // In a slave of the host's, what the container mounts would go no further than itself.
            spec["linux"]["rootfsPropagation"] = json!("rshared");
        });
        stage.create()?;
        stage.start()?;
        stage.wait_for_output(|output| output.contains("ready"))?;
        steps(stage)
    })
}

const WAITS: &str = "echo ready; until [ -e /mnt/go ]; do sleep 0.02; done; cat /mnt/late/file 2>/dev/null || echo none";

/// What the container reads of a mount that the host makes below the source after the start.
fn mount_later(stage: &Stage, wanted: &str) -> Check {
    let source = stage.bench.path("source");
    stage.mount_on_host(&source.join("late"), "mode=755");
    fs::write(source.join("go"), "").expect("write");
    stage.wait_for("stopped")?;
    let output = stage.output();
    ensure!(output == format!("ready\n{wanted}\n"), "{output}");
    Ok(())
}

#[test]
fn of_later_mounts() {
    const MOUNTS: &str = "mkdir -p /mnt/inner && mount -t tmpfs tmpfs /mnt/inner && echo x >/mnt/inner/file; echo ready; sleep 100";
    hold(&[
        linked("rslave", WAITS, |stage| {
            mount_later(stage, "from a mount below")
        }),
        linked("rshared", WAITS, |stage| {
            mount_later(stage, "from a mount below")
        }),
        linked("rprivate", WAITS, |stage| mount_later(stage, "none")),
        linked("rshared", MOUNTS, |stage| {
            ensure!(
                stage.bench.path("source/inner/file").exists(),
                "the host doesn't see it"
            );
            Ok(())
        }),
        linked("rslave", MOUNTS, |stage| {
            ensure!(
                !stage.bench.path("source/inner/file").exists(),
                "the host sees it"
            );
            Ok(())
        }),
    ]);
}

/// C1: libcontainer knows no recursive propagation of the root.
#[test]
fn of_the_root() {
    let root = |name: &'static str, seen: &'static [&'static str]| {
        Case::new(name)
            .spec(move |spec| spec["linux"]["rootfsPropagation"] = json!(name))
            .has_mount("/", seen)
    };
    hold(&[
        Case::new("private without one").has_mount("/", &["private"]),
        root("private", &["private"]),
        root("rprivate", &["private"]),
        root("slave", &["!shared"]),
        root("rslave", &["!shared"]),
        root("shared", &["shared"]).but_runc("it is lost"),
        root("rshared", &["shared"]).but_runc("it is lost"),
        root("unbindable", &["unbindable"]).but_runc("it can't bind it to itself then"),
        root("runbindable", &["unbindable"]).but_runc("it can't bind it to itself then"),
        Case::new("one that nobody knows is refused")
            .spec(|spec| spec["linux"]["rootfsPropagation"] = json!("sideways"))
            .refused("sideways")
            .but_crun("it passes over it"),
    ]);
}
