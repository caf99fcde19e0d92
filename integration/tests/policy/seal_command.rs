//! The command `seal`.

use std::fs;

use integration::{Bench, Bundle, Probe};
use serde_json::{Value, json};

use super::{assert_strict, like_podmans};

#[test]
fn seal_writes_a_new_bundle_and_says_what_changed() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let before = fs::read(bundle.directory.join("config.json")).expect("read");
    let into = |name: &str| {
        let tool = bench.runtime().arg("seal").arg(&bundle.directory);
        tool.arg("-o").arg(bench.path(name))
    };
    // What can't be decided for the caller is named, and nothing is written.
    let outcome = into("refused").run();
    bench.assert_refused(&outcome, "hint: --run-as");
    assert!(!bench.path("refused").exists());

    let text = into("one")
        .args(["--run-as", "65534:65533"])
        .expect(0)
        .stdout;
    assert!(text.contains("process.capabilities emptied\n"), "{text}");
    let json = into("two")
        .args(["--run-as", "65534:65533", "--json"])
        .expect(0);
    let told: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let changes: Vec<&str> = told["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), changes);
    let sealed = Bundle::at(bench.path("one"), &bench.path("one"));
    sealed.check(&bench).expect(0);
    assert_strict(&Probe::report(&sealed.run(&bench).run()));
    assert_eq!(sealed.spec()["root"]["path"], json!(bundle.rootfs()));

    let outcome = into("one").args(["--run-as", "65534:65533"]).run();
    bench.assert_refused(&outcome, "exists already");
    for wrong in ["0:0", "nobody", "1", "1:0", "-1:1"] {
        let outcome = into("three").arg(format!("--run-as={wrong}")).run();
        bench.assert_refused(&outcome, "UID:GID");
    }
    assert_eq!(
        fs::read(bundle.directory.join("config.json")).expect("read"),
        before
    );
    // Sealing what is sealed changes nothing.
    let again = bench
        .runtime()
        .arg("seal")
        .arg(bench.path("one"))
        .arg("-o")
        .arg(bench.path("four"));
    assert_eq!(again.expect(0).stdout, "");
}
