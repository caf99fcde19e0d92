//! From `create` to `delete`, and what is an error on the way.

use std::fs;

use integration::{Outcome, Runtime};
use serde_json::json;

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};
use crate::namespaces;

/// A command that stays, says so, and ends with 5 on SIGTERM and 6 on SIGUSR1.
const STAYS: &str =
    "trap 'exit 5' TERM; trap 'exit 6' USR1; echo ready; while :; do sleep 0.05; done";

fn stays(name: &'static str, steps: impl Fn(&Stage) -> Check + 'static) -> Case {
    Case::steps(name, move |stage| {
        stage.edit(|spec| spec["process"]["args"] = json!(["sh", "-c", STAYS]));
        steps(stage)
    })
}

pub fn created(name: &'static str, steps: impl Fn(&Stage) -> Check + 'static) -> Case {
    stays(name, move |stage| {
        stage.create()?;
        steps(stage)
    })
}

pub fn running(name: &'static str, steps: impl Fn(&Stage) -> Check + 'static) -> Case {
    created(name, move |stage| {
        stage.start()?;
        stage.wait_for_output(|output| output.contains("ready"))?;
        steps(stage)
    })
}

pub fn stopped(name: &'static str, steps: impl Fn(&Stage) -> Check + 'static) -> Case {
    running(name, move |stage| {
        stage.must("kill", &["KILL"])?;
        stage.wait_for("stopped")?;
        steps(stage)
    })
}

fn fails(outcome: &Outcome) -> Check {
    ensure!(outcome.code != Some(0), "it must fail: {outcome}");
    Ok(())
}

#[test]
fn run() {
    hold(&[
        Case::new("a command's output comes out")
            .script("echo hello")
            .prints("hello"),
        Case::new("its exit code comes out")
            .script("exit 7")
            .exits(7),
        Case::new("its input goes in")
            .script("exec 2>&1; cat; echo end")
            .prints("end"),
        Case::new("a signal that ends a child is told by the shell")
            .script("sh -c 'kill -9 $$'; echo $?")
            .prints("137"),
        Case::new("a signal that ends it gives 128 and its number")
            // The first process of a pid namespace can't signal itself.
            .spec(|spec| {
                namespaces::leave_out(spec, "pid");
            })
            .script("kill -9 $$")
            .exits(137),
        Case::steps("nothing is left of it", |stage| {
            let outcome = stage.run();
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            stage.must_not("state", &[])
        }),
        Case::steps("a failed one can be run again under the same id", |stage| {
            stage.edit(|spec| spec["process"]["args"] = json!(["/no/such/command"]));
            fails(&stage.run())?;
            stage.edit(|spec| spec["process"]["args"] = json!(["true"]));
            let outcome = stage.run();
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            Ok(())
        }),
        Case::new("a command that isn't there")
            .spec(|spec| spec["process"]["args"] = json!(["/no/such/command"]))
            .check(|stage, outcome| {
                fails(outcome)?;
                ensure!(
                    outcome.stderr.contains("no such file or directory")
                        || outcome.stderr.contains("No such file"),
                    "{outcome}"
                );
                if stage.runtime == Runtime::Ours {
                    ensure_eq!(outcome.code, Some(127), "{outcome}");
                }
                Ok(())
            }),
        Case::new("a command that isn't in PATH")
            .spec(|spec| spec["process"]["args"] = json!(["no-such-command"]))
            .check(|stage, outcome| {
                fails(outcome)?;
                ensure!(outcome.stderr.contains("not found in $PATH"), "{outcome}");
                if stage.runtime == Runtime::Ours {
                    ensure_eq!(outcome.code, Some(127), "{outcome}");
                }
                Ok(())
            }),
        Case::new("a command that can't be executed")
            .spec(|spec| spec["process"]["args"] = json!(["/etc"]))
            .check(|stage, outcome| {
                fails(outcome)?;
                if stage.runtime == Runtime::Ours {
                    ensure_eq!(outcome.code, Some(126), "{outcome}");
                }
                Ok(())
            }),
    ]);
}

#[test]
fn create() {
    hold(&[
        created(
            "the status is created, and nothing of the command has run",
            |stage| {
                ensure_eq!(stage.status()?, "created", "status");
                ensure_eq!(stage.output(), "", "output");
                let pid = stage.pid()?;
                ensure!(
                    fs::metadata(format!("/proc/{pid}")).is_ok(),
                    "no process {pid}"
                );
                Ok(())
            },
        ),
        stays(
            "the current directory is the bundle where none is named",
            |stage| {
                let tool = stage
                    .tool()
                    .current_dir(&stage.bundle.directory)
                    .arg("create");
                let file = |name| stage.bench.path(name);
                let outcome = tool.arg(&stage.id).run_into(&file("out"), &file("err"));
                ensure_eq!(outcome.code, Some(0), "{outcome}");
                ensure_eq!(stage.status()?, "created", "status");
                Ok(())
            },
        ),
        stays(
            "the process's pid goes into the file, without a newline",
            |stage| {
                let file = stage.bench.path("pid");
                let option = file.display().to_string();
                let outcome = stage.create_with(&stage.id, &["--pid-file", &option]);
                ensure_eq!(outcome.code, Some(0), "{outcome}");
                let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
                ensure_eq!(text, stage.pid()?.to_string(), "pid file");
                Ok(())
            },
        ),
        stays("options may follow the id", |stage| {
            let tool = stage.tool().args(["create", &stage.id, "--bundle"]);
            let file = |name| stage.bench.path(name);
            let outcome = tool
                .arg(&stage.bundle.directory)
                .run_into(&file("out"), &file("err"));
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            Ok(())
        })
        .but_crun("its options come first"),
        created(
            "an id that is taken is an error, and its container stays",
            |stage| {
                let pid = stage.pid()?;
                fails(&stage.create_with(&stage.id, &[]))?;
                ensure_eq!(stage.pid()?, pid, "pid");
                ensure_eq!(stage.status()?, "created", "status");
                Ok(())
            },
        ),
        stays("two containers of one bundle", |stage| {
            let other = stage.another_id();
            stage.create()?;
            let outcome = stage.create_with(&other, &[]);
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            Ok(())
        }),
        stays("a bundle without config.json is an error", |stage| {
            fs::remove_file(stage.bundle.directory.join("config.json")).expect("remove");
            fails(&stage.create_with(&stage.id, &[]))?;
            stage.must_not("state", &[])
        }),
        stays("a config.json that isn't JSON is an error", |stage| {
            fs::write(stage.bundle.directory.join("config.json"), "{").expect("write");
            fails(&stage.create_with(&stage.id, &[]))?;
            stage.must_not("state", &[])
        }),
        stays("a root file system that isn't there is an error", |stage| {
            stage.edit(|spec| spec["root"]["path"] = json!("nowhere"));
            fails(&stage.create_with(&stage.id, &[]))?;
            stage.must_not("state", &[])
        }),
        Case::steps("without an id it is an error", |stage| {
            let tool = stage.tool().args(["create", "--bundle"]);
            fails(&tool.arg(&stage.bundle.directory).run())
        }),
        created("later changes to config.json have no effect", |stage| {
            stage.edit(|spec| spec["process"]["args"] = json!(["echo", "changed"]));
            stage.start()?;
            stage.wait_for_output(|output| output == "ready\n")?;
            Ok(())
        }),
        Case::steps(
            "ids that lead out of the state directory are errors",
            |stage| {
                // It makes them, outside of this test's place.
                ensure!(stage.runtime != Runtime::Crun, "not tried");
                for id in ["..", "../x", "a/b", "/a", "."] {
                    let tool = stage.tool().args(["create", "--bundle"]);
                    let outcome = tool.arg(&stage.bundle.directory).arg(id).run();
                    ensure!(outcome.code != Some(0), "{id}: {outcome}");
                }
                Ok(())
            },
        )
        .but_crun("it makes them"),
    ]);
}

#[test]
fn start() {
    hold(&[
        created("the command runs, and the status is running", |stage| {
            stage.start()?;
            stage.wait_for_output(|output| output == "ready\n")?;
            ensure_eq!(stage.status()?, "running", "status");
            Ok(())
        }),
        running("of a running one it is an error, without effect", |stage| {
            stage.must_not("start", &[])?;
            ensure_eq!(stage.output(), "ready\n", "output");
            ensure_eq!(stage.status()?, "running", "status");
            Ok(())
        }),
        stopped("of a stopped one it is an error, without effect", |stage| {
            stage.must_not("start", &[])?;
            ensure_eq!(stage.output(), "ready\n", "output");
            ensure_eq!(stage.status()?, "stopped", "status");
            Ok(())
        }),
        Case::steps("of one that isn't there it is an error", |stage| {
            stage.must_not("start", &[])
        }),
        Case::steps("without an id it is an error", |stage| {
            fails(&stage.tool().arg("start").run())
        }),
        // C20
        Case::steps(
            "a command that is gone by then is an error of start",
            |stage| {
                stage.write_inside("/etc/command", "#!/bin/sh\n");
                stage.edit(|spec| spec["process"]["args"] = json!(["/etc/command"]));
                stage.create()?;
                fs::remove_file(stage.inside("/etc/command")).expect("remove");
                stage.must_not("start", &[])?;
                stage.wait_for("stopped")
            },
        )
        .but_runc("its start doesn't wait for the execution")
        .but_crun("its start doesn't wait for the execution"),
    ]);
}

#[test]
fn a_bundle_without_a_process() {
    hold(&[
        Case::steps("can be created and deleted", |stage| {
            stage.edit(|spec| {
                spec.as_object_mut().expect("an object").remove("process");
            });
            stage.create()?;
            ensure_eq!(stage.status()?, "created", "status");
            stage.must("delete", &["--force"])
        })
        .but_runc("it wants a process")
        .but_crun("it wants a process"),
        // The specification wants an error of start; runtime-tools, and crun since, take it for a process that ends.
        Case::steps("ends when it is started", |stage| {
            stage.edit(|spec| {
                spec.as_object_mut().expect("an object").remove("process");
            });
            stage.create()?;
            stage.start()?;
            stage.wait_for("stopped")?;
            stage.must("delete", &[])
        })
        .but_runc("it wants a process")
        .but_crun("it wants a process"),
    ]);
}
