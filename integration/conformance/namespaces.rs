//! Namespaces: new ones, the runtime's own, and others' by their paths.

mod inside;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};

/// The specification's name of a type and the kernel's.
const TYPES: [(&str, &str); 8] = [
    ("mount", "mnt"),
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

fn kernel_name(kind: &str) -> &'static str {
    let pair = TYPES.iter().find(|(name, _)| *name == kind);
    pair.expect("a type of namespace").1
}

fn namespaces(spec: &mut Value) -> &mut Vec<Value> {
    spec["linux"]["namespaces"].as_array_mut().expect("a list")
}

/// Asks for a namespace of this kind, replacing what is there.
pub fn ask(spec: &mut Value, namespace: Value) {
    namespaces(spec).retain(|have| have["type"] != namespace["type"]);
    namespaces(spec).push(namespace);
}

pub fn leave_out(spec: &mut Value, kind: &str) {
    namespaces(spec).retain(|have| have["type"] != kind);
}

/// 1000 ids from 100000 on.
pub fn map_ids(spec: &mut Value) {
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
    spec["linux"]["uidMappings"] = map.clone();
    spec["linux"]["gidMappings"] = map;
}

fn inode(path: &str) -> Result<u64, String> {
    let data = fs::metadata(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(data.ino())
}

/// Whether the created container's namespace of this kind is the same as `other`'s.
fn is_shared(stage: &Stage, kind: &str, other: &str) -> Result<bool, String> {
    let name = kernel_name(kind);
    Ok(inode(&format!("/proc/{}/ns/{name}", stage.pid()?))? == inode(&format!("{other}/{name}"))?)
}

fn is_new(kind: &'static str) -> Case {
    Case::steps(kind, move |stage| {
        stage.edit(|spec| {
            ask(spec, json!({ "type": kind }));
            if kind == "user" {
                map_ids(spec);
            }
        });
        stage.create()?;
        ensure!(
            !is_shared(stage, kind, "/proc/self/ns")?,
            "it is the runtime's"
        );
        Ok(())
    })
}

#[test]
fn a_listed_one_is_new() {
    hold(&[
        is_new("mount"),
        is_new("pid"),
        is_new("network"),
        is_new("ipc"),
        is_new("uts"),
        is_new("user"),
        is_new("cgroup"),
        is_new("time")
            .but_runc("it doesn't know it")
            .but_crun("it doesn't know it"),
    ]);
}

#[test]
fn one_that_is_not_listed_is_the_runtimes() {
    let inherited = |kind: &'static str| {
        Case::steps(kind, move |stage| {
            stage.edit(|spec| {
                leave_out(spec, kind);
                if kind == "uts" {
                    spec.as_object_mut().expect("an object").remove("hostname");
                }
            });
            stage.create()?;
            ensure!(is_shared(stage, kind, "/proc/self/ns")?, "it is a new one");
            Ok(())
        })
    };
    hold(&[
        inherited("pid"),
        inherited("network"),
        inherited("ipc"),
        inherited("uts"),
        inherited("user"),
        inherited("cgroup"),
        inherited("time"),
    ]);
}

/// A process in new namespaces of all kinds but for mount and user, which ends with the test.
struct Neighbour(std::process::Child);

impl Neighbour {
    fn new() -> Self {
        let options = [
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--cgroup",
            "--time",
            "--fork",
            "--kill-child",
        ];
        let child = Command::new("unshare")
            .args(options)
            .args(["sleep", "100"])
            .spawn();
        let neighbour = Self(child.expect("run unshare"));
        integration::wait_until(
            "a child of unshare",
            std::time::Duration::from_secs(10),
            || neighbour.find_member().is_some(),
        );
        neighbour
    }

    fn find_member(&self) -> Option<String> {
        let pid = self.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let child = children.split(' ').next()?.trim().to_owned();
        let comm = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (comm.trim() == "sleep").then_some(child)
    }

    /// The directory of its namespaces.
    fn directory(&self) -> String {
        let member = self.find_member().expect("a member");
        format!("/proc/{member}/ns")
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn one_with_a_path_is_joined() {
    let joined = |kind: &'static str| {
        Case::steps(kind, move |stage| {
            let neighbour = Neighbour::new();
            let directory = neighbour.directory();
            let path = format!("{directory}/{}", kernel_name(kind));
            stage.edit(|spec| {
                ask(spec, json!({ "type": kind, "path": path }));
                if kind == "uts" {
                    spec.as_object_mut().expect("an object").remove("hostname");
                }
            });
            stage.create()?;
            ensure!(is_shared(stage, kind, &directory)?, "it isn't joined");
            stage.start()?;
            stage.wait_for("stopped")
        })
    };
    hold(&[
        Case::steps("an empty path is none", |stage| {
            stage.edit(|spec| ask(spec, json!({ "type": "ipc", "path": "" })));
            stage.create()?;
            ensure!(
                !is_shared(stage, "ipc", "/proc/self/ns")?,
                "it is the runtime's"
            );
            Ok(())
        })
        .but_crun("it wants to open it"),
        joined("pid"),
        joined("network"),
        joined("ipc"),
        joined("uts"),
        joined("cgroup"),
        joined("time")
            .but_runc("it doesn't know it")
            .but_crun("it doesn't know it"),
        Case::steps("a user namespace of another container", |stage| {
            let other = stage.another_id();
            stage.edit(|spec| {
                ask(spec, json!({ "type": "user" }));
                map_ids(spec);
                spec["process"]["args"] = json!(["sleep", "100"]);
            });
            let outcome = stage.create_with(&other, &[]);
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            let state = stage.tool().args(["state", &other]).run();
            let state: Value =
                serde_json::from_str(&state.stdout).map_err(|error| error.to_string())?;
            let directory = format!("/proc/{}/ns", state["pid"]);
            stage.edit(|spec| {
                ask(
                    spec,
                    json!({ "type": "user", "path": format!("{directory}/user") }),
                );
                let linux = spec["linux"].as_object_mut().expect("an object");
                linux.remove("uidMappings");
                linux.remove("gidMappings");
            });
            stage.create()?;
            ensure!(is_shared(stage, "user", &directory)?, "it isn't joined");
            Ok(())
        })
        .but_runc("it wants mappings all the same"),
    ]);
}

#[test]
fn what_can_not_be() {
    hold(&[
        Case::new("a path that isn't there")
            .spec(|spec| {
                ask(
                    spec,
                    json!({ "type": "network", "path": "/no/such/namespace" }),
                )
            })
            .refused("/no/such/namespace"),
        Case::new("a path to a namespace of another type")
            // The runtime's own, which it may enter: pid 1's root may not even look at, where the machine is a container.
            .spec(|spec| {
                ask(
                    spec,
                    json!({ "type": "network", "path": "/proc/self/ns/ipc" }),
                )
            })
            .refused("join net namespace /proc/self/ns/ipc"),
        Case::new("a path that is no namespace")
            .spec(|spec| ask(spec, json!({ "type": "network", "path": "/etc/passwd" })))
            .refused("/etc/passwd"),
        Case::new("a type that doesn't exist")
            .spec(|spec| ask(spec, json!({ "type": "weather" })))
            .refused("weather"),
        Case::new("the same type twice")
            .spec(|spec| namespaces(spec).push(json!({ "type": "network" })))
            .refused("more than once")
            .but_crun("it takes the last"),
        Case::new("a hostname without a namespace for it")
            .spec(|spec| leave_out(spec, "uts"))
            .refused("UTS"),
        Case::new("mappings without a user namespace")
            .spec(map_ids)
            .refused("user")
            .but_runc("it passes over them")
            .but_crun("it passes over them"),
        Case::new("offsets of time without a namespace for it")
            .spec(|spec| spec["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 5 } }))
            .refused("time")
            .but_runc("it doesn't know them")
            .but_crun("it doesn't know them"),
        Case::new("a network device that isn't there")
            .spec(|spec| spec["linux"]["netDevices"] = json!({ "nothere0": {} }))
            .refused("nothere0")
            .but_runc("it doesn't know them: 1.4 does")
            .but_crun("it doesn't know them"),
    ]);
}

/// C21: mounts of a container without a namespace for them would be made on the host.
#[test]
fn without_a_mount_namespace_the_host_keeps_its_mounts() {
    let before = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    hold(&[Case::steps(
        "the host's mounts are the same afterwards",
        |stage| -> Check {
            // The peers would leave theirs on the host.
            ensure!(stage.runtime == integration::Runtime::Ours, "not tried");
            stage.edit(|spec| leave_out(spec, "mount"));
            // Its options are set when libcontainer is done, and not on the host's.
            stage.add_mount("/sys/fs/cgroup", "cgroup", "cgroup", &["ro", "nosuid"]);
            stage.create()?;
            stage.start()?;
            stage.wait_for("stopped")?;
            stage.must("delete", &[])
        },
    )
    .but_runc("it leaves them")
    .but_crun("it leaves them")]);
    let after = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let place = integration::Bench::new();
    let own = place
        .path("")
        .parent()
        .expect("a directory")
        .join("opt-integration-");
    let own = own.display().to_string();
    // Other tests mount things of their own meanwhile.
    let left = after
        .lines()
        .filter(|line| !before.contains(*line) && !line.contains(&own));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0]);
}
