//! Cgroups that systemd makes, on a host whose first process it needn't be. More of it is tried by the suites that
//! `hack/vm-suites` runs, which all take `OPT_CGROUP_MANAGER=systemd`.

use integration::{Bench, Tool, cgroup, is_by_systemd, plain, under_systemd};
use serde_json::json;

fn run(bench: &Bench) -> Tool {
    let mut tool = bench.runtime();
    if !is_by_systemd() {
        tool = tool.arg("--systemd-cgroup");
    }
    tool.arg("run").arg(bench.path("plain"))
}

/// Only its own state: in a pid namespace nobody knows whose cgroups those of the host's other runs are.
#[track_caller]
fn assert_nothing_left(bench: &Bench) {
    assert_eq!(bench.state_names(), [""; 0]);
}

/// The process is born before its unit is there: what it says when its runtime gives up is nobody's concern.
#[test]
fn a_limit_that_can_not_be_is_told_whoever_is_faster() {
    under_systemd(|| {
        let bench = Bench::new();
        let bundle = plain::bundle(&bench, "plain", &["true"]);
        bundle.edit(|spec| {
            spec["linux"]["resources"] = json!({ "cpu": { "quota": 10, "period": 100_000 } });
        });
        for _ in 0..20 {
            let outcome = run(&bench).expect(125);
            let line = outcome.one_line();
            assert!(line.contains("linux.resources.cpu.quota: write "), "{line}");
            assert_nothing_left(&bench);
        }
    });
}

#[test]
fn limits_hold_in_a_scope() {
    under_systemd(|| {
        let bench = Bench::new();
        let script = "cat /proc/self/cgroup; for i in 1 2 3 4 5 6 7 8 9; do sleep 2 & done; wait";
        let bundle = plain::bundle(&bench, "plain", &["sh", "-c", script]);
        bundle.edit(|spec| {
            spec["linux"]["resources"] =
                json!({ "pids": { "limit": 5 }, "memory": { "limit": 64 << 20 } });
            // A controller that systemd has no word for, and that a hybrid host has in version 2.
            if cgroup::mount_point("hugetlb").is_none() {
                spec["linux"]["resources"]["hugepageLimits"] =
                    json!([{ "pageSize": "2MB", "limit": 4_194_304 }]);
            }
        });
        let outcome = run(&bench).run();
        assert!(outcome.stderr.contains("can't fork"), "{outcome}");
        assert!(outcome.stdout.contains(".scope"), "{outcome}");
        assert_nothing_left(&bench);
        bundle.edit(|spec| spec["process"]["args"] = json!(["sh", "-c", "exec tail /dev/zero"]));
        let outcome = run(&bench).expect(137);
        assert!(outcome.stderr.contains("want of memory"), "{outcome}");
        assert_nothing_left(&bench);
    });
}
