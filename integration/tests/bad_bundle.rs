//! What is odd in a bundle and isn't refused, and what is in the way in its root file system. What is simply wrong is
//! in `bad_input/`; images that are made to mislead are in `../security`.

use std::fs;

use integration::{Bench, plain};
use serde_json::json;

#[test]
fn a_capability_that_nobody_knows_is_told_and_ignored() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.edit(|spec| spec["process"]["capabilities"] = json!({ "bounding": ["CAP_FOO"] }));
    let outcome = bundle.run(&bench).expect(0);
    assert!(outcome.stderr.contains("warning") && outcome.stderr.contains("CAP_FOO"));
}

#[test]
fn a_file_where_dev_must_be_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "file", &["true"]);
    let dev = bundle.rootfs().join("dev");
    fs::remove_dir_all(&dev).expect("remove");
    fs::write(&dev, "").expect("a file");
    bench.assert_refused(&bundle.run(&bench).run(), "/dev");
}

#[test]
fn a_working_directory_that_can_not_be_entered_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for directory in ["/bin/busybox", "/bin/busybox/below"] {
        bundle.edit(|spec| {
            spec["root"]["readonly"] = json!(true);
            spec["process"]["cwd"] = json!(directory);
        });
        bench.assert_refused(&bundle.run(&bench).run(), directory);
    }
}
