//! After everything else: what is on the host now and wasn't before the suite.
//!
//! `hack/test` runs this last, with `$OPT_SNAPSHOT` naming the output of `host-snapshot` from before.

use std::collections::BTreeSet;

#[test]
#[ignore = "needs $OPT_SNAPSHOT, from before the suite: hack/test runs it last"]
fn nothing_is_left_of_the_suite() {
    let file = std::env::var("OPT_SNAPSHOT").expect("OPT_SNAPSHOT names host-snapshot's output");
    let text = std::fs::read_to_string(&file).expect("read the snapshot");
    assert!(text.contains("mount / "), "{file} is no snapshot");
    let before: BTreeSet<&str> = text.lines().collect();
    let now = integration::host::snapshot();
    let added: Vec<_> = now
        .iter()
        .filter(|line| !before.contains(line.as_str()))
        .collect();
    assert!(added.is_empty(), "left by the suite: {added:#?}");
}

#[test]
fn the_snapshot_sees_what_a_run_could_leave() {
    let before = integration::host::snapshot();
    assert!(
        before.iter().any(|line| line.starts_with("mount / ")),
        "{before:?}"
    );
    let left = std::path::Path::new("/var/tmp/opt-integration-left");
    std::fs::create_dir_all(left).expect("make a directory");
    let now = integration::host::snapshot();
    std::fs::remove_dir(left).expect("remove it");
    assert!(now.contains("/var/tmp opt-integration-left"), "{now:?}");
}
