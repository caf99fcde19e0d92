//! State that names another's process or cgroup.

use std::fs::{self};
use std::os::unix::fs::chown;
use std::time::Duration;

use integration::forged::{Forged, ID, Victim};
use integration::{Bench, Tool, plain, require_program};
use serde_json::{Value, json};

use super::ALICE;

#[test]
fn a_forged_pid_makes_root_signal_nobody() {
    let bench = Bench::new();
    let mut victim = Victim::roots();
    let forged = Forged::new(&bench, ALICE, &victim);
    forged.refused(&["kill", ID, "KILL"], "operation not permitted");
    forged.refused(&["delete", "--force", ID], "operation not permitted");
    assert!(victim.is_alive());
    // The same state, but root's own, is believed.
    let believed = Forged::new(&bench, 0, &victim);
    believed.runtime(&["kill", ID, "KILL"]).expect(0);
    assert!(victim.dies());
}

/// The attack as slurmstepd would carry it out, under the runtimes that Slurm's own examples name.
#[test]
fn the_same_attack_works_under_runc_and_crun() {
    for runtime in ["/usr/sbin/runc", "/usr/bin/crun"] {
        require_program(runtime, "runc crun");
        let bench = Bench::new();
        let mut victim = Victim::roots();
        let store = bench.directory("store");
        let bundle = plain::bundle(&bench, "bundle", &["sleep", "300"]);
        let with = |arguments: &[&str]| {
            // crun refuses a hybrid of cgroup versions, and makes directories where the second one was.
            let plain_v1 = "mount --make-rprivate / && if umount -l /sys/fs/cgroup/unified 2> /dev/null; \
                            then mount -t tmpfs tmpfs /sys/fs/cgroup/unified; fi; \
                            exec \"$@\" > /dev/null 2>&1 < /dev/null";
            Tool::new("unshare")
                .args(["-m", "sh", "-c", plain_v1, "sh", runtime, "--root"])
                .arg(&store)
                .args(arguments)
        };
        let directory = bundle.directory.to_string_lossy();
        with(&["create", "--bundle", &directory, ID]).expect(0);
        let (name, pid, start_time) = if runtime.ends_with("runc") {
            ("state.json", "init_process_pid", "init_process_start")
        } else {
            ("status", "pid", "process-start-time")
        };
        let file = store.join(ID).join(name);
        let genuine = fs::read(&file).expect("read the state");
        let mut state: Value = serde_json::from_slice(&genuine).expect("it is JSON");
        state[pid] = json!(victim.pid());
        state[start_time] = json!(victim.start_time());
        fs::write(&file, state.to_string()).expect("write the state");
        for path in [&store, &store.join(ID), &file] {
            chown(path, Some(ALICE), None).expect("chown");
        }
        with(&["kill", ID, "KILL"]).run();
        let died = victim.dies();
        fs::write(&file, genuine).expect("write the state");
        with(&["delete", "--force", ID]).expect(0);
        assert!(died, "{runtime}: nothing to guard against");
    }
}

#[test]
fn a_forged_cgroup_makes_root_signal_nobody_and_remove_nothing() {
    let bench = Bench::new();
    for owner in [ALICE, 0] {
        let (mut first, mut victim) = (Victim::of(owner), Victim::roots());
        let forged = Forged::new(&bench, owner, &first);
        // Any directory with such a file will do for a forger; root's is empty and would be removed.
        let fake = bench.directory(&format!("fake-{owner}"));
        fs::write(fake.join("cgroup.procs"), format!("{}\n", victim.pid())).expect("write");
        let roots = bench.directory(&format!("roots-{owner}"));
        forged.edit(|state| {
            let kind = json!({ "Controllers": ["pids"] });
            state["cgroup"]["places"] =
                json!([{ "kind": kind, "mount_point": "/", "directory": fake }]);
            state["cgroup"]["made"] = json!({ "own": [fake], "above": [roots] });
            state["has_pid_namespace"] = json!(false);
        });
        forged.runtime(&["kill", "--all", ID, "KILL"]).run();
        if owner == 0 {
            assert!(victim.dies(), "nothing to guard against");
        } else {
            std::thread::sleep(Duration::from_millis(200));
            assert!(victim.is_alive());
        }
        fs::remove_dir_all(&fake).expect("remove");
        forged.runtime(&["delete", "--force", ID]).expect(0);
        assert_eq!(roots.exists(), owner != 0, "owner {owner}");
        assert!(first.dies(), "the owner's own process is its to end");
    }
}
