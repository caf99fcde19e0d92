//! A file that is opened by name in a directory of somebody else's is a link there (containerd's log of a restored
//! container). Root's runtime writes its state and its pid file; of the state, `tests/foreign_state/`.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use integration::{Bench, plain};

const USER: u32 = 54_327;

#[test]
fn a_pid_file_takes_the_place_of_a_link() {
    let bench = Bench::new();
    let marker = bench.file("marker", "unchanged");
    let users = bench.directory("users");
    chown(&users, Some(USER), Some(USER)).expect("chown");
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let pid_file = users.join("pid");
    symlink(&marker, &pid_file).expect("a link");
    bundle
        .run(&bench)
        .arg("--pid-file")
        .arg(&pid_file)
        .expect(0);
    assert_eq!(
        fs::read_to_string(&marker).expect("the marker"),
        "unchanged"
    );
    let written = fs::read_to_string(&pid_file).expect("the pid file");
    assert!(written.parse::<u32>().is_ok(), "{written}");
    assert!(
        fs::symlink_metadata(&pid_file)
            .expect("it is there")
            .is_file()
    );
}

/// The container's own state, where a directory of a user's is given for it, is refused or not followed.
#[test]
fn a_container_whose_directory_is_a_link_is_not_made() {
    let bench = Bench::new();
    let marker = bench.directory("marker");
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    fs::create_dir(bench.root()).expect("a directory");
    symlink(&marker, bench.root().join("linked")).expect("a link");
    let outcome = bundle.create(&bench, "linked").run();
    assert_ne!(outcome.code, Some(0), "{outcome}");
    outcome.one_line();
    assert_eq!(integration::host::names_in(&marker), [""; 0]);
    fs::remove_file(bench.root().join("linked")).expect("remove");
}
