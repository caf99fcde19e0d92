//! Options of `run` and `exec` that engines seldom give.

use std::fs;
use std::time::Duration;

use integration::{Tool, cgroup};
use serde_json::{Value, json};

use crate::harness::{Case, Stage, ensure, ensure_eq, hold};

/// `RUNTIME run OPTIONS… --bundle BUNDLE ID`.
fn run(stage: &Stage, options: &[&str]) -> Result<String, String> {
    let tool = stage.tool().arg("run").args(options).arg("--bundle");
    let outcome = tool.arg(&stage.bundle.directory).arg(&stage.id).run();
    outcome.printed()
}

fn script(stage: &Stage, script: &str) {
    stage.edit(|spec| spec["process"]["args"] = json!(["sh", "-c", script]));
}

/// The serial number of the session keyring that a process sees: keyrings(7).
fn session_keyring(look: &str) -> Result<Value, String> {
    let report: Value = serde_json::from_str(look).map_err(|error| format!("{error}: {look}"))?;
    Ok(report["session_keyring"].clone())
}

/// This process's, and that of a command which is run with `options`.
fn session_keyrings(stage: &Stage, options: &[&str]) -> Result<[Value; 2], String> {
    let look = ["/bin/probe", "look"];
    stage.edit(|spec| spec["process"]["args"] = json!(look));
    let own = Tool::new(stage.inside(look[0])).arg(look[1]).run();
    Ok([
        session_keyring(&own.stdout)?,
        session_keyring(&run(stage, options)?)?,
    ])
}

#[test]
fn of_run() {
    hold(&[
        Case::steps("--keep leaves the container, stopped", |stage| {
            run(stage, &["--keep"])?;
            ensure_eq!(stage.status()?, "stopped", "status");
            stage.must("delete", &[])
        })
        .but_crun("it has another word for it"),
        Case::steps("without it nothing is left", |stage| {
            run(stage, &[])?;
            stage.must_not("state", &[])
        }),
        Case::steps(
            "--no-pivot runs all the same, and in the container's root",
            |stage| {
                script(stage, "cat /etc/mark; ls -d /.. ; cd ..; cat etc/mark");
                stage.write_inside("/etc/mark", "inside\n");
                ensure_eq!(
                    run(stage, &["--no-pivot"])?,
                    "inside\n/..\ninside\n",
                    "output"
                );
                Ok(())
            },
        ),
        // S7
        Case::steps("a session keyring of its own", |stage| {
            let [ours, its] = session_keyrings(stage, &[])?;
            ensure!(its.is_u64() && ours != its, "{ours} {its}");
            Ok(())
        }),
        Case::steps("--no-new-keyring: the caller's", |stage| {
            let [ours, its] = session_keyrings(stage, &["--no-new-keyring"])?;
            ensure!(its.is_u64() && ours == its, "{ours} {its}");
            Ok(())
        }),
    ]);
}

/// The option for a cgroup called `name` below the container's.
fn sub_cgroup(name: &str) -> String {
    if cgroup::is_v2() {
        return name.to_owned();
    }
    format!("pids:{name}")
}

#[test]
fn of_exec() {
    hold(&[
        Case::running("--cgroup: one below the container's", |stage| {
            let below = cgroup::directory(stage.pid()?, "pids").join("below");
            fs::create_dir(below).expect("make a cgroup");
            let options = ["--cgroup", &sub_cgroup("below")];
            let outcome = stage.exec(&options, &["cat", "/proc/self/cgroup"]);
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            let mut lines = outcome.stdout.lines();
            let seen = lines
                .any(|line| line.ends_with("/below") && (cgroup::is_v2() || line.contains("pids")));
            ensure!(seen, "{outcome}");
            Ok(())
        })
        .but_crun("it has another way of saying it"),
        Case::running("--cgroup: one that isn't there is an error", |stage| {
            let outcome = stage.exec(&["--cgroup", &sub_cgroup("nowhere")], &["true"]);
            ensure!(outcome.code != Some(0), "{outcome}");
            Ok(())
        })
        .but_crun("it passes over it"),
        Case::running("--cgroup: none above the container's", |stage| {
            let outcome = stage.exec(&["--cgroup", &sub_cgroup("../..")], &["true"]);
            ensure!(outcome.code != Some(0), "{outcome}");
            Ok(())
        })
        .but_crun("it passes over it"),
        Case::running("a paused container takes no command", |stage| {
            stage.must("pause", &[])?;
            let outcome = stage.exec(&[], &["true"]);
            stage.must("resume", &[])?;
            ensure!(outcome.code != Some(0), "{outcome}");
            Ok(())
        }),
        Case::running("--ignore-paused: it waits until it is resumed", |stage| {
            stage.must("pause", &[])?;
            let tool = stage.tool().args(["exec", "--ignore-paused", &stage.id]);
            let mut command = tool.args(["echo", "ran"]).start();
            std::thread::sleep(Duration::from_millis(700));
            let has_ended = command.has_ended();
            stage.must("resume", &[])?;
            let outcome = command.finish();
            ensure!(!has_ended, "it didn't wait: {outcome}");
            ensure_eq!(outcome.stdout, "ran\n", "{outcome}");
            Ok(())
        })
        .but_crun("it doesn't know the option"),
        Case::running("--env, --additional-gids", |stage| {
            let options = ["--env", "A=1", "--env", "B=x y", "--additional-gids", "77"];
            let outcome = stage.exec(&options, &["sh", "-c", "echo $A.$B; id -G"]);
            ensure_eq!(outcome.stdout, "1.x y\n0 77\n", "{outcome}");
            Ok(())
        })
        .but_crun("it doesn't know groups"),
        Case::running("--cap, --no-new-privs", |stage| {
            let script = "grep -E '^(CapEff|CapInh|NoNewPrivs):' /proc/self/status";
            let words = ["sh", "-c", script];
            let outcome = stage.exec(&["--cap", "CAP_KILL", "--no-new-privs"], &words);
            ensure_eq!(
                outcome.stdout,
                "CapInh:\t0000000000000000\nCapEff:\t0000000000000020\nNoNewPrivs:\t1\n",
                "{outcome}"
            );
            Ok(())
        })
        .spec(|spec| {
            // runc 1.1 dies where there are none.
            let none =
                json!({ "bounding": [], "effective": [], "permitted": [], "inheritable": [] });
            spec["process"]["capabilities"] = none;
        }),
        Case::running(
            "--process-label and --apparmor are passed over where the kernel has neither",
            |stage| {
                let options = [
                    "--process-label",
                    "a_u:b_r:c_t:s0",
                    "--apparmor",
                    "no-such-profile",
                ];
                let outcome = stage.exec(&options, &["echo", "ran"]);
                ensure_eq!(outcome.stdout, "ran\n", "{outcome}");
                Ok(())
            },
        )
        .but_runc("it refuses them")
        .but_crun("it refuses them"),
    ]);
}

/// What an engine writes down of a process, with these keys more.
fn process(stage: &Stage, more: &[(&str, Value)], words: &[&str]) -> Result<String, String> {
    let mut process = json!({
        "user": { "uid": 0, "gid": 0 }, "cwd": "/", "env": ["PATH=/bin"], "args": words,
    });
    for (key, value) in more {
        process[*key] = value.clone();
    }
    stage.exec_process(&process)
}

#[test]
fn of_a_process_file() {
    let newer = |case: Case| {
        case.but_runc("it doesn't know it: 1.2 does")
            .but_crun("it doesn't know it: 1.9 does")
    };
    hold(&[
        newer(Case::running("scheduler", |stage| {
            let scheduler = json!({ "policy": "SCHED_BATCH", "nice": 4 });
            let words = ["sh", "-c", "cut -d' ' -f19,41 /proc/self/stat"];
            let seen = process(stage, &[("scheduler", scheduler)], &words)?;
            ensure_eq!(seen, "4 3", "scheduler");
            Ok(())
        })),
        newer(Case::running("ioPriority", |stage| {
            let priority = json!({ "class": "IOPRIO_CLASS_BE", "priority": 5 });
            let seen = process(
                stage,
                &[("ioPriority", priority)],
                &["sh", "-c", "ionice -p $$"],
            )?;
            ensure_eq!(seen, "best-effort: prio 5", "priority");
            Ok(())
        })),
        Case::running("oomScoreAdj and rlimits", |stage| {
            let limits = json!([{ "type": "RLIMIT_NOFILE", "soft": 99, "hard": 100 }]);
            let more = [("oomScoreAdj", json!(345)), ("rlimits", limits)];
            let script = "cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn";
            ensure_eq!(
                process(stage, &more, &["sh", "-c", script])?,
                "345\n99\n100",
                "output"
            );
            Ok(())
        })
        .but_runc("its exec leaves the first")
        .but_crun("its exec leaves the first"),
        Case::running("umask", |stage| {
            let user = json!({ "uid": 0, "gid": 0, "umask": 0o077 });
            ensure_eq!(
                process(stage, &[("user", user)], &["sh", "-c", "umask"])?,
                "0077",
                "umask"
            );
            Ok(())
        })
        .but_runc("its exec knows none"),
    ]);
}
