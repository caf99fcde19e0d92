//! Hooks: when and where they run, what they get, and who dies of a failing one.

mod failing;

use std::fs;

use integration::Runtime;
use serde_json::{Value, json};

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};
use crate::namespaces;

/// All six, in the order in which they run.
const ALL: [&str; 6] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
];

/// Adds a hook that runs `script` in a shell: the host's, or for startContainer the container's.
///
/// Each reads its standard input: crun dies of SIGPIPE where one ends without.
fn add(stage: &Stage, kind: &str, script: &str) {
    stage.edit(|spec| {
        let hooks = &mut spec["hooks"][kind];
        if hooks.is_null() {
            *hooks = json!([]);
        }
        let hook = json!({
            "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin:/sbin:/usr/sbin", "GIVEN=yes"],
        });
        hooks.as_array_mut().expect("a list").push(hook);
    });
}

/// A directory that has the same path on the host and inside, so that every hook can write there.
fn add_log(stage: &Stage) -> String {
    let directory = stage.bench.directory("log").display().to_string();
    stage.add_mount(&directory, "bind", &directory, &["bind", "rw"]);
    directory
}

fn log(stage: &Stage, name: &str) -> String {
    fs::read_to_string(stage.bench.path("log").join(name)).unwrap_or_default()
}

/// All six hooks, which write their standard input, namespaces and environment to files of their names.
fn add_reporters(stage: &Stage) {
    let directory = add_log(stage);
    for kind in ALL {
        let script = format!(
            "cd {directory}; cat >{kind}; readlink /proc/self/ns/mnt >{kind}.mnt; env >{kind}.env; \
             echo {kind} >>order; pwd >{kind}.pwd"
        );
        add(stage, kind, &script);
    }
    stage.edit(|spec| {
        spec["process"]["args"] = json!(["sh", "-c", format!("echo process >>{directory}/order")]);
        spec["annotations"] = json!({ "org.example.key": "value" });
    });
}

fn whole_life(stage: &Stage) -> Check {
    add_reporters(stage);
    stage.create()?;
    stage.start()?;
    stage.wait_for("stopped")?;
    stage.must("delete", &[])
}

#[test]
fn when_they_run() {
    hold(&[
        Case::steps("in the order of the life cycle", |stage| {
            add_reporters(stage);
            stage.create()?;
            ensure_eq!(
                log(stage, "order"),
                "prestart\ncreateRuntime\ncreateContainer\n",
                "after create"
            );
            stage.start()?;
            stage.wait_for("stopped")?;
            let order = log(stage, "order");
            let mut late: Vec<&str> = order.lines().skip(3).collect();
            // crun's start doesn't wait for it.
            ensure!(
                stage.runtime == Runtime::Crun || late.first() == Some(&"startContainer"),
                "after start: {order}"
            );
            late.sort_unstable();
            ensure_eq!(
                late,
                ["poststart", "process", "startContainer"],
                "after start"
            );
            stage.must("delete", &[])?;
            ensure!(
                log(stage, "order").ends_with("poststop\n"),
                "after delete: {}",
                log(stage, "order")
            );
            Ok(())
        })
        .but_runc("its create runs poststart"),
        Case::steps("those of one kind in the order of the list", |stage| {
            let directory = add_log(stage);
            for number in 1..=3 {
                add(
                    stage,
                    "createRuntime",
                    &format!("cat >/dev/null; echo {number} >>{directory}/order"),
                );
            }
            stage.create()?;
            ensure_eq!(log(stage, "order"), "1\n2\n3\n", "order");
            Ok(())
        }),
        Case::steps(
            "delete --force of a running container runs poststop",
            |stage| {
                let directory = add_log(stage);
                add(
                    stage,
                    "poststop",
                    &format!("cat >/dev/null; echo poststop >>{directory}/order"),
                );
                stage.edit(|spec| spec["process"]["args"] = json!(["sleep", "100"]));
                stage.create()?;
                stage.start()?;
                stage.must("delete", &["--force"])?;
                ensure_eq!(log(stage, "order"), "poststop\n", "order");
                Ok(())
            },
        ),
        Case::steps("run has them all", |stage| {
            add_reporters(stage);
            let outcome = stage.run();
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            ensure_eq!(log(stage, "order").lines().count(), 7, "order");
            Ok(())
        }),
    ]);
}

#[test]
fn what_they_get() {
    let state = |stage: &Stage, kind: &str| -> Result<Value, String> {
        serde_json::from_str(&log(stage, kind)).map_err(|error| format!("{kind}: {error}"))
    };
    hold(&[
        Case::steps(
            "the state, with the container's id, bundle and annotations",
            move |stage| {
                whole_life(stage)?;
                for kind in ALL {
                    let state = state(stage, kind)?;
                    ensure_eq!(state["id"], stage.id.as_str(), "{kind}: id");
                    let bundle = stage.bundle.directory.display().to_string();
                    ensure_eq!(state["bundle"], bundle.as_str(), "{kind}: bundle");
                    ensure_eq!(
                        state["annotations"]["org.example.key"],
                        "value",
                        "{kind}: annotations"
                    );
                    ensure!(state["ociVersion"].is_string(), "{kind}: ociVersion");
                }
                Ok(())
            },
        )
        .but_crun("startContainer gets another bundle"),
        Case::steps("the status of that moment", move |stage| {
            whole_life(stage)?;
            for (kind, wanted) in [("poststart", "running"), ("poststop", "stopped")] {
                let status = state(stage, kind)?["status"].clone();
                ensure_eq!(status, wanted, "{kind}: status");
            }
            for kind in [
                "prestart",
                "createRuntime",
                "createContainer",
                "startContainer",
            ] {
                ensure_eq!(state(stage, kind)?["status"], "created", "{kind}: status");
            }
            Ok(())
        })
        .but_runc("it says creating before createContainer")
        .but_crun("startContainer gets another status"),
        Case::steps("their arguments, of which the first is the name", |stage| {
            let directory = add_log(stage);
            stage.edit(|spec| {
                let script = format!("cat >/dev/null; echo \"$0|$1|$2\" >>{directory}/order");
                spec["hooks"]["createRuntime"] =
                    json!([{ "path": "/bin/sh", "args": ["a-name", "-c", script, "zero", "one two", ""] }]);
            });
            stage.create()?;
            ensure_eq!(log(stage, "order"), "zero|one two|\n", "arguments");
            Ok(())
        }),
        Case::steps(
            "a directory that is there, and the bundle's where it is the host's",
            |stage| {
                whole_life(stage)?;
                for kind in ALL {
                    let directory = log(stage, &format!("{kind}.pwd"));
                    ensure!(directory.starts_with('/'), "{kind}: {directory}");
                }
                Ok(())
            },
        ),
        Case::steps("their own environment and nothing else", |stage| {
            whole_life(stage)?;
            for kind in ALL {
                let environment = log(stage, &format!("{kind}.env"));
                ensure!(environment.contains("GIVEN=yes"), "{kind}: {environment}");
                let strange = environment.lines().find(|line| {
                    !["GIVEN", "PATH", "PWD", "SHLVL", "_", "OLDPWD"]
                        .iter()
                        .any(|name| line.starts_with(&format!("{name}=")))
                });
                ensure!(strange.is_none(), "{kind}: {environment}");
            }
            Ok(())
        }),
        Case::steps("createContainer is in the root file system", |stage| {
            add(
                stage,
                "createContainer",
                "cat >/dev/null; echo here >hooked",
            );
            stage.edit(|spec| spec["process"]["args"] = json!(["cat", "/hooked"]));
            let outcome = stage.run();
            ensure_eq!(outcome.stdout, "here\n", "{outcome}");
            Ok(())
        })
        .but_crun("it is where crun was called"),
        Case::steps(
            "what createContainer mounts there is the container's",
            |stage| {
                let script =
                    "cat >/dev/null; mount -t tmpfs tmpfs ./mnt && echo mounted >./mnt/file";
                fs::create_dir_all(stage.inside("/mnt")).expect("make /mnt");
                add(stage, "createContainer", script);
                stage.edit(|spec| spec["process"]["args"] = json!(["cat", "/mnt/file"]));
                let outcome = stage.run();
                ensure_eq!(outcome.stdout, "mounted\n", "{outcome}");
                ensure!(!stage.inside("/mnt/file").exists(), "it is on the host");
                Ok(())
            },
        )
        .but_crun("it is where crun was called"),
        Case::steps("createContainer is in all the container's namespaces", |stage| {
            add(stage, "createContainer", "cat >/dev/null; readlink /proc/self/ns/* >namespaces");
            let script = "[ -s /namespaces ] && { readlink /proc/self/ns/* | grep -vxFf /namespaces || echo all; }";
            stage.edit(|spec| {
                namespaces::ask(spec, json!({ "type": "time" }));
                spec["process"]["args"] = json!(["sh", "-c", script]);
            });
            let outcome = stage.run();
            ensure_eq!(outcome.stdout, "all\n", "{outcome}");
            Ok(())
        })
        .but_crun("it is where crun was called")
        .but_runc("it knows no time namespaces"),
        Case::steps("the runtime's environment, where they have none", |stage| {
            let directory = add_log(stage);
            for kind in ["prestart", "createRuntime", "poststop"] {
                add(
                    stage,
                    kind,
                    &format!("cat >/dev/null; echo $CALLER >{directory}/{kind}"),
                );
                stage.edit(|spec| {
                    let hook = spec["hooks"][kind][0].as_object_mut();
                    hook.expect("a hook").remove("env");
                });
            }
            let run = stage.tool().env("CALLER", "me").args(["run", "--bundle"]);
            run.arg(&stage.bundle.directory).arg(&stage.id).expect(0);
            for kind in ["prestart", "createRuntime", "poststop"] {
                ensure_eq!(log(stage, kind), "me\n", "{kind}");
            }
            Ok(())
        }),
        Case::steps(
            "the runtime's mount namespace, or the container's",
            |stage| {
                add_reporters(stage);
                stage.edit(|spec| spec["process"]["args"] = json!(["sleep", "100"]));
                stage.create()?;
                let inside = fs::read_link(format!("/proc/{}/ns/mnt", stage.pid()?))
                    .expect("read")
                    .display()
                    .to_string();
                stage.start()?;
                stage.must("delete", &["--force"])?;
                for kind in ALL {
                    let is_inside = log(stage, &format!("{kind}.mnt")).trim() == inside;
                    ensure_eq!(is_inside, kind.ends_with("Container"), "{kind}: inside");
                }
                Ok(())
            },
        ),
    ]);
}
