//! One test for each check of a row that others stand in for: what it alone finds, by the words it finds it with.

use serde_json::json;

use super::processes::kept;
use super::*;
use crate::promise::spec_view::enforces;

/// What a row says of a spec.
fn found(spec: &Value, kind: Kind, row: &str) -> String {
    said(&check(&read(spec), kind), row)
}

/// What a row says of a process of that spec.
fn seen(spec: &Value, kind: Kind, row: &str, change: impl FnOnce(&mut Observed)) -> String {
    let mut seen = kept();
    change(&mut seen);
    said(&compare(&seen, &read(spec), kind), row)
}

fn said(report: &Report, row: &str) -> String {
    let broken = report.broken().find(|found| found.protection == row);
    broken.map_or_else(String::new, |found| found.broken.join("; "))
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = sealed();
    change(&mut spec);
    spec
}

#[test]
fn what_is_absent_breaks_every_row_that_needs_it() {
    for key in ["linux", "process"] {
        let without = changed(|spec| drop(spec.as_object_mut().unwrap().remove(key)));
        let says = found(&without, Kind::Sealed, "nobody");
        assert!(says.contains("is absent"), "{key}: {says}");
        let says = seen(&without, Kind::Sealed, "nobody", |_| {});
        assert!(says.contains("no identity"), "{key}: {says}");
    }
    let without = changed(|spec| drop(spec.as_object_mut().unwrap().remove("linux")));
    let says = found(&without, Kind::Sealed, "no way back");
    assert_eq!(says, "linux is absent");
}

#[test]
fn memory_is_bounded_where_a_limit_is_set() {
    let with = |limit: i64| {
        changed(|spec| spec["linux"]["resources"]["memory"] = json!({ "limit": limit }))
    };
    for (limit, held, is_kept) in [
        (4096, Some(4096), true),
        (4096, Some(1024), true),
        (4096, Some(8192), false),
        (4096, None, false),
        (-1, None, true),
        (0, Some(4096), true),
    ] {
        let says = seen(&with(limit), Kind::OptServer, "bounded", |seen| {
            seen.cgroup.memory = held;
        });
        assert_eq!(says.is_empty(), is_kept, "{limit} {held:?}: {says}");
    }
}

/// MPI copies between its tasks; nobody else's programs do.
#[test]
fn memory_of_other_processes_is_shifters_alone() {
    let profile = serde_json::to_value(seccomp::parallel().to_oci()).unwrap();
    let spec = changed(|spec| spec["linux"]["seccomp"] = profile);
    for (kind, is_kept) in [
        (Kind::Shifter, true),
        (Kind::Sealed, false),
        (Kind::OptServer, false),
    ] {
        let says = found(&spec, kind, "few system calls");
        assert_eq!(says.is_empty(), is_kept, "{kind:?}: {says}");
    }
}

#[test]
fn a_harmless_device_is_one_in_its_own_place() {
    let device = json!({ "path": "/dev/mine", "type": "c", "major": 1, "minor": 3 });
    let spec = changed(|spec| spec["linux"]["devices"] = json!([device]));
    let says = found(&spec, Kind::Sealed, "no devices");
    assert_eq!(says, "linux.devices adds /dev/mine");
}

#[test]
fn devices_work_in_the_runtimes_own_dev_and_nowhere_else() {
    // A tmpfs elsewhere is none, though its type is right.
    let spec = changed(|spec| spec["mounts"][3]["options"] = json!(["nosuid", "mode=1777"]));
    let says = found(&spec, Kind::Sealed, "no devices");
    assert!(says.contains("mounts[3] /tmp is not nodev"), "{says}");
    // A mask is no procfs, and a devpts is in /dev.
    type Change = fn(&mut Observed);
    let changes: [(&str, Change); 2] = [
        ("/proc/keys", |seen| {
            seen.mounts[5].file_system = "proc".into()
        }),
        ("/pts", |seen| {
            seen.mounts.push(MountPoint {
                path: "/pts".into(),
                file_system: "devpts".into(),
                ..seen.mounts[3].clone()
            });
        }),
    ];
    for (place, change) in changes {
        let says = seen(&sealed(), Kind::Sealed, "no devices", change);
        assert_eq!(says, format!("{place} is mounted without nodev"));
    }
}

/// Also where the spec itself says that it is root's.
#[test]
fn root_is_seen_whatever_the_spec_says() {
    let roots = changed(|spec| {
        spec["linux"]["uidMappings"] = json!([{ "containerID": 1, "hostID": 0, "size": 1 }]);
    });
    let says = seen(&roots, Kind::Sealed, "nobody", |seen| {
        seen.status.uid = [0; 4];
    });
    assert!(says.contains("uid is [0, 0, 0, 0]"), "{says}");
}

#[test]
fn a_variable_has_a_name() {
    let spec = changed(|spec| spec["process"]["env"] = json!(["=value"]));
    let says = found(&spec, Kind::Sealed, "nothing inherited");
    assert!(says.contains("is not NAME=value"), "{says}");
}

fn namespaces(spec: &mut Value) -> &mut Vec<Value> {
    spec["linux"]["namespaces"].as_array_mut().unwrap()
}

fn join(spec: &mut Value, kind: &str, path: &str) {
    let mut all = namespaces(spec).iter_mut();
    let namespace = all.find(|namespace| namespace["type"] == kind).unwrap();
    namespace["path"] = path.into();
}

fn except(spec: &mut Value, exception: &str) {
    spec["annotations"][format!("{EXCEPTION_ANNOTATION}{exception}")] = "why".into();
}

#[test]
fn tasks_share_pids_and_users_and_no_mounts() {
    let spec = changed(|spec| {
        spec["annotations"][KIND_ANNOTATION] = "shifter".into();
        except(spec, "shared-tasks");
        for (kind, path) in [("pid", "9"), ("user", "10"), ("mount", "11")] {
            join(spec, kind, &format!("/proc/self/fd/{path}"));
        }
    });
    let says = found(&spec, Kind::Shifter, "own world");
    assert_eq!(says, "linux.namespaces has no new mnt namespace");
}

/// Not root's either, whatever the ids are mapped to.
#[test]
fn namespaces_that_are_joined_are_not_roots() {
    let roots = changed(|spec| {
        spec["annotations"][KIND_ANNOTATION] = "shifter".into();
        except(spec, "shared-tasks");
        join(spec, "pid", "/proc/self/fd/9");
        join(spec, "user", "/proc/self/fd/10");
        spec["linux"]["uidMappings"] = json!([{ "containerID": 1, "hostID": 0, "size": 1 }]);
    });
    let says = seen(&roots, Kind::Shifter, "own world", |seen| {
        seen.joined = Some(JoinedNamespaces {
            owner: 0,
            pid_is_of_user: true,
            pid_is_below_ours: true,
        });
    });
    assert_eq!(says, "its user namespace is uid 0's, not its own user's");
}

/// An exception for the host's network is none for somebody else's.
#[test]
fn a_network_that_is_joined_is_not_the_hosts() {
    let hosts = changed(|spec| {
        except(spec, "host-network");
        namespaces(spec).retain(|namespace| namespace["type"] != "network");
    });
    assert_eq!(found(&hosts, Kind::OptServer, "own world"), "");
    let joined = changed(|spec| {
        except(spec, "host-network");
        join(spec, "network", "/run/netns/other");
    });
    let says = found(&joined, Kind::OptServer, "own world");
    assert_eq!(says, "linux.namespaces has no new net namespace");
}

#[test]
fn a_proc_is_procfs_at_its_place() {
    let moved = changed(|spec| spec["mounts"][0]["destination"] = "/proc2".into());
    let says = found(&moved, Kind::Sealed, "no way back");
    assert!(says.contains("/proc2 is a second proc"), "{says}");
    // Whatever its type says, with such an option it is a bind mount.
    let bound = changed(|spec| {
        spec["mounts"][0]["source"] = "/srv".into();
        spec["mounts"][0]["options"] = json!(["bind", "nosuid", "nodev", "noexec"]);
    });
    let says = found(&bound, Kind::Sealed, "no way back");
    assert_eq!(says, "mounts[0] /proc covers /proc");
    let says = seen(&sealed(), Kind::Sealed, "no way back", |seen| {
        seen.mounts[1].path = "/x".into();
    });
    assert!(says.contains("/x is / of a proc, where"), "{says}");
}

#[test]
fn a_sysfs_is_read_only_or_none() {
    let writable = changed(|spec| {
        spec["mounts"][4] = json!({
            "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "nodev"],
        });
    });
    let says = found(&writable, Kind::Sealed, "no way back");
    assert!(says.contains("/sys is a writable sysfs"), "{says}");
    // One that the spec doesn't know.
    for (options, is_kept) in [("ro", true), ("rw", false)] {
        let says = seen(&sealed(), Kind::Sealed, "no way back", |seen| {
            seen.mounts.push(MountPoint {
                path: "/kernel".into(),
                file_system: "sysfs".into(),
                options: format!("{options},nosuid,nodev"),
                ..MountPoint::default()
            });
        });
        assert_eq!(says.is_empty(), is_kept, "{options}: {says}");
    }
}

#[test]
fn a_part_of_the_hosts_sysfs_is_that_part_and_without_a_network_of_its_own() {
    let shows = |source: &str, has_network: bool| {
        changed(|spec| {
            spec["mounts"][4] = json!({
                "destination": "/sys/devices", "type": "bind", "source": source,
                "options": ["bind", "ro", "nosuid", "nodev", "noexec"],
            });
            namespaces(spec).retain(|namespace| has_network || namespace["type"] != "network");
        })
    };
    for (source, has_network, is_kept) in [
        ("/sys/devices", false, true),
        ("/sys/kernel/debug", false, false),
        ("/sys/devices", true, false),
    ] {
        let says = found(&shows(source, has_network), Kind::Shifter, "no way back");
        assert_eq!(says.is_empty(), is_kept, "{source} {has_network}: {says}");
    }
}

/// A part of procfs on itself is there only to be read-only, also where the bundle adds it to the list.
#[test]
fn a_read_only_path_is_read_only() {
    let spec = changed(|spec| {
        let listed = spec["linux"]["readonlyPaths"].as_array_mut().unwrap();
        listed.push("/proc/driver".into());
    });
    for (options, is_kept) in [("ro", true), ("rw", false)] {
        let says = seen(&spec, Kind::OptServer, "no way back", |seen| {
            seen.mounts.push(MountPoint {
                path: "/proc/driver".into(),
                root: "/driver".into(),
                file_system: "proc".into(),
                options: format!("{options},nosuid,nodev"),
                ..MountPoint::default()
            });
        });
        assert_eq!(says.is_empty(), is_kept, "{options}: {says}");
    }
}

#[test]
fn a_part_of_procfs_is_no_mask() {
    let says = seen(&sealed(), Kind::OptServer, "no way back", |seen| {
        seen.mounts[5].file_system = "proc".into();
        seen.mounts[5].root = "/keys".into();
    });
    assert!(says.contains("/proc/keys is not masked"), "{says}");
}

/// What was taken back for all that is below can't be given back for the mount alone.
#[test]
fn an_option_that_was_taken_back_below_holds_below_no_more() {
    let spec = |options: &str| {
        let options: Vec<&str> = options.split(' ').collect();
        read(&changed(|spec| {
            spec["mounts"][4]["options"] = json!(options)
        }))
    };
    for (options, is_enforced) in [
        ("rbind rnosuid", true),
        ("rbind rnosuid rsuid nosuid", false),
        ("rbind rnosuid suid nosuid", false),
        ("rbind rsuid rnosuid", true),
        ("bind rsuid nosuid", false),
        ("bind suid nosuid", true),
    ] {
        let spec = spec(options);
        let mount = &spec.mounts().as_ref().unwrap()[4];
        assert_eq!(enforces(mount, "nosuid"), is_enforced, "{options}");
    }
}
