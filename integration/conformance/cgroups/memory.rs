//! `linux.resources.memory`, and what happens for want of it.

use integration::{Runtime, cgroup};
use serde_json::json;

use super::limit::{Held, Refused, limit, refused};
use crate::harness::{Case, ensure, ensure_eq, hold};

const M: i64 = 1 << 20;

#[test]
fn memory() {
    hold(&[
        limit(
            "a limit",
            "memory.limit",
            json!({ "memory": { "limit": 64 * M } }),
            Held(&[("memory", "memory.limit_in_bytes", "67108864")]),
            Held(&[("memory", "memory.max", "67108864")]),
        ),
        limit(
            "a limit with swap, which is the sum of both",
            "memory.swap",
            json!({ "memory": { "limit": 64 * M, "swap": 96 * M } }),
            Held(&[
                ("memory", "memory.limit_in_bytes", "67108864"),
                ("memory", "memory.memsw.limit_in_bytes", "100663296"),
            ]),
            Held(&[
                ("memory", "memory.max", "67108864"),
                ("memory", "memory.swap.max", "33554432"),
            ]),
        ),
        limit(
            "no limit, said aloud",
            "memory.limit",
            json!({ "memory": { "limit": -1, "swap": -1 } }),
            Held(&[("memory", "memory.limit_in_bytes", "9223372036854771712")]),
            Held(&[
                ("memory", "memory.max", "max"),
                ("memory", "memory.swap.max", "max"),
            ]),
        ),
        limit(
            "a reservation",
            "memory.reservation",
            json!({ "memory": { "reservation": 32 * M } }),
            Held(&[("memory", "memory.soft_limit_in_bytes", "33554432")]),
            Held(&[("memory", "memory.low", "33554432")]),
        ),
        limit(
            "swappiness",
            "memory.swappiness",
            json!({ "memory": { "swappiness": 30 } }),
            Held(&[("memory", "memory.swappiness", "30")]),
            Refused("memory.swappiness"),
        ),
        limit(
            "swappiness of zero is a value",
            "memory.swappiness",
            json!({ "memory": { "swappiness": 0 } }),
            Held(&[("memory", "memory.swappiness", "0")]),
            Refused("memory.swappiness"),
        ),
        limit(
            "without the killer",
            "memory.disableOOMKiller",
            json!({ "memory": { "limit": 64 * M, "disableOOMKiller": true } }),
            Held(&[("memory", "memory.oom_control", "oom_kill_disable 1")]),
            Refused("memory.disableOOMKiller"),
        ),
        limit(
            "memory for TCP",
            "memory.kernelTCP",
            json!({ "memory": { "kernelTCP": 8 * M } }),
            Held(&[("memory", "memory.kmem.tcp.limit_in_bytes", "8388608")]),
            Refused("memory.kernelTCP"),
        )
        .but_runc_if(!cgroup::is_v2(), "it ignores it"),
        limit(
            "hierarchical, as it always is",
            "memory.useHierarchy",
            json!({ "memory": { "useHierarchy": true } }),
            Held(&[("memory", "memory.use_hierarchy", "1")]),
            Held(&[]),
        ),
    ]);
}

#[test]
fn memory_that_can_not_be() {
    hold(&[
        refused(
            "swappiness beyond 200",
            "memory.swappiness",
            json!({ "memory": { "swappiness": 201 } }),
        ),
        refused(
            "swap and memory together below memory",
            "memory.swap",
            json!({ "memory": { "limit": 64 * M, "swap": 32 * M } }),
        ),
        refused(
            "swap without memory",
            "memory.swap",
            json!({ "memory": { "swap": 64 * M } }),
        ),
    ]);
}

/// The whole story of its limit: who is killed, with which code, and what is said.
#[test]
fn want_of_memory() {
    let limited = |name, limit: i64| {
        Case::new(name).spec(move |spec| {
            spec["linux"]["resources"] = json!({ "memory": { "limit": limit, "swap": limit } });
        })
    };
    hold(&[
        limited("the command is killed", 24 * M)
            .script("exec tail /dev/zero")
            .exits(137)
            .check(|stage, outcome| {
                let is_told = outcome.stderr.contains("want of memory");
                ensure!(is_told || stage.runtime != Runtime::Ours, "{outcome}");
                Ok(())
            }),
        limited("a child is killed, and the command goes on", 24 * M)
            .script("tail /dev/zero 2>/dev/null; echo $?")
            .prints("137")
            .check(|_, outcome| {
                ensure!(!outcome.stderr.contains("want of memory"), "{outcome}");
                Ok(())
            }),
        // A page: 64 KiB last as far as the execve on some machines, and then it is the command that is killed.
        limited("there is too little for the runtime's own part", 4 << 10)
            .refused("want of memory")
            .without_controls(
                "crun's ends with 137; runc's process is there before the limit, which then fails",
            ),
        Case::steps(
            "a limit below what is in use, with checkBeforeUpdate",
            |stage| {
                stage.edit(|spec| {
                let fill = "dd if=/dev/zero of=/dev/fill bs=1M count=32 2>/dev/null; echo full; exec sleep 1000";
                spec["process"]["args"] = json!(["sh", "-c", fill]);
                spec["linux"]["resources"] = json!({ "memory": { "limit": 64 * M, "swap": 64 * M } });
            });
                stage.create()?;
                stage.start()?;
                stage.wait_for_output(|output| output.contains("full"))?;
                let changes = json!({ "memory": { "limit": 8 * M, "swap": 8 * M, "checkBeforeUpdate": true } });
                let file = stage.bench.file("changes.json", changes.to_string());
                let tool = stage
                    .tool()
                    .args(["update", "--resources"])
                    .arg(file)
                    .arg(&stage.id);
                let outcome = tool.run();
                ensure!(outcome.code != Some(0), "it is taken: {outcome}");
                let is_told = outcome.stderr.contains("memory.limit");
                ensure!(is_told || stage.runtime != Runtime::Ours, "{outcome}");
                let file = if cgroup::is_v2() {
                    "memory.max"
                } else {
                    "memory.limit_in_bytes"
                };
                let held = cgroup::read(stage.pid()?, "memory", file);
                ensure_eq!(held, Some((64 * M).to_string()), "the limit");
                Ok(())
            },
        ),
    ]);
}
