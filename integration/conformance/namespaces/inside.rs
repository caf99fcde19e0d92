//! What a container finds in its own namespaces.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::{ask, map_ids};
use crate::harness::{Case, ensure, ensure_eq, hold};

#[test]
fn what_is_inside() {
    hold(&[
        Case::new("pid: the command is the first").script("echo $$").prints("1"),
        Case::new("pid: it sees nobody else").script("ls /proc | grep -c '^[0-9]'").check(|_, outcome| {
            let seen: u32 = outcome.stdout.trim().parse().unwrap_or_default();
            ensure!((1..=4).contains(&seen), "{outcome}");
            Ok(())
        }),
        Case::new("network: a loopback that is up")
            .script("ip -o link show lo | grep -o 'LOOPBACK,UP'; ls /sys/class/net 2>/dev/null; grep -c : /proc/net/dev")
            .check(|_, outcome| {
                ensure!(outcome.stdout.contains("LOOPBACK,UP"), "{outcome}");
                Ok(())
            }),
        Case::new("network: nothing but the loopback").script("tail -n +3 /proc/net/dev | cut -d: -f1").prints("lo"),
        Case::new("uts: the hostname").spec(|spec| spec["hostname"] = json!("box")).script("hostname").prints("box"),
        Case::new("uts: the domain name")
            .spec(|spec| spec["domainname"] = json!("example"))
            .script("cat /proc/sys/kernel/domainname")
            .prints("example")
            .but_runc("it doesn't know it"),
        Case::new("uts: none of them is the runtime's")
            .spec(|spec| {
                spec.as_object_mut().expect("an object").remove("hostname");
            })
            .script("hostname")
            .check(|_, outcome| {
                let own = fs::read_to_string("/proc/sys/kernel/hostname").expect("read");
                ensure_eq!(outcome.stdout, own, "hostname");
                Ok(())
            }),
        Case::new("user: the mappings, all of them")
            .spec(|spec| {
                ask(spec, json!({ "type": "user" }));
                spec["linux"]["uidMappings"] = json!([
                    { "containerID": 0, "hostID": 100_000, "size": 10 },
                    { "containerID": 1000, "hostID": 200_000, "size": 5 },
                ]);
                spec["linux"]["gidMappings"] = json!([{ "containerID": 0, "hostID": 300_000, "size": 20 }]);
            })
            .script("cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '")
            .prints("0 100000 10\n 1000 200000 5\n 0 300000 20"),
        Case::new("user: without mappings there is the caller's own id")
            .spec(|spec| ask(spec, json!({ "type": "user" })))
            .script("tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map")
            .check(|_, outcome| {
                ensure_eq!(outcome.stdout, " 0 0 1\n 0 0 1\n", "maps");
                Ok(())
            })
            .but_runc("it refuses that"),
        Case::new("user: root inside is the mapped one outside")
            .spec(|spec| {
                ask(spec, json!({ "type": "user" }));
                map_ids(spec);
            })
            .bind("/mnt", &[])
            .prepare(|stage| {
                use std::os::unix::fs::{PermissionsExt, chown};
                fs::create_dir(stage.inside("/mnt")).expect("make a directory");
                let source = stage.source();
                chown(&source, Some(100_000), Some(100_000)).expect("chown");
                fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).expect("chmod");
            })
            .script("id -u; touch /mnt/new")
            .check(|stage, outcome| {
                ensure_eq!(outcome.stdout, "0\n", "{outcome}");
                let data = fs::metadata(stage.bench.path("source/new")).map_err(|error| error.to_string())?;
                ensure_eq!((data.uid(), data.gid()), (100_000, 100_000), "owner");
                Ok(())
            }),
        Case::new("cgroup: its own is the root")
            .spec(|spec| ask(spec, json!({ "type": "cgroup" })))
            .script("cut -d: -f3 /proc/self/cgroup | sort -u")
            .prints("/"),
        Case::new("time: offsets")
            .spec(|spec| {
                ask(spec, json!({ "type": "time" }));
                spec["linux"]["timeOffsets"] = json!({
                    "monotonic": { "secs": 100_000, "nanosecs": 5 },
                    "boottime": { "secs": 2_000_000_000 },
                });
            })
            .script("tr -s ' ' </proc/self/timens_offsets; cut -d. -f1 /proc/uptime")
            .check(|_, outcome| {
                let text: Vec<&str> = outcome.stdout.lines().collect();
                ensure!(text.len() == 3, "{outcome}");
                ensure_eq!(text[0], "monotonic 100000 5", "offset");
                ensure_eq!(text[1], "boottime 2000000000 0", "offset");
                ensure!(text[2].parse().is_ok_and(|up: u64| up > 2_000_000_000), "{outcome}");
                Ok(())
            })
            .but_runc("it doesn't know them")
            .but_crun("it doesn't know them"),
    ]);
}
