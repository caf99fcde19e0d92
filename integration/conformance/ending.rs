//! `kill` and `delete`.

use std::fs;

use serde_json::json;

use crate::harness::{Case, ensure, ensure_eq, hold};
use crate::lifecycle::{created, running, stopped};
use crate::namespaces;

#[test]
fn kill() {
    hold(&[
        running("SIGTERM is the default", |stage| {
            stage.must("kill", &[])?;
            stage.wait_for("stopped")
        }),
        running("by a number", |stage| {
            stage.must("kill", &["10"])?;
            stage.wait_for("stopped")
        }),
        running("by a name", |stage| {
            stage.must("kill", &["USR1"])?;
            stage.wait_for("stopped")
        }),
        running("by a long name", |stage| {
            stage.must("kill", &["SIGUSR1"])?;
            stage.wait_for("stopped")
        }),
        running("signal 0 asks whether it is there", |stage| {
            stage.must("kill", &["0"])?;
            ensure_eq!(stage.status()?, "running", "status");
            Ok(())
        }),
        running("an unknown signal is an error", |stage| {
            stage.must_not("kill", &["NOSUCH"])?;
            ensure_eq!(stage.status()?, "running", "status");
            Ok(())
        })
        .but_crun("it takes what it doesn't know for 0"),
        running("real-time signals", |stage| {
            stage.must("kill", &["SIGRTMIN+3"])?;
            Ok(())
        })
        .but_runc("it knows them by their numbers"),
        running("a real-time signal by its number", |stage| {
            stage.must("kill", &["37"])
        }),
        created("a created one can be killed", |stage| {
            stage.must("kill", &["KILL"])?;
            stage.wait_for("stopped")?;
            stage.must("delete", &[])
        }),
        stopped("of a stopped one it is an error", |stage| {
            // A moment after its start it still counts as running, if it isn't waited for.
            std::thread::sleep(std::time::Duration::from_secs(2));
            stage.must_not("kill", &["KILL"])
        }),
        Case::steps("of one that isn't there it is an error", |stage| {
            stage.must_not("kill", &["KILL"])
        }),
        Case::steps(
            "without a pid namespace of its own SIGKILL reaches every process",
            |stage| {
                stage.edit(|spec| {
                    namespaces::leave_out(spec, "pid");
                    let script = "sleep 100 & echo $!; while :; do sleep 1; done";
                    spec["process"]["args"] = json!(["sh", "-c", script]);
                });
                stage.create()?;
                stage.start()?;
                let said = stage.wait_for_output(|text| text.ends_with('\n'))?;
                let child = format!("/proc/{}", said.trim());
                ensure!(std::path::Path::new(&child).exists(), "no child {child}");
                stage.must("kill", &["KILL"])?;
                stage.wait_for("stopped")?;
                let is_gone = || {
                    std::fs::read_to_string(format!("{child}/stat"))
                        .map_or(true, |stat| stat.contains(") Z "))
                };
                integration::wait_until(
                    "the child to be gone",
                    std::time::Duration::from_secs(5),
                    is_gone,
                );
                Ok(())
            },
        )
        .but_runc("before 1.2 it wants --all")
        .but_crun("it wants --all"),
        running("with --all it reaches every process", |stage| {
            stage.must("kill", &["--all", "KILL"])?;
            stage.wait_for("stopped")
        }),
    ]);
}

#[test]
fn delete() {
    hold(&[
        stopped("a stopped one is gone then, with its state", |stage| {
            stage.must("delete", &[])?;
            stage.must_not("state", &[])
        }),
        running("of a running one it is an error, without effect", |stage| {
            stage.must_not("delete", &[])?;
            ensure_eq!(stage.status()?, "running", "status");
            Ok(())
        }),
        created("of a created one it is an error, without effect", |stage| {
            stage.must_not("delete", &[])?;
            ensure_eq!(stage.status()?, "created", "status");
            Ok(())
        })
        .but_runc("it deletes it, against the specification")
        .but_crun("it deletes it, against the specification"),
        created("with --force a created one goes", |stage| {
            stage.must("delete", &["--force"])?;
            stage.must_not("state", &[])
        }),
        running(
            "with --force a running one goes, and its process",
            |stage| {
                let pid = stage.pid()?;
                stage.must("delete", &["--force"])?;
                stage.must_not("state", &[])?;
                let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                ensure!(
                    status.is_empty() || status.contains(") Z "),
                    "it still runs: {status}"
                );
                Ok(())
            },
        ),
        Case::steps("of one that isn't there it is an error", |stage| {
            stage.must_not("delete", &[])
        }),
        Case::steps("with --force that is fine", |stage| {
            stage.must("delete", &["--force"])
        }),
        stopped("its id can be used again", |stage| {
            stage.must("delete", &[])?;
            stage.create()
        }),
        running("the root file system and the bundle stay", |stage| {
            stage.must("delete", &["--force"])?;
            ensure!(
                stage.inside("/bin/busybox").exists(),
                "the root file system is gone"
            );
            ensure!(
                stage.bundle.directory.join("config.json").exists(),
                "the bundle is gone"
            );
            Ok(())
        }),
    ]);
}
