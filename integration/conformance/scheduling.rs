//! How the kernel treats the process: personality, scheduler, I/O priority, processors, memory.

use serde_json::{Value, json};

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};

/// A case whose process has `key` set so.
fn with(name: &'static str, key: &'static str, value: Value) -> Case {
    Case::new(name).spec(move |spec| spec["process"][key] = value.clone())
}

#[test]
fn personality() {
    let with = |name, personality: Value| {
        Case::new(name).spec(move |spec| spec["linux"]["personality"] = personality.clone())
    };
    hold(&[
        with("a 32-bit one", json!({ "domain": "LINUX32" }))
            .script("uname -m")
            .prints("i686")
            .but_runc("it doesn't know it"),
        with("the usual one", json!({ "domain": "LINUX" }))
            .script("uname -m")
            .prints("x86_64"),
        with(
            "one that nobody knows is refused",
            json!({ "domain": "WINDOWS" }),
        )
        .refused("WINDOWS")
        .but_runc("it doesn't know the key"),
        with(
            "flags are refused",
            json!({ "domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"] }),
        )
        .refused("flag")
        .but_runc("it doesn't know the key")
        .but_crun("it passes over them"),
    ]);
}

/// Nice value, policy and real-time priority: fields 19, 41 and 40 of proc(5).
const SCHEDULING: &str = "cut -d' ' -f19,40,41 /proc/self/stat";

#[test]
fn scheduler() {
    let newer = |case: Case| {
        case.but_runc("it doesn't know it: 1.2 does")
            .but_crun("it doesn't know it: 1.9 does")
    };
    let scheduler = |name, scheduler: Value, prints| {
        newer(
            with(name, "scheduler", scheduler)
                .script(SCHEDULING)
                .prints(prints),
        )
    };
    hold(&[
        Case::new("none").script(SCHEDULING).prints("0 0 0"),
        scheduler(
            "the usual one, nicer",
            json!({ "policy": "SCHED_OTHER", "nice": 7 }),
            "7 0 0",
        ),
        scheduler(
            "for long computations",
            json!({ "policy": "SCHED_BATCH", "nice": 5 }),
            "5 0 3",
        ),
        scheduler("for idle times", json!({ "policy": "SCHED_IDLE" }), "0 0 5"),
        newer(
            with(
                "one that doesn't exist",
                "scheduler",
                json!({ "policy": "SCHED_MAGIC" }),
            )
            .refused("SCHED_MAGIC"),
        ),
        newer(
            with(
                "a nice value beyond all",
                "scheduler",
                json!({ "policy": "SCHED_OTHER", "nice": 50 }),
            )
            .refused("nice"),
        ),
        newer(
            with(
                "a real-time priority without a real-time policy",
                "scheduler",
                json!({ "policy": "SCHED_OTHER", "priority": 5 }),
            )
            .refused("priority"),
        ),
    ]);
}

#[test]
fn io_priority() {
    let priority = |name, class: &'static str, priority: u32, prints| {
        with(
            name,
            "ioPriority",
            json!({ "class": class, "priority": priority }),
        )
        .script("ionice -p $$")
        .prints(prints)
        .but_runc("it doesn't know it: 1.2 does")
        .but_crun("it doesn't know it: 1.9 does")
    };
    hold(&[
        priority("best effort", "IOPRIO_CLASS_BE", 6, "best-effort: prio 6"),
        priority("idle", "IOPRIO_CLASS_IDLE", 0, "idle"),
        with(
            "one beyond all",
            "ioPriority",
            json!({ "class": "IOPRIO_CLASS_BE", "priority": 9 }),
        )
        .refused("ioPriority")
        .but_runc("it doesn't know it")
        .but_crun("it doesn't know it"),
        with(
            "a class that doesn't exist",
            "ioPriority",
            json!({ "class": "IOPRIO_CLASS_MAGIC", "priority": 1 }),
        )
        .refused("IOPRIO_CLASS_MAGIC")
        .but_runc("it doesn't know it")
        .but_crun("it doesn't know it"),
    ]);
}

/// What `exec` of a process with this `execCPUAffinity` sees of its processors, in a container that has all.
fn affinity(stage: &Stage, affinity: &Value) -> Result<String, String> {
    stage.edit(|spec| spec["process"]["args"] = json!(["sleep", "100"]));
    stage.create()?;
    stage.start()?;
    let process = json!({
        "user": { "uid": 0, "gid": 0 }, "cwd": "/", "env": ["PATH=/bin"], "execCPUAffinity": affinity,
        "args": ["sh", "-c", "sed -n 's/Cpus_allowed_list:.//p' /proc/self/status"],
    });
    stage.exec_process(&process)
}

/// The kernel has two processors where this runs; with one there is nothing to choose from.
#[test]
fn processors_of_exec() {
    let sees = |name, wanted: Value, seen: &'static str| {
        Case::steps(name, move |stage| -> Check {
            ensure_eq!(affinity(stage, &wanted)?, seen, "processors");
            Ok(())
        })
        .but_runc("it doesn't know it: 1.3 does")
        .but_crun("it doesn't know it")
    };
    hold(&[
        sees(
            "the final ones",
            json!({ "initial": "1", "final": "0" }),
            "0",
        ),
        sees("the initial ones stay", json!({ "initial": "0" }), "0"),
        Case::steps("without any, all", |stage| {
            let seen = affinity(stage, &json!({}))?;
            ensure!(seen != "0" && seen != "1", "{seen}");
            Ok(())
        }),
        Case::steps("what is no list is refused", |stage| {
            let why = affinity(stage, &json!({ "final": "0-x" }))
                .err()
                .unwrap_or_default();
            ensure!(why.contains("0-x") || why.contains("affinity"), "{why}");
            Ok(())
        })
        .but_runc("it doesn't know it")
        .but_crun("it doesn't know it"),
    ]);
}

#[test]
fn memory_policy() {
    let policy = |name, policy: Value, prints| {
        Case::new(name)
            .spec(move |spec| spec["linux"]["memoryPolicy"] = policy.clone())
            .script("head -1 /proc/self/numa_maps | cut -d' ' -f2")
            .prints(prints)
            .but_runc("it doesn't know it: 1.4 does")
            .but_crun("it doesn't know it")
    };
    hold(&[
        policy(
            "interleaved",
            json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" }),
            "interleave:0",
        ),
        policy(
            "bound, with a flag",
            json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }),
            "bind=static:0",
        ),
        Case::new("a mode that doesn't exist is refused")
            .spec(|spec| spec["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_MAGIC" }))
            .refused("MPOL_MAGIC")
            .but_runc("it doesn't know it")
            .but_crun("it doesn't know it"),
    ]);
}
