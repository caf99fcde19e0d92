//! What `state` says, in each status, and files with pids.

use std::fs;
use std::process::Stdio;

use integration::{Outcome, Runtime};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{Case, Check, Stage, at_last, ensure, ensure_eq, hold};

/// The schema of the OCI runtime specification's state: what must be there and of which kind. Other keys are a
/// runtime's own.
fn is_a_state(stage: &Stage, state: &Value, status: &str) -> Check {
    let text = |key: &str| state[key].as_str().unwrap_or_default();
    let version: Vec<&str> = text("ociVersion").split(['.', '-', '+']).collect();
    let is_version =
        version.len() >= 3 && version[..3].iter().all(|part| part.parse::<u32>().is_ok());
    ensure!(is_version, "ociVersion: {state}");
    ensure_eq!(text("id"), stage.id, "id");
    ensure_eq!(text("status"), status, "status");
    let bundle = stage.bundle.directory.display().to_string();
    ensure_eq!(text("bundle"), bundle, "bundle");
    ensure!(text("bundle").starts_with('/'), "bundle: {state}");
    match (status, &state["pid"]) {
        ("created" | "running" | "paused", pid) => {
            ensure!(pid.as_u64().is_some_and(|pid| pid > 0), "pid: {state}");
        }
        (_, pid) => ensure!(pid.is_null() || pid.as_u64().is_some(), "pid: {state}"),
    }
    let annotations = state["annotations"].as_object();
    let all_are_text = annotations.is_some_and(|all| all.values().all(Value::is_string));
    ensure!(all_are_text, "annotations: {state}");
    ensure_eq!(
        state["annotations"]["org.example.key"],
        "value",
        "annotations"
    );
    // Not of the specification: what podman and containerd read of runc's.
    for key in ["rootfs", "created", "owner"] {
        ensure!(state[key].is_string(), "{key}: {state}");
    }
    Ok(())
}

/// A container that stays, with an annotation.
fn annotated(name: &'static str, steps: impl Fn(&Stage) -> Check + 'static) -> Case {
    Case::steps(name, move |stage| {
        stage.edit(|spec| {
            spec["process"]["args"] = json!(["sleep", "100"]);
            spec["annotations"] = json!({ "org.example.key": "value" });
        });
        steps(stage)
    })
}

#[test]
fn in_each_status() {
    hold(&[
        annotated("created", |stage| {
            stage.create()?;
            is_a_state(stage, &stage.state()?, "created")
        }),
        annotated("running", |stage| {
            stage.create()?;
            stage.start()?;
            is_a_state(stage, &stage.state()?, "running")
        }),
        annotated("paused", |stage| {
            stage.create()?;
            stage.start()?;
            stage.must("pause", &[])?;
            let state = stage.state()?;
            stage.must("resume", &[])?;
            is_a_state(stage, &state, "paused")
        }),
        annotated("stopped", |stage| {
            stage.create()?;
            stage.start()?;
            stage.must("kill", &["KILL"])?;
            stage.wait_for("stopped")?;
            let state = stage.state()?;
            ensure_eq!(state["pid"], json!(0), "pid of none");
            is_a_state(stage, &state, "stopped")
        }),
        annotated("what is deleted has none", |stage| {
            stage.create()?;
            stage.must("delete", &["--force"])?;
            stage.must_not("state", &[])
        }),
        annotated("while it is created, its hooks see a state", |stage| {
            let file = stage.bench.path("seen").display().to_string();
            stage.edit(|spec| {
                spec["hooks"]["createRuntime"] = json!([
                    { "path": "/bin/sh", "args": ["sh", "-c", format!("cat >{file}")] },
                ]);
            });
            stage.create()?;
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            let state: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let status = state["status"].as_str().unwrap_or_default();
            ensure!(["creating", "created"].contains(&status), "status: {state}");
            ensure!(
                state["pid"].as_i64().is_some_and(|pid| pid > 0),
                "pid: {state}"
            );
            ensure_eq!(state["id"], stage.id.as_str(), "id");
            Ok(())
        }),
    ]);
}

/// C23: whoever looks while the container comes and goes sees all of a state, or none.
#[test]
fn is_whole_at_every_moment() {
    hold(&[annotated(
        "while it is created, started and killed",
        |stage| {
            let file = |end: &str| stage.bench.path(end);
            let tool = stage
                .tool()
                .args(["create", "--bundle"])
                .arg(&stage.bundle.directory);
            let mut create = tool.arg(&stage.id);
            let output = || fs::File::create(file("out")).expect("make a file");
            let command = create.command().stdin(Stdio::null());
            let mut creating = command
                .stdout(output())
                .stderr(output())
                .spawn()
                .expect("start");
            let mut seen = 0;
            loop {
                let ended = creating.try_wait().expect("wait").is_some();
                let outcome = stage.command("state", &[]);
                if outcome.code == Some(0) {
                    let state: Value = serde_json::from_str(&outcome.stdout)
                        .map_err(|error| format!("{error}: {outcome}"))?;
                    ensure_eq!(state["id"], stage.id.as_str(), "id");
                    seen += 1;
                }
                if ended {
                    break;
                }
            }
            ensure!(seen > 0, "it was never seen");
            is_a_state(stage, &stage.state()?, "created")
        },
    )]);
}

fn fails(outcome: &Outcome) -> Check {
    ensure!(outcome.code != Some(0), "it must fail: {outcome}");
    Ok(())
}

#[test]
fn pid_files() {
    let text = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default();
    hold(&[
        annotated("of create: the pid that state tells", move |stage| {
            let file = stage.bench.path("pid");
            let outcome =
                stage.create_with(&stage.id, &["--pid-file", &file.display().to_string()]);
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            ensure_eq!(text(&file), stage.pid()?.to_string(), "pid file");
            Ok(())
        }),
        annotated("of run --detach", move |stage| {
            let file = stage.bench.path("pid");
            let tool = stage
                .tool()
                .args(["run", "--detach", "--pid-file"])
                .arg(&file);
            let tool = tool.arg("--bundle").arg(&stage.bundle.directory);
            let written = |end| stage.bench.path(end);
            let outcome = tool
                .arg(&stage.id)
                .run_into(&written("out"), &written("err"));
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            ensure_eq!(text(&file), stage.pid()?.to_string(), "pid file");
            Ok(())
        }),
        annotated("of exec --detach: the new process's", move |stage| {
            stage.create()?;
            stage.start()?;
            let file = stage.bench.path("pid");
            let path = file.display().to_string();
            let outcome = stage.exec_into(&["--detach", "--pid-file", &path], &["sleep", "50"]);
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            let pid = text(&file);
            ensure!(pid != stage.pid()?.to_string(), "it is the first process's");
            let ask = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = at_last(ask, |command| command.starts_with(b"sleep"));
            // It is this process's to wait for, and the pid namespace ends no sooner.
            let number = Pid::from_raw(pid.parse().map_err(|_| format!("pid file: {pid}"))?);
            kill(number, Signal::SIGKILL).map_err(|errno| errno.to_string())?;
            waitpid(number, None).map_err(|errno| errno.to_string())?;
            ensure_eq!(
                String::from_utf8_lossy(&command),
                "sleep\x0050\0",
                "command"
            );
            Ok(())
        }),
        annotated(
            "one that can't be written is an error, and nothing is left",
            |stage| {
                fails(&stage.create_with(&stage.id, &["--pid-file", "/no/such/directory/pid"]))?;
                if stage.runtime == Runtime::Ours {
                    return stage.must_not("state", &[]);
                }
                Ok(())
            },
        ),
    ]);
}
