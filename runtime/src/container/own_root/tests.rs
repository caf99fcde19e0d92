use serde_json::{Value, json};

use super::*;

fn spec(changed: impl FnOnce(&mut Value)) -> Spec {
    let mut spec = json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs", "readonly": true },
        "process": { "cwd": "/", "user": { "uid": 0, "gid": 0 }, "args": ["true"] },
        "hostname": "inside",
        "hooks": {},
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "ro"] },
        ],
        "linux": {
            "namespaces": [
                { "type": "mount" }, { "type": "uts" }, { "type": "network" }, { "type": "pid" },
            ],
            "sysctl": { "net.ipv4.ip_forward": "1" },
            "maskedPaths": ["/proc/kcore"],
            "readonlyPaths": ["/proc/sys"],
        },
    });
    changed(&mut spec);
    serde_json::from_value(spec).unwrap()
}

fn asked() -> Asked<'static> {
    Asked {
        rootfs: Path::new("/rootfs"),
        is_held: true,
        makes_working_directory: false,
        is_libcontainers: false,
    }
}

#[test]
fn what_is_made_here_is_left_to_nobody_else() {
    let mut given = spec(|_| {});
    let taken = OwnRoot::take(&mut given, asked()).unwrap();
    assert_eq!(
        (taken.mounts.len(), taken.parameters.len(), taken.is_held),
        (2, 1, true)
    );
    assert_eq!(taken.host_name.as_deref(), Some("inside"));
    assert_eq!(taken.masked_paths, ["/proc/kcore"]);
    assert_eq!(taken.read_only_paths, ["/proc/sys"]);
    assert!(taken.is_read_only && taken.has_network());
    let left = given.linux().as_ref().unwrap();
    assert!(given.mounts().is_none() && given.hostname().is_none() && given.hooks().is_none());
    assert!(left.masked_paths().is_none() && left.sysctl().is_none());
    let kinds: Vec<_> = left
        .namespaces()
        .iter()
        .flatten()
        .map(LinuxNamespace::typ)
        .collect();
    assert_eq!(kinds, [LinuxNamespaceType::Pid]);
}

#[test]
fn names_are_set_in_a_namespace_of_their_own_only_and_devices_are_made_where_they_may_be() {
    let taken = |change: fn(&mut Value)| OwnRoot::take(&mut spec(change), asked()).unwrap();
    let all = taken(|spec| spec["domainname"] = json!("site"));
    assert_eq!(all.domain_name.as_deref(), Some("site"));
    let hosts = taken(|spec| {
        spec["domainname"] = json!("site");
        spec["linux"]["namespaces"] = json!([{ "type": "mount" }]);
    });
    assert_eq!((hosts.host_name, hosts.domain_name), (None, None));
    let mapped = taken(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({ "type": "user" }));
    });
    assert!(mapped.binds_devices);
    assert_eq!(all.binds_devices, is_in_user_namespace());
}

/// What is asked for, and how.
type Change = (&'static str, fn(&mut Value));

#[test]
fn what_is_not_done_whole_here_is_libcontainers() {
    let changes: [Change; 14] = [
        ("a hook", |spec| {
            spec["hooks"]["startContainer"] = json!([{ "path": "/bin/true" }])
        }),
        ("a hook that libcontainer isn't to run", |spec| {
            spec["hooks"]["createContainer"] = json!([{ "path": "/bin/true" }])
        }),
        ("a mount namespace that is joined", |spec| {
            spec["linux"]["namespaces"][0]["path"] = json!("/proc/1/ns/mnt");
        }),
        ("no mount namespace", |spec| {
            spec["linux"]["namespaces"] = json!([])
        }),
        ("a shared root", |spec| {
            spec["linux"]["rootfsPropagation"] = json!("shared")
        }),
        ("an unbindable root", |spec| {
            spec["linux"]["rootfsPropagation"] = json!("unbindable")
        }),
        ("a label", |spec| spec["linux"]["mountLabel"] = json!("a:b")),
        ("a cgroup namespace that is joined", |spec| {
            let joined = json!({ "type": "cgroup", "path": "/proc/1/ns/cgroup" });
            let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(joined);
        }),
        ("a mount of no type", |spec| {
            let mounts = spec["mounts"].as_array_mut().unwrap();
            mounts.push(json!({ "destination": "/data", "source": "/srv" }));
        }),
        ("a parameter where procfs is another's", |spec| {
            spec["mounts"][0]["options"] = json!(["bind"]);
        }),
        ("a parameter where procfs is elsewhere", |spec| {
            spec["mounts"][0]["destination"] = json!("/elsewhere");
        }),
        ("a cgroup mount", |spec| {
            spec["mounts"][0]["type"] = json!("cgroup")
        }),
        ("a parameter without a procfs", |spec| {
            spec["mounts"] = json!([])
        }),
        ("a device of the network", |spec| {
            spec["linux"]["netDevices"] = json!({ "eth0": { "name": "eth1" } });
        }),
    ];
    for (what, change) in changes {
        let mut given = spec(change);
        let before = given.clone();
        assert!(OwnRoot::take(&mut given, asked()).is_none(), "{what}");
        assert_eq!(given, before, "{what}");
    }
    let others = Asked {
        is_libcontainers: true,
        ..asked()
    };
    assert!(OwnRoot::take(&mut spec(|_| {}), others).is_none());
}
