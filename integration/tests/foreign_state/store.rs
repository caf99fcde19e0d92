//! Directories of state that several users share.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;

use integration::forged::{Forged, ID, Victim, on};
use integration::{Bench, Tool, plain};

use super::{ALICE, ANOTHER};

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
    let program = bench.everybodys_runtime();
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
