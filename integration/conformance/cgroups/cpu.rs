//! `linux.resources.cpu`.

use integration::{cgroup, is_by_systemd};
use serde_json::json;

use super::limit::{Held, Refused, limit, refused};
use crate::harness::{Case, hold};

#[test]
fn cpu() {
    hold(&[
        // On version 2 the peers of these versions use an older formula.
        only_v1(limit(
            "shares",
            "cpu.shares",
            json!({ "cpu": { "shares": 512 } }),
            Held(&[("cpu", "cpu.shares", "512")]),
            Held(&[("cpu", "cpu.weight", "59")]),
        )),
        limit(
            "a quota and its period",
            "cpu.quota",
            json!({ "cpu": { "quota": 40000, "period": 80000 } }),
            Held(&[
                ("cpu", "cpu.cfs_quota_us", "40000"),
                ("cpu", "cpu.cfs_period_us", "80000"),
            ]),
            Held(&[("cpu", "cpu.max", "40000 80000")]),
        ),
        limit(
            "a quota alone",
            "cpu.quota",
            json!({ "cpu": { "quota": 40000 } }),
            Held(&[
                ("cpu", "cpu.cfs_quota_us", "40000"),
                ("cpu", "cpu.cfs_period_us", "100000"),
            ]),
            Held(&[("cpu", "cpu.max", "40000 100000")]),
        ),
        limit(
            "a period alone",
            "cpu.period",
            json!({ "cpu": { "period": 50000 } }),
            Held(&[
                ("cpu", "cpu.cfs_quota_us", "-1"),
                ("cpu", "cpu.cfs_period_us", "50000"),
            ]),
            Held(&[("cpu", "cpu.max", "max 50000")]),
        ),
        limit(
            "no quota, said aloud",
            "cpu.quota",
            json!({ "cpu": { "quota": -1, "period": 50000 } }),
            Held(&[
                ("cpu", "cpu.cfs_quota_us", "-1"),
                ("cpu", "cpu.cfs_period_us", "50000"),
            ]),
            Held(&[("cpu", "cpu.max", "max 50000")]),
        )
        .but_crun_if(!cgroup::is_v2(), "it writes -1 as a number without a sign"),
        limit(
            "a burst",
            "cpu.burst",
            json!({ "cpu": { "quota": 40000, "period": 80000, "burst": 30000 } }),
            Held(&[("cpu", "cpu.cfs_burst_us", "30000")]),
            Held(&[("cpu", "cpu.max.burst", "30000")]),
        )
        .but_runc("it knows no burst")
        .but_crun("it knows no burst"),
        limit(
            "idle",
            "cpu.idle",
            json!({ "cpu": { "idle": 1 } }),
            Held(&[("cpu", "cpu.idle", "1")]),
            Held(&[("cpu", "cpu.idle", "1")]),
        )
        .but_runc("it knows no idle"),
        limit(
            "processors and memory nodes",
            "cpu.cpus",
            json!({ "cpu": { "cpus": "0", "mems": "0" } }),
            Held(&[
                ("cpuset", "cpuset.cpus", "0"),
                ("cpuset", "cpuset.mems", "0"),
            ]),
            Held(&[
                ("cpuset", "cpuset.cpus", "0"),
                ("cpuset", "cpuset.mems", "0"),
            ]),
        ),
        Case::new("processors, as the command sees them")
            .spec(|spec| spec["linux"]["resources"] = json!({ "cpu": { "cpus": "0" } }))
            .script("grep Cpus_allowed_list /proc/self/status | tr -s '\\t' ' '")
            .prints("Cpus_allowed_list: 0"),
        limit(
            "real time",
            "cpu.realtime",
            json!({ "cpu": { "realtimeRuntime": 1000, "realtimePeriod": 500_000 } }),
            // systemd gives none to its slices.
            match is_by_systemd() {
                true => Refused("cpu.realtimeRuntime"),
                false => Held(&[
                    ("cpu", "cpu.rt_runtime_us", "1000"),
                    ("cpu", "cpu.rt_period_us", "500000"),
                ]),
            },
            Refused("cpu.realtime"),
        ),
        Case::new("a quota holds the command up")
            .spec(|spec| {
                spec["linux"]["resources"] =
                    json!({ "cpu": { "quota": 10000, "period": 100_000 } });
            })
            // A tenth of a processor: what takes a process 100 ms of it takes it a second.
            .script(
                "told() { \
                 read _ _ _ _ _ _ _ _ _ _ _ _ _ user kernel _ < /proc/self/stat; \
                 read now _ < /proc/uptime; echo $((user + kernel)) $now; }; \
                 told; i=0; while [ $i -lt 15000 ]; do i=$((i+1)); done; told",
            )
            .check(|_, outcome| {
                let words = outcome.stdout.split_whitespace();
                let words: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
                let [ticks_before, before, ticks, after] = words[..] else {
                    return Err(format!("{outcome}"));
                };
                // A period may begin and end with a full share of it.
                let used = (ticks - ticks_before) / 100.0;
                let most = (after - before) / 10.0 + 0.1;
                match used > most {
                    true => Err(format!("{used} s of a processor in {} s", after - before)),
                    false => Ok(()),
                }
            }),
    ]);
}

fn only_v1(case: Case) -> Case {
    match cgroup::is_v2() {
        true => case.without_controls("their formula from shares to weights is older"),
        false => case,
    }
}

#[test]
fn cpu_that_can_not_be() {
    hold(&[
        refused(
            "a processor that isn't there",
            "cpu.cpus",
            json!({ "cpu": { "cpus": "4095" } }),
        ),
        refused(
            "processors that are none",
            "cpu.cpus",
            json!({ "cpu": { "cpus": "none" } }),
        ),
        refused(
            "a node that isn't there",
            "cpu.mems",
            json!({ "cpu": { "mems": "63" } }),
        ),
        refused(
            "a period beyond a second",
            "linux.resources.cpu.",
            json!({ "cpu": { "quota": 1000, "period": 2_000_000 } }),
        ),
        refused(
            "a quota below a millisecond",
            "cpu.quota",
            json!({ "cpu": { "quota": 10, "period": 100_000 } }),
        ),
        refused(
            "a burst beyond the quota",
            "linux.resources.cpu.",
            json!({ "cpu": { "quota": 10000, "period": 100_000, "burst": 20000 } }),
        ),
        refused("idle of two", "cpu.idle", json!({ "cpu": { "idle": 2 } })),
    ]);
}
