//! Without root, and without a cgroup namespace, the container's `/sys/fs/cgroup` is the user's own on the host, and can
//! be written to whatever its mount says.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::PathBuf;

use integration::{Bench, Ordinary, cgroup, host, plain};
use serde_json::{Value, json};

const USER: u32 = 54_325;

/// Tries to make a cgroup, and to move itself, in every hierarchy that it sees.
const SCRIPT: &str = "
    for place in /sys/fs/cgroup /sys/fs/cgroup/*; do
        (mkdir $place/made-by-hostile && echo WRITTEN $place) 2>/dev/null
        (echo 1 > $place/cgroup.procs && echo MOVED $place) 2>/dev/null
        (echo x > $place/release_agent && echo AGENT $place) 2>/dev/null
    done
    grep ' - cgroup' /proc/self/mountinfo";

/// Cgroups that are the user's, one in each hierarchy: without them there would be nothing to write to.
struct Given(Vec<PathBuf>);

impl Given {
    fn to(uid: u32) -> Self {
        let name = format!("test-given-{}", std::process::id());
        let mut given = Self(vec![]);
        for mount_point in cgroup::mount_points() {
            let directory = mount_point.join(&name);
            fs::create_dir(&directory).expect("make a cgroup");
            given.0.push(directory.clone());
            for file in ["", "cgroup.procs", "tasks"] {
                let _ = chown(directory.join(file), Some(uid), Some(uid));
            }
            for file in ["cpuset.cpus", "cpuset.mems"] {
                // A new one of version 1 is empty, and takes no process.
                if let Ok(all) = fs::read_to_string(mount_point.join(file)) {
                    fs::write(directory.join(file), all.trim()).expect("give processors");
                }
            }
        }
        given
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        for directory in &self.0 {
            for below in host::names_in(directory) {
                let _ = fs::remove_dir(directory.join(below));
            }
            let _ = fs::remove_dir(directory);
        }
    }
}

fn add_cgroup_mount(spec: &mut Value, has_namespace: bool) {
    let mounts = spec["mounts"].as_array_mut().expect("mounts");
    mounts.push(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid"],
    }));
    if has_namespace {
        let namespaces = spec["linux"]["namespaces"]
            .as_array_mut()
            .expect("namespaces");
        namespaces.push(json!({ "type": "cgroup" }));
    }
}

fn assert_nothing_written(what: &str, outcome: &integration::Outcome) {
    for word in ["WRITTEN", "MOVED", "AGENT"] {
        assert!(!outcome.stdout.contains(word), "{what}: {outcome}");
    }
    for line in outcome.stdout.lines() {
        let options = line.split(' ').nth(5).expect("options");
        assert!(options.starts_with("ro"), "{what}: {line}");
    }
}

#[test]
fn a_users_container_can_not_write_to_the_users_cgroups() {
    let mut user = Ordinary::new(USER, &["sh", "-c", SCRIPT]);
    let given = Given::to(USER);
    user.cgroups.clone_from(&given.0);
    symlink("busybox", user.bundle.rootfs().join("bin/mkdir")).expect("a link");
    symlink("busybox", user.bundle.rootfs().join("bin/grep")).expect("a link");
    fs::create_dir_all(user.bundle.rootfs().join("sys/fs/cgroup")).expect("a directory");
    let whole = user.bundle.spec();
    for has_namespace in [false, true] {
        let what = format!("a cgroup namespace: {has_namespace}");
        user.bundle
            .set_spec(&whole)
            .edit(|spec| add_cgroup_mount(spec, has_namespace));
        let outcome = user.run().run();
        if outcome.code != Some(0) {
            assert_eq!(outcome.code, Some(125), "{what}: {outcome}");
            outcome.one_line();
        }
        println!("{what}: {outcome}");
        assert_nothing_written(&what, &outcome);
        assert_eq!(
            host::cgroups_with("made-by-hostile"),
            [""; 0].map(PathBuf::from),
            "{what}"
        );
        user.assert_nothing_left();
    }
}

/// Root's containers have the same mount, and the same right to it.
#[test]
fn roots_container_without_privileges_can_not_write_to_its_cgroups() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sh", "-c", SCRIPT]);
    symlink("busybox", bundle.rootfs().join("bin/mkdir")).expect("a link");
    symlink("busybox", bundle.rootfs().join("bin/grep")).expect("a link");
    let whole = bundle.spec();
    for has_namespace in [false, true] {
        bundle
            .set_spec(&whole)
            .edit(|spec| add_cgroup_mount(spec, has_namespace));
        let outcome = bundle.run(&bench).expect(0);
        assert!(outcome.stdout.lines().count() > 0, "{outcome}");
        assert_nothing_written("root", &outcome);
        assert_eq!(
            host::cgroups_with("made-by-hostile"),
            [""; 0].map(PathBuf::from)
        );
    }
}
