//! The commands besides those of the life cycle: what libcontainer's tool does otherwise than runc.

use std::fs;

use integration::{Outcome, Runtime, cgroup};
use serde_json::{Value, json};

use crate::harness::{Case, Check, Stage, at_last, ensure, ensure_eq, hold};

fn parsed(outcome: &Outcome) -> Result<Value, String> {
    serde_json::from_str(&outcome.stdout).map_err(|error| format!("{error}: {outcome}"))
}

/// A file of the container's cgroup: version 1's of this controller, or version 2's.
fn limit(stage: &Stage, controller: &str, first: &str, second: &str) -> Result<String, String> {
    let file = if cgroup::is_v2() { second } else { first };
    let text = cgroup::read(stage.pid()?, controller, file);
    text.map(|text| text.trim().to_owned())
        .ok_or(format!("no {file}"))
}

/// C13: libcontainer's tool takes these and does nothing.
#[test]
fn update() {
    hold(&[
        Case::running("memory", |stage| {
            stage.must("update", &["--memory=67108864"])?;
            let now = limit(stage, "memory", "memory.limit_in_bytes", "memory.max")?;
            ensure_eq!(now, "67108864", "memory");
            Ok(())
        }),
        Case::running("processes", |stage| {
            stage.must("update", &["--pids-limit=33"])?;
            ensure_eq!(limit(stage, "pids", "pids.max", "pids.max")?, "33", "pids");
            Ok(())
        }),
        Case::running("shares of the processors", |stage| {
            stage.must("update", &["--cpu-share=512"])?;
            let now = limit(stage, "cpu", "cpu.shares", "cpu.weight")?;
            // Version 2's weight is another scale.
            ensure!(["512", "20", "59"].contains(&now.as_str()), "{now}");
            Ok(())
        }),
    ]);
}

/// C14
#[test]
fn events() {
    hold(&[Case::running("--stats is one line of JSON", |stage| {
        let outcome = stage.command("events", &["--stats"]);
        ensure_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
        let event = parsed(&outcome)?;
        ensure_eq!(event["type"], "stats", "type");
        ensure_eq!(event["id"], stage.id.as_str(), "id");
        ensure!(
            event["data"]["pids"]["current"]
                .as_u64()
                .is_some_and(|count| count > 0),
            "{event}"
        );
        ensure!(
            event["data"]["memory"]["usage"]["usage"].is_u64(),
            "{event}"
        );
        ensure!(event["data"]["cpu"]["usage"]["total"].is_u64(), "{event}");
        Ok(())
    })
    .but_crun("it has no such command")]);
}

/// C15
#[test]
fn list() {
    let list = |stage: &Stage, options: &[&str]| stage.tool().arg("list").args(options).run();
    hold(&[
        Case::running("as JSON", move |stage| {
            let all = parsed(&list(stage, &["--format", "json"]))?;
            let one = &all.as_array().ok_or("not a list")?[0];
            ensure_eq!(one["id"], stage.id.as_str(), "id");
            ensure_eq!(one["pid"], json!(stage.pid()?), "pid");
            ensure_eq!(one["status"], "running", "status");
            Ok(())
        }),
        Case::running("the ids alone", move |stage| {
            let outcome = list(stage, &["-q"]);
            ensure_eq!(outcome.stdout.trim(), stage.id, "{outcome}");
            Ok(())
        }),
        Case::running("as a table", move |stage| {
            let outcome = list(stage, &[]);
            let mut lines = outcome.stdout.lines();
            let head = lines.next().unwrap_or_default();
            ensure!(head.contains("PID") && head.contains("STATUS"), "{outcome}");
            ensure!(
                lines.next().is_some_and(|line| line.starts_with(&stage.id)),
                "{outcome}"
            );
            Ok(())
        }),
    ]);
}

#[test]
fn ps() {
    hold(&[
        Case::running("as JSON: the pids", |stage| {
            let outcome = stage
                .tool()
                .args(["ps", "--format", "json", &stage.id])
                .run();
            ensure_eq!(parsed(&outcome)?, json!([stage.pid()?]), "{outcome}");
            Ok(())
        }),
        Case::running("as a table", |stage| {
            let is_executed = |outcome: &Outcome| outcome.stdout.contains("sleep 100");
            let ask = || stage.tool().args(["ps", &stage.id]).run();
            let outcome = at_last(ask, is_executed);
            ensure!(outcome.stdout.contains("PID"), "{outcome}");
            ensure!(is_executed(&outcome), "{outcome}");
            Ok(())
        })
        .but_crun("it tells the pids alone"),
    ]);
}

/// C16: libcontainer's tool has it under another name. Whether CRIU works is the machine's affair.
#[test]
fn checkpoint() {
    hold(&[
        Case::steps("is a command, and needs a container", |stage| {
            let outcome = stage.tool().args(["checkpoint", "none-of-this-name"]).run();
            ensure!(outcome.code != Some(0), "{outcome}");
            ensure!(outcome.stderr.contains("exist"), "{outcome}");
            Ok(())
        })
        .but_crun("Debian builds it without"),
        Case::steps("and so is restore", |stage| {
            let outcome = stage.tool().args(["restore", "--help"]).run();
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            ensure!(
                (outcome.stdout.clone() + &outcome.stderr).contains("--bundle"),
                "{outcome}"
            );
            Ok(())
        })
        .but_crun("Debian builds it without"),
    ]);
}

/// The messages of a command that fails, in a log.
fn failing(stage: &Stage, format: &str) -> Result<String, String> {
    let log = stage.bench.path("log");
    let tool = stage
        .tool()
        .arg("--log")
        .arg(&log)
        .args(["--log-format", format]);
    let outcome = tool.args(["state", "none-of-this-name"]).run();
    ensure!(outcome.code != Some(0), "{outcome}");
    fs::read_to_string(&log).map_err(|error| error.to_string())
}

#[test]
fn log() {
    hold(&[
        // C18: containerd reads the last line of it.
        Case::steps("one object with level, msg and time", |stage| {
            let text = failing(stage, "json")?;
            let last = text.lines().last().unwrap_or_default();
            let line: Value =
                serde_json::from_str(last).map_err(|error| format!("{error}: {text}"))?;
            ensure_eq!(line["level"], "error", "level");
            ensure!(
                line["msg"].as_str().is_some_and(
                    |text| text.contains("none-of-this-name") || text.contains("exist")
                ),
                "{line}"
            );
            ensure!(
                line["time"].as_str().is_some_and(|time| time.contains('T')),
                "{line}"
            );
            Ok(())
        }),
        // C17
        Case::steps("a second command's lines come after the first's", |stage| {
            let first = failing(stage, "json")?;
            let both = failing(stage, "json")?;
            ensure!(both.starts_with(&first), "{both}");
            ensure_eq!(both.lines().count(), 2 * first.lines().count(), "lines");
            Ok(())
        }),
    ]);
}

/// T3: a command that ends before its runtime looks.
#[test]
fn fast_commands() {
    hold(&[Case::steps("none hangs", |stage| {
        for number in 0..15 {
            let id = format!("{}-{number}", stage.id);
            let tool = stage
                .tool()
                .args(["run", "--bundle"])
                .arg(&stage.bundle.directory);
            let outcome = tool
                .arg(&id)
                .limit(std::time::Duration::from_secs(20))
                .run();
            ensure_eq!(outcome.code, Some(0), "{outcome}");
        }
        Ok(())
    })]);
}

/// T15
#[test]
fn features() {
    hold(&[
        Case::steps("are told in the specification's words", |stage| {
            let outcome = stage.tool().arg("features").run();
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            is_a_features_document(&parsed(&outcome)?)
        })
        .but_crun("it has no such command"),
    ]);
}

/// The features structure of the OCI runtime specification: the keys that there are, and of which kind.
fn is_a_features_document(features: &Value) -> Check {
    let is_text = |value: &Value| value.is_string();
    let is_list = |value: &Value| {
        value
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string))
    };
    let is_flag = |value: &Value| value.is_boolean();
    let is_object = |value: &Value| value.is_object();
    type Kind<'a> = &'a dyn Fn(&Value) -> bool;
    let kinds: [(&str, Kind<'_>); 31] = [
        ("/ociVersionMin", &is_text),
        ("/ociVersionMax", &is_text),
        ("/hooks", &is_list),
        ("/mountOptions", &is_list),
        ("/annotations", &is_object),
        ("/potentiallyUnsafeConfigAnnotations", &is_list),
        ("/linux", &is_object),
        ("/linux/namespaces", &is_list),
        ("/linux/capabilities", &is_list),
        ("/linux/cgroup", &is_object),
        ("/linux/cgroup/v1", &is_flag),
        ("/linux/cgroup/v2", &is_flag),
        ("/linux/cgroup/systemd", &is_flag),
        ("/linux/cgroup/systemdUser", &is_flag),
        ("/linux/cgroup/rdma", &is_flag),
        ("/linux/seccomp", &is_object),
        ("/linux/seccomp/enabled", &is_flag),
        ("/linux/seccomp/actions", &is_list),
        ("/linux/seccomp/operators", &is_list),
        ("/linux/seccomp/archs", &is_list),
        ("/linux/seccomp/knownFlags", &is_list),
        ("/linux/seccomp/supportedFlags", &is_list),
        ("/linux/apparmor/enabled", &is_flag),
        ("/linux/selinux/enabled", &is_flag),
        ("/linux/intelRdt/enabled", &is_flag),
        ("/linux/intelRdt/schemata", &is_flag),
        ("/linux/intelRdt/monitoring", &is_flag),
        ("/linux/mountExtensions/idmap/enabled", &is_flag),
        ("/linux/netDevices/enabled", &is_flag),
        ("/linux/memoryPolicy/modes", &is_list),
        ("/linux/memoryPolicy/flags", &is_list),
    ];
    for required in ["/ociVersionMin", "/ociVersionMax"] {
        ensure!(features.pointer(required).is_some(), "{required} is absent");
    }
    for (pointer, is_right) in kinds {
        if let Some(value) = features.pointer(pointer) {
            ensure!(is_right(value), "{pointer}: {value}");
        }
    }
    let known = |of: &str, name: &str| {
        let pointer = format!("{of}/{name}");
        kinds
            .iter()
            .any(|(kind, _)| *kind == pointer || kind.starts_with(&format!("{pointer}/")))
    };
    for of in ["", "/linux", "/linux/cgroup", "/linux/seccomp"] {
        let keys = features.pointer(of).and_then(Value::as_object);
        let strange = keys
            .into_iter()
            .flatten()
            .find(|(name, _)| !known(of, name));
        ensure!(strange.is_none(), "{of}: {strange:?}");
    }
    Ok(())
}

/// T6, CVE-2026-41579: what the runtime makes in `/dev` would be made on the host.
#[test]
fn a_dev_that_leads_out() {
    hold(&[Case::new("nothing is made there")
        .prepare(|stage| {
            let outside = stage.bench.directory("outside");
            fs::remove_dir(stage.inside("/dev")).expect("remove");
            std::os::unix::fs::symlink(&outside, stage.inside("/dev")).expect("link");
            stage.edit(|spec| {
                let mounts = spec["mounts"].as_array_mut().expect("mounts");
                mounts.retain(|mount| mount["destination"] != "/dev");
            });
        })
        .script("true")
        .check(|stage, outcome| {
            let made = integration::host::names_in(&stage.bench.path("outside"));
            ensure!(made.is_empty(), "{made:?}");
            let is_ours = stage.runtime == Runtime::Ours;
            ensure!(!is_ours || outcome.code == Some(125), "{outcome}");
            Ok(())
        })
        .but_runc("its links are made there")
        .but_crun("its devices are made there")]);
}
