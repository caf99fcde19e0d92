//! What of the container a command is in: filter, namespaces, cgroup; its own bundle no more.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use integration::{Bench, Container, Runtime, wait_until};
use serde_json::{Value, json};

use super::{SOON, bundle, look};

/// A filter that gives mkdir(2) an errno that it never has otherwise.
fn no_mkdir() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{
            "names": ["mkdir", "mkdirat"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": libc::EXFULL,
        }],
    })
}

fn namespaces(report: &Value) -> Value {
    let mut namespaces = report["namespaces"].clone();
    // What children are made in; the pid and time namespaces themselves are compared.
    let map = namespaces.as_object_mut().expect("namespaces");
    map.retain(|name, _| !name.ends_with("_for_children"));
    namespaces
}

/// The namespaces of the container's first process, as the host sees them.
fn own_namespaces(container: &Container<'_>) -> Value {
    let directory = format!("/proc/{}/ns", container.pid());
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    let link = |name| fs::read_link(Path::new(&directory).join(name)).expect("a namespace");
    names
        .map(|name| (name.to_owned(), link(name).display().to_string()))
        .into_iter()
        .map(|(name, link)| (name, Value::from(link)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// S1: libcontainer's exec loads no filter.
#[test]
fn the_filter_is_the_containers() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "filtered");
    bundle.edit(|spec| {
        spec["process"]["noNewPrivileges"] = json!(true);
        spec["linux"]["seccomp"] = no_mkdir();
    });
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let report = look(&container, &[]);
    assert_eq!(report["status"]["Seccomp"], "2");
    assert_eq!(report["status"]["NoNewPrivs"], "1");
    let refused = container.shell("mkdir /tmp/new");
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(!bundle.rootfs().join("tmp/new").exists());
}

/// S2: libcontainer's exec stays in the host's user namespace.
#[test]
fn every_namespace_is_joined_the_user_namespace_too() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "mapped");
    bundle.edit(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
        for kind in ["user", "cgroup", "time"] {
            namespaces.push(json!({ "type": kind }));
        }
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
        spec["linux"]["uidMappings"] = map.clone();
        spec["linux"]["gidMappings"] = map;
    });
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let report = look(&container, &[]);
    assert_eq!(namespaces(&report), own_namespaces(&container));
    assert_eq!(report["ids"]["uid"], 0);
    let map = report["ids"]["uid_map"][0].as_str().expect("a map");
    assert!(map.contains("100000"), "{map}");
    let mut running = container.exec(&["sh", "-c", "echo ready; cat"]).start();
    running.wait_for("ready");
    wait_until("a process of uid 100000 on the host", SOON, || {
        pids_of("cat").iter().any(|pid| {
            fs::metadata(format!("/proc/{pid}")).is_ok_and(|process| process.uid() == 100_000)
        })
    });
    running.finish();
}

/// The processes whose command is `name`, wherever.
fn pids_of(name: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_it = |pid: &i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/comm"));
        text.is_ok_and(|text| text.trim() == name)
    };
    pids.filter(is_it).collect()
}

/// The bundle may be changed or gone: what the container was created from is kept.
#[test]
fn the_bundle_is_not_read_again() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "plain");
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    bundle.edit(|spec| spec["process"]["env"] = json!(["PATH=/bin", "CHANGED=1"]));
    let report = look(&container, &[]);
    assert_eq!(report["environment"], json!(["PATH=/bin", "HOME=/root"]));
    fs::remove_file(bundle.directory.join("config.json")).expect("remove");
    container.exec(&["true"]).expect(0);
}

#[test]
fn the_command_is_in_the_containers_cgroup() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    let first = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("read");
    let seen = look(&container, &[]);
    let lines = seen["cgroup"].as_array().expect("lines");
    for line in first.lines().filter(|line| line.contains(&container.id)) {
        assert!(lines.contains(&line.into()), "{line} is not in {lines:?}");
    }
    assert!(first.contains(&container.id), "{first}");
}
