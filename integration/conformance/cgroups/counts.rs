//! Limits on numbers of things: processes, huge pages, remote memory access; network classes; and what the
//! bundle names in version 2's own words.

use integration::cgroup::{Layout, layout, mount_point};
use serde_json::json;

use super::limit::{Held, Refused, Told, limit, refused};
use crate::harness::{Case, ensure, hold};

#[test]
fn processes() {
    let pids = |limit: i64| json!({ "pids": { "limit": limit } });
    hold(&[
        limit(
            "a number of processes",
            "pids.limit",
            pids(7),
            Held(&[("pids", "pids.max", "7")]),
            Held(&[("pids", "pids.max", "7")]),
        ),
        limit(
            "no limit, said aloud",
            "pids.limit",
            pids(-1),
            Held(&[("pids", "pids.max", "max")]),
            Held(&[("pids", "pids.max", "max")]),
        )
        .but_crun("it writes -1, which the kernel refuses"),
        limit(
            "zero is no limit, as with the peers",
            "pids.limit",
            pids(0),
            Held(&[("pids", "pids.max", "max")]),
            Held(&[("pids", "pids.max", "max")]),
        ),
        Case::new("one process too many can't be made")
            .spec(move |spec| spec["linux"]["resources"] = pids(5))
            .script("for i in 1 2 3 4 5 6 7 8; do sleep 3 & done; wait")
            .check(|_, outcome| {
                ensure!(outcome.stderr.contains("can't fork"), "{outcome}");
                Ok(())
            }),
    ]);
}

/// In a hybrid layout the controller may be version 2's.
fn huge_pages_held() -> (Told, bool) {
    let is_unified = layout() == Layout::Hybrid && mount_point("hugetlb").is_none();
    match is_unified || layout() == Layout::V2 {
        true => (
            Held(&[("hugetlb", "hugetlb.2MB.max", "4194304")]),
            layout() == Layout::Hybrid,
        ),
        false => (
            Held(&[("hugetlb", "hugetlb.2MB.limit_in_bytes", "4194304")]),
            false,
        ),
    }
}

#[test]
fn huge_pages() {
    let pages =
        |size: &str| json!({ "hugepageLimits": [{ "pageSize": size, "limit": 4_194_304 }] });
    let (held, is_hybrid) = huge_pages_held();
    let case = limit("huge pages", "hugepageLimits", pages("2MB"), held, held);
    hold(&[
        match is_hybrid {
            true => case.without_controls(
                "in version 2 beside version 1 they look for it in neither, or refuse all",
            ),
            false => case,
        },
        refused(
            "huge pages of a size that isn't",
            "hugepageLimits",
            pages("3MB"),
        ),
    ]);
}

#[test]
fn network() {
    hold(&[
        limit(
            "a class",
            "network.classID",
            json!({ "network": { "classID": 1_048_577 } }),
            Held(&[("net_cls", "net_cls.classid", "1048577")]),
            Refused("network.classID"),
        ),
        limit(
            "priorities",
            "network.priorities",
            json!({ "network": { "priorities": [{ "name": "lo", "priority": 3 }] } }),
            Held(&[("net_prio", "net_prio.ifpriomap", "lo 3")]),
            Refused("network.priorities"),
        ),
        refused(
            "a priority of an interface that isn't there",
            "network.priorities",
            json!({ "network": { "priorities": [{ "name": "none0", "priority": 3 }] } }),
        ),
    ]);
}

#[test]
fn remote_memory_access() {
    hold(&[refused(
        "of a device that isn't there, or on a host without the controller",
        "linux.resources.rdma",
        json!({ "rdma": { "none_0": { "hcaHandles": 3, "hcaObjects": 100 } } }),
    )]);
}

#[test]
fn files_of_version_2() {
    let unified = |file: &str, value: &str| json!({ "unified": { file: value } });
    let held = |name, file, value, files| {
        limit(
            name,
            "unified",
            unified(file, value),
            Refused("linux.resources.unified"),
            files,
        )
    };
    hold(&[
        held(
            "a file",
            "memory.high",
            "33554432",
            Held(&[("memory", "memory.high", "33554432")]),
        ),
        held(
            "a file of the cgroup itself",
            "cgroup.max.depth",
            "3",
            Held(&[("", "cgroup.max.depth", "3")]),
        ),
        refused(
            "a file that isn't there",
            "linux.resources.unified",
            unified("memory.nothing", "1"),
        ),
        refused(
            "a file of a controller that isn't there",
            "linux.resources.unified",
            unified("none.max", "1"),
        ),
        refused(
            "a file elsewhere",
            "linux.resources.unified",
            unified("../memory.max", "1"),
        ),
        refused(
            "a value that is none",
            "linux.resources.unified",
            unified("memory.high", "a lot"),
        ),
    ]);
}
