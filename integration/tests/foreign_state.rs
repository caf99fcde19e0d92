//! Root meets containers whose state an ordinary user wrote: Slurm and engines call the runtime as root on
//! them. Whatever that state says, root must do no more with it than the user could have done alone.
//!
//! Each attack is first shown to work where the state is root's own, or under runc and crun: a test of an
//! attack that can't work would prove nothing.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use integration::forged::{Forged, ID, Victim, on};
use integration::terminal::Terminal;
use integration::{Bench, Tool, opt_runtime, plain, require_program};
use serde_json::{Value, json};

/// The ordinary user. No database knows it, so its group is nobody's.
const ALICE: u32 = 54_321;
const ANOTHER: u32 = 54_322;
const NO_GROUP: u32 = 65_534;

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
            // crun refuses a hybrid of cgroup versions.
            let plain_v1 = "mount --make-rprivate / && { umount -l /sys/fs/cgroup/unified || :; } 2> /dev/null; \
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

#[test]
fn hooks_in_a_users_state_run_as_that_user() {
    let bench = Bench::new();
    let mut process = Victim::of(ALICE);
    let forged = Forged::new(&bench, ALICE, &process);
    let told = bench.directory("told");
    chown(&told, Some(ALICE), None).expect("chown");
    let told = told.join("hook");
    let script = format!(
        "{{ id -u; id -g; id -G; pwd; grep ^Cap /proc/self/status; }} > {}",
        told.display()
    );
    forged.edit(|state| {
        let hook =
            json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin"] });
        state["hooks"] = json!({ "poststop": [hook] });
        state["bundle"] = json!("/nowhere");
    });
    forged.runtime(&["delete", "--force", ID]).expect(0);
    assert!(process.dies() && !forged.directory().exists());
    let text = fs::read_to_string(&told).expect("the hook ran");
    let mut lines = text.lines();
    let (user, group) = (ALICE.to_string(), NO_GROUP.to_string());
    for expected in [&user, &group, &group, "/"] {
        assert_eq!(lines.next(), Some(expected), "{text}");
    }
    for line in lines.filter(|line| !line.starts_with("CapBnd")) {
        assert!(line.ends_with("\t0000000000000000"), "{text}");
    }
}

/// With TIOCSTI a program types into its controlling terminal, and root's shell reads it afterwards.
#[test]
fn a_users_hook_has_no_part_in_roots_terminal() {
    for owner in [ALICE, 0] {
        let bench = Bench::new();
        let process = Victim::of(owner);
        let forged = Forged::new(&bench, owner, &process);
        let told = bench.directory("told");
        chown(&told, Some(owner), None).expect("chown");
        let told = told.join("hook");
        let script = format!(
            "if true < /dev/tty; then echo terminal; else echo none; fi > {}",
            told.display()
        );
        forged.edit(|state| {
            let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script] });
            state["hooks"] = json!({ "poststop": [hook] });
        });
        let terminal = Terminal::open();
        forged
            .runtime(&["delete", "--force", ID])
            .terminal(&terminal)
            .expect(0);
        let text = fs::read_to_string(&told).expect("the hook ran");
        let expected = if owner == 0 { "terminal\n" } else { "none\n" };
        assert_eq!(text, expected, "owner {owner}");
    }
}

#[test]
fn a_users_endless_hook_does_not_hold_root() {
    let bench = Bench::new();
    let process = Victim::of(ALICE);
    let forged = Forged::new(&bench, ALICE, &process);
    forged.edit(|state| {
        let endless = json!({ "path": "/bin/sleep", "args": ["sleep", "300"] });
        state["hooks"] = json!({ "poststop": [endless, endless, endless] });
    });
    let delete = forged.runtime(&["delete", "--force", ID]);
    let outcome = delete.limit(Duration::from_secs(25)).expect(0);
    assert!(outcome.stderr.contains("did not end within"), "{outcome}");
}

/// Root's own group memberships and the user's primary group, for a user that the machine knows.
#[test]
fn root_takes_on_the_owners_group() {
    let bench = Bench::new();
    let nobody = nix::unistd::User::from_name("nobody")
        .expect("look up")
        .expect("a user nobody");
    let process = Victim::of(nobody.uid.as_raw());
    let forged = Forged::new(&bench, nobody.uid.as_raw(), &process);
    let told = bench.directory("told");
    chown(&told, Some(nobody.uid.as_raw()), None).expect("chown");
    let told = told.join("hook");
    let script = format!("id -u > {0}; id -G >> {0}", told.display());
    forged.edit(|state| {
        let hook =
            json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin"] });
        state["hooks"] = json!({ "poststop": [hook] });
    });
    forged.runtime(&["delete", "--force", ID]).expect(0);
    let text = fs::read_to_string(&told).expect("the hook ran");
    assert_eq!(text, format!("{}\n{}\n", nobody.uid, nobody.gid));
}

#[test]
fn state_is_told_and_no_secret_with_it() {
    let bench = Bench::new();
    let victim = Victim::roots();
    let forged = Forged::new(&bench, ALICE, &victim);
    forged.runtime(&["state", ID]).expect(0).says("running");

    let secret = bench.file("secret", "\"root:$6$secret\"");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("chmod");
    for why in ["symbolic link", "permission denied", "no regular file"] {
        fs::remove_file(forged.state()).expect("remove");
        match why {
            "symbolic link" => symlink(&secret, forged.state()).expect("link"),
            "permission denied" => fs::hard_link(&secret, forged.state()).expect("link"),
            _ => make_fifo(&forged.state()),
        }
        for command in [["state", ID], ["start", ID], ["kill", ID], ["delete", ID]] {
            let outcome = forged.runtime(&command).run();
            outcome.refused(why);
            assert!(!outcome.stderr.contains("secret\""), "{outcome}");
            assert!(!outcome.stderr.contains("$6$"), "{outcome}");
        }
    }
    // Readable for all, so that only the owner gives it away.
    fs::remove_file(forged.state()).expect("remove");
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).expect("chmod");
    fs::hard_link(&secret, forged.state()).expect("link");
    forged.refused(&["state", ID], "belongs to uid 0");
    // A wreck is a wreck.
    forged.runtime(&["delete", "--force", ID]).expect(0);
    assert!(!forged.directory().exists() && secret.exists());
}

fn make_fifo(path: &Path) {
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
    nix::unistd::mkfifo(path, mode).expect("make a fifo");
}

#[test]
fn links_lead_root_nowhere() {
    let bench = Bench::new();
    let mut victim = Victim::roots();
    let roots = Forged::new(&bench, 0, &victim);

    // A directory of the user's that is a container of root's.
    let theirs = bench.directory("theirs");
    let link = theirs.join(ID);
    symlink(roots.directory(), &link).expect("link");
    // A store of the user's that is root's store.
    let store = bench.path("store");
    symlink(&roots.store, &store).expect("link");
    let with_slash = bench.path("store/");
    for path in [&theirs, &link, &store] {
        nix::unistd::fchownat(
            None,
            path,
            Some(ALICE.into()),
            None,
            nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .expect("chown");
    }
    for command in [
        &["state", ID][..],
        &["kill", ID, "KILL"],
        &["delete", "--force", ID],
    ] {
        on(&theirs, &bench)
            .args(command)
            .run()
            .refused("not a directory");
        for store in [&store, &with_slash] {
            on(store, &bench)
                .args(command)
                .run()
                .refused("symbolic links");
        }
    }
    assert!(victim.is_alive() && roots.directory().exists());
    // Root's own link to its store is as good as the store.
    let own = bench.path("own");
    symlink("store-of-0", &own).expect("link");
    on(&own, &bench)
        .args(["state", ID])
        .expect(0)
        .says("running");
}

/// Whoever can rename in the store can't have one of root's containers signalled for another.
#[test]
fn a_renamed_container_is_not_taken_for_another() {
    let bench = Bench::new();
    let mut victim = Victim::roots();
    let forged = Forged::new(&bench, 0, &victim);
    fs::rename(forged.directory(), forged.store.join("c2")).expect("rename");
    forged.refused(&["kill", "c2", "KILL"], "it is \"c1\"'s");
    assert!(victim.is_alive());
}

#[test]
fn in_a_store_for_everybody_each_container_is_its_owners() {
    let bench = Bench::new();
    let mut victim = Victim::roots();
    let forged = Forged::new(&bench, ALICE, &victim);
    chown(&forged.store, Some(0), Some(0)).expect("chown");
    fs::set_permissions(&forged.store, Permissions::from_mode(0o1777)).expect("chmod");
    // Litter, for its supervisor is gone; but not root's to sweep.
    forged.edit(|state| state["supervisor"] = state["creator"].clone());
    let bundle = plain::bundle(&bench, "roots", &["true"]);
    let run = ["run", "--bundle", &bundle.directory.to_string_lossy(), "r1"];
    forged.runtime(&run).expect(0);
    assert!(victim.is_alive() && forged.directory().exists());
    forged.refused(&["kill", ID, "KILL"], "operation not permitted");
    assert!(victim.is_alive());
}

#[test]
fn listing_trusts_no_path_in_a_users_state() {
    let bench = Bench::new();
    let process = Victim::of(ALICE);
    let forged = Forged::new(&bench, ALICE, &process);
    let fake = bench.directory("fake");
    // Nobody will ever write to it.
    make_fifo(&fake.join("freezer.state"));
    forged.edit(|state| {
        let kind = json!({ "Controllers": ["freezer"] });
        state["cgroup"]["places"] =
            json!([{ "kind": kind, "mount_point": "/", "directory": fake }]);
    });
    let list = forged.runtime(&["list", "--format", "json"]);
    let outcome = list.limit(Duration::from_secs(10)).expect(0);
    outcome.says(ID).says("\"running\"");
}

#[test]
fn root_makes_no_container_where_a_user_could_exchange_it() {
    let bench = Bench::new();
    let store = bench.directory("theirs");
    chown(&store, Some(ALICE), None).expect("chown");
    let bundle = plain::bundle(&bench, "roots", &["true"]);
    let run = ["run", "--bundle", &bundle.directory.to_string_lossy(), ID];
    on(&store, &bench)
        .args(run)
        .run()
        .refused("use state directory");
    assert_eq!(fs::read_dir(&store).expect("read").count(), 0);
}

#[test]
fn a_user_meets_anothers_container_as_a_closed_door() {
    let bench = Bench::new();
    // The build may be where only root can go.
    let program = bench.path("opt-runtime");
    fs::copy(opt_runtime(), &program).expect("copy the program");
    for owner in [0, ALICE] {
        let mut process = Victim::of(ANOTHER);
        let forged = Forged::new(&bench, owner, &process);
        // As careless as can be: everybody may read and write.
        fs::set_permissions(&forged.store, Permissions::from_mode(0o777)).expect("chmod");
        fs::set_permissions(forged.directory(), Permissions::from_mode(0o777)).expect("chmod");
        for entry in fs::read_dir(forged.directory()).expect("read").flatten() {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o666)).expect("chmod");
        }
        for command in [
            &["state", ID][..],
            &["kill", ID, "KILL"],
            &["delete", "--force", ID],
        ] {
            let mut tool = Tool::new(&program)
                .arg("--root")
                .arg(&forged.store)
                .args(command);
            tool.command().uid(ANOTHER).gid(ANOTHER);
            tool.run().refused("permission denied");
        }
        assert!(process.is_alive() && forged.directory().exists());
        // Nor does root trust its own where others could have written to it.
        if owner == 0 {
            forged.refused(&["kill", ID, "KILL"], "others than its owner");
            assert!(process.is_alive());
        }
    }
}

/// A user that keeps its container locked delays root, but not for ever.
#[test]
fn a_lock_that_is_never_let_go_does_not_hold_root() {
    let bench = Bench::new();
    let process = Victim::of(ALICE);
    let forged = Forged::new(&bench, ALICE, &process);
    let lock = fs::OpenOptions::new()
        .write(true)
        .open(forged.directory().join("lock"))
        .expect("open the lock");
    let whole = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(lock.as_raw_fd(), nix::fcntl::FcntlArg::F_SETLK(&whole)).expect("lock it");
    forged.refused(&["delete", "--force", ID], "held by another process");
}
