//! Files of a user's state: links, secrets, locks.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use integration::Bench;
use integration::forged::{Forged, ID, Victim, on};
use serde_json::json;

use super::ALICE;

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
                .refused("(os error 40)");
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
