//! Hooks in a user's state.

use std::fs::{self};
use std::os::unix::fs::chown;
use std::time::Duration;

use integration::Bench;
use integration::forged::{Forged, ID, Victim};
use integration::terminal::Terminal;
use serde_json::json;

use super::{ALICE, NO_GROUP};

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
