//! Containers of an ordinary user: a user namespace instead of root.

use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use integration::{Ordinary, Tool, host, wait_until};
use serde_json::{Value, json};

/// Nobody's uid on any host that tests run on; the kernel needs no account.
const USER: u32 = 54_321;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_single_mapping_needs_no_help() {
    let script = "id -u; cat /proc/self/uid_map; cat /proc/self/status; touch /made";
    let mine = Ordinary::new(USER, &["sh", "-c", script]);
    let outcome = mine.run().expect(0);
    outcome.says("0\n").says(&format!("{USER}          1"));
    for line in ["CapBnd:\t0000000000000000", "Groups:\t \n"] {
        assert!(outcome.stdout.contains(line), "no {line}: {outcome}");
    }
    let made = fs::metadata(mine.bundle.rootfs().join("made")).expect("the file");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), USER);
    mine.assert_nothing_left();
}

#[test]
fn an_id_may_stay_what_it_is() {
    let mine = Ordinary::new(USER, &["sh", "-c", "id -u; id -g"]);
    mine.map(json!([{ "containerID": USER, "hostID": USER, "size": 1 }]));
    mine.bundle
        .edit(|spec| spec["process"]["user"] = json!({ "uid": USER, "gid": USER }));
    let outcome = mine.run().expect(0);
    assert_eq!(outcome.stdout, format!("{USER}\n{USER}\n"));
    mine.assert_nothing_left();
}

#[test]
fn without_mappings_there_is_the_users_own_id() {
    let script = "id -u; tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map";
    let mine = Ordinary::new(USER, &["sh", "-c", script]);
    mine.bundle.edit(|spec| {
        let linux = spec["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    });
    let outcome = mine.run().expect(0);
    assert_eq!(outcome.stdout, format!("0\n 0 {USER} 1\n 0 {USER} 1\n"));
    mine.assert_nothing_left();
}

#[test]
fn mounts_are_finished_inside() {
    let mine = Ordinary::new(
        USER,
        &[
            "sh",
            "-c",
            "cat /filled/file; cat /proc/self/mountinfo; touch /filled/new",
        ],
    );
    let covered = mine.bundle.rootfs().join("filled");
    fs::create_dir(&covered).expect("a directory");
    fs::write(covered.join("file"), "content\n").expect("a file");
    mine.bundle.edit(|spec| {
        let mount = json!({
            "destination": "/filled", "type": "tmpfs", "source": "tmpfs",
            "options": ["tmpcopyup", "nosuid", "ro", "rprivate"],
        });
        spec["mounts"].as_array_mut().expect("mounts").push(mount);
    });
    let outcome = mine.run().expect(1);
    outcome.says("content\n");
    let line = outcome
        .stdout
        .lines()
        .find(|line| line.contains(" /filled "));
    assert!(line.expect("the mount").contains(" ro,nosuid"), "{outcome}");
    assert!(outcome.stderr.contains("Read-only"), "{outcome}");
}

#[test]
fn the_whole_life_of_a_container() {
    let mine = Ordinary::new(USER, &["sleep", "1000"]);
    mine.create(&[], "one");
    assert_eq!(mine.status("one"), "created");
    mine.runtime().args(["start", "one"]).expect(0);
    assert_eq!(mine.status("one"), "running");
    mine.runtime().args(["delete", "one"]).expect(1);
    mine.runtime().args(["kill", "one", "KILL"]).expect(0);
    wait_until("it stops", SOON, || mine.status("one") == "stopped");
    mine.runtime().args(["delete", "one"]).expect(0);
    mine.assert_nothing_left();
}

#[test]
fn what_a_user_can_not_have_is_refused_by_name() {
    let mine = Ordinary::new(USER, &["true"]);
    let whole = mine.bundle.spec();
    let refused = |says: &str, change: &dyn Fn(&mut Value)| {
        mine.bundle.set_spec(&whole).edit(|spec| change(spec));
        let outcome = mine.run().expect(125);
        assert!(
            outcome.one_line().contains(says),
            "no \"{says}\": {outcome}"
        );
        mine.assert_nothing_left();
    };
    refused("user namespace", &|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut();
        namespaces
            .expect("namespaces")
            .retain(|namespace| namespace["type"] != "user");
        let linux = spec["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
    });
    refused("the container has no cgroup for it", &|spec| {
        spec["linux"]["resources"] = json!({ "pids": { "limit": 7 } });
    });
    refused("process.user.uid 7", &|spec| {
        spec["process"]["user"] = json!({ "uid": 7, "gid": 0 });
    });
    // Without an account he has no range of other ids.
    refused("newuidmap", &|spec| {
        let two = json!([
            { "containerID": 0, "hostID": USER, "size": 1 },
            { "containerID": 1, "hostID": 200_000, "size": 10 },
        ]);
        spec["linux"]["uidMappings"] = two.clone();
        spec["linux"]["gidMappings"] = two;
    });
}

/// An account with a range of other ids, gone when this is dropped.
struct Account {
    name: String,
    uid: u32,
    first: u32,
}

/// useradd(8) and userdel(8) don't wait for each other.
static CHANGING: Mutex<()> = Mutex::new(());

impl Account {
    fn new(mark: &str) -> Self {
        let name = format!("opt-test-{mark}-{}", std::process::id());
        let is_alone = CHANGING.lock().expect("the lock");
        Tool::new("useradd")
            .args(["--no-create-home", "--shell", "/bin/false", &name])
            .expect(0);
        drop(is_alone);
        let uid = Tool::new("id").args(["-u", &name]).expect(0);
        let ranges = fs::read_to_string("/etc/subuid").expect("/etc/subuid");
        let own = ranges
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:")));
        let first = own.and_then(|range| range.split(':').next()?.parse().ok());
        Self {
            uid: uid.stdout.trim().parse().expect("a uid"),
            first: first.expect("useradd gives a range in /etc/subuid"),
            name,
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _alone = CHANGING.lock();
        let _ = Tool::new("userdel").arg(&self.name).run();
    }
}

#[test]
fn ranges_of_ids_come_from_newuidmap() {
    integration::require_program("/usr/bin/newuidmap", "uidmap");
    let account = Account::new("ranges");
    let mine = Ordinary::new(account.uid, &["sh", "-c", "id; touch /tmp/made"]);
    mine.map(json!([
        { "containerID": 0, "hostID": account.uid, "size": 1 },
        { "containerID": 1, "hostID": account.first, "size": 100 },
    ]));
    let tmp = mine.bundle.rootfs().join("tmp");
    fs::set_permissions(&tmp, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).expect("chmod");
    mine.bundle.edit(|spec| {
        spec["process"]["user"] = json!({ "uid": 5, "gid": 6, "additionalGids": [7, 8] });
    });
    let outcome = mine.run().expect(0);
    outcome.says("uid=5").says("groups=7,8");
    let made = fs::metadata(tmp.join("made")).expect("the file");
    assert_eq!(
        std::os::unix::fs::MetadataExt::uid(&made),
        account.first + 4
    );
    mine.assert_nothing_left();
}

/// Whoever has newuidmap(1) map them may give them up, and libcontainer doesn't where the bundle lists none.
#[test]
fn no_group_of_the_users_comes_along() {
    integration::require_program("/usr/bin/newuidmap", "uidmap");
    let account = Account::new("groups");
    let mut mine = Ordinary::new(account.uid, &["cat", "/proc/self/status"]);
    mine.groups = vec![54_331, 54_332];
    mine.map(json!([
        { "containerID": 0, "hostID": account.uid, "size": 1 },
        { "containerID": 1, "hostID": account.first, "size": 100 },
    ]));
    mine.run().expect(0).says("\nGroups:\t \n");
    mine.assert_nothing_left();
}

/// The namespaces of a process of the user's own: only from inside of its user namespace may a user enter the others.
#[test]
fn a_network_that_the_user_made_is_joined_and_not_the_hosts() {
    let uid = USER.to_string();
    let ids = ["--reuid", &uid, "--regid", &uid, "--clear-groups"];
    let keeper = [
        "unshare",
        "--map-root-user",
        "--net",
        "--uts",
        "sleep",
        "100",
    ];
    let mut keeper = Command::new("setpriv")
        .args(ids)
        .args(keeper)
        .spawn()
        .expect("run setpriv");
    let path = |kind: &str| format!("/proc/{}/ns/{kind}", keeper.id());
    let namespace = |path: &str| fs::read_link(path).expect("a namespace");
    wait_until("namespaces", SOON, || {
        let comm = fs::read_to_string(format!("/proc/{}/comm", keeper.id()));
        comm.is_ok_and(|comm| comm == "sleep\n")
    });
    let theirs = namespace(&path("net"));
    let mine = Ordinary::new(USER, &["busybox", "readlink", "/proc/self/ns/net"]);
    mine.bundle.edit(|spec| {
        let spec = spec.as_object_mut().expect("an object");
        spec.remove("hostname");
        let linux = spec["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
        linux["namespaces"] = json!([
            { "type": "user", "path": path("user") }, { "type": "network", "path": path("net") },
            { "type": "uts", "path": path("uts") }, { "type": "mount" }, { "type": "pid" },
        ]);
    });
    let outcome = mine.run().run();
    keeper.kill().expect("kill");
    keeper.wait().expect("wait");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(outcome.stdout.trim(), theirs.to_string_lossy(), "{outcome}");
    assert_ne!(theirs, namespace("/proc/self/ns/net"));
    mine.assert_nothing_left();
}

/// Takes the pid namespace away, in which the kernel would end all processes with the first; the host's `/proc`
/// comes in, for no other can be mounted then.
fn share_pids(spec: &mut Value) {
    let namespaces = spec["linux"]["namespaces"].as_array_mut();
    namespaces
        .expect("namespaces")
        .retain(|namespace| namespace["type"] != "pid");
    spec["mounts"][0] = json!({
        "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind", "nosuid", "nodev"],
    });
}

/// The processes that sleep for so many seconds, which no others do.
fn sleepers(seconds: u32) -> Vec<String> {
    let words = format!(" {seconds} ");
    host::processes(|line| line.contains("sleep") && format!("{line} ").contains(&words))
}

#[test]
fn what_a_command_leaves_running_ends_with_it() {
    let seconds = 400_000 + std::process::id();
    // One beside the command, two whose parent is gone, and one that makes others.
    let script = format!(
        "{{ sleep {seconds} & (sleep {seconds} & sleep {seconds} &); \
         (while true; do sleep {seconds}; done) & sleep 0.3; }} >/dev/null 2>&1 </dev/null; echo done"
    );
    for keep in [&[][..], &["--keep"]] {
        let mine = Ordinary::new(USER, &["sh", "-c", &script]);
        mine.bundle.edit(share_pids);
        let run = mine.runtime().arg("run").args(keep).arg("--bundle");
        run.arg(&mine.bundle.directory)
            .arg("left")
            .expect(0)
            .says("done");
        let left = sleepers(seconds);
        assert!(left.is_empty(), "{keep:?} leaves {left:?}");
        mine.runtime().args(["delete", "--force", "left"]).expect(0);
        mine.assert_nothing_left();
    }
}

/// A daemon that a hook starts is none of the container's processes, though this run is its parent by then.
#[test]
fn a_hooks_daemon_stays() {
    let seconds = 500_000 + std::process::id();
    let mine = Ordinary::new(
        USER,
        &["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo done"],
    );
    mine.bundle.edit(share_pids);
    mine.bundle.edit(|spec| {
        let script = format!("sleep {seconds} </dev/null >/dev/null 2>&1 &");
        spec["hooks"]["poststart"] = json!([{ "path": "/bin/sh", "args": ["sh", "-c", script] }]);
    });
    mine.run().expect(0).says("done");
    let daemons = sleepers(seconds);
    for daemon in &daemons {
        let pid = daemon.split(' ').next().expect("a pid");
        Tool::new("kill").arg(pid).expect(0);
    }
    assert_eq!(daemons.len(), 1, "{daemons:?}");
}
