//! `exec --user 1` is read as root (crun), as ids that a parser reads as 0 or setresuid(2) as "no change" can be
//! (CVE-2019-14287).

use integration::{Bench, Container, Runtime, plain};

#[test]
fn a_user_is_given_by_plain_numbers_only() {
    let bench = Bench::new();
    let container = Container::started(
        &bench,
        Runtime::Ours,
        &plain::bundle(&bench, "plain", &["sleep", "1000"]),
    );
    for user in ["1", "1:2", "1000:0"] {
        let outcome = container.exec_with(&["--user", user], &["id"]).expect(0);
        assert!(!outcome.stdout.contains("uid=0"), "{outcome}");
    }
    for user in [
        "",
        "+1",
        "-1",
        "0x1",
        "01",
        " 1",
        "1 ",
        "1:",
        ":1",
        "4294967295",
        "4294967296",
        "root",
        "worker",
    ] {
        let user = format!("--user={user}");
        let refused = container.exec_with(&[&user], &["id"]).expect(125);
        assert_eq!(refused.stdout, "");
        refused.one_line();
    }
    let named = container.exec_with(&["--user=root"], &["id"]).expect(125);
    assert!(named.one_line().contains("hint:"), "{named}");
}
