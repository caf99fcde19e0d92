//! Shifter's black-box checks, on a site that is as it should be and on ones that aren't.

use integration::Outcome;
use serde_json::Value;

use crate::site::Site;

fn compat(site: &Site, options: &[&str], code: i32) -> Outcome {
    let outcome = site.tool("compat", "1234:1234").args(options).expect(code);
    site.assert_nothing_left(&outcome);
    outcome
}

fn rows(outcome: &Outcome) -> Vec<Value> {
    let rows: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    rows.as_array().expect("rows").clone()
}

/// The names of checks that fail.
fn failing(outcome: &Outcome) -> Vec<String> {
    let rows = rows(outcome);
    let failing = rows.iter().filter(|row| row["ok"] == false);
    failing
        .map(|row| row["check"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_site_is_what_a_shifter_site_is_and_differs_where_it_should() {
    let site = Site::new("module_m_siteEnv=A=1\ndefaultModules=m");
    let outcome = compat(&site, &["--image=id:plain", "--json"], 0);
    let of_kind = |kind: &str| {
        let rows = rows(&outcome);
        rows.iter().filter(|row| row["kind"] == kind).count()
    };
    assert_eq!(of_kind("upstream"), 8, "{outcome}");
    assert!(of_kind("documented") > 10, "{outcome}");
    let differences = rows(&outcome);
    for row in differences.iter().filter(|row| row["kind"] == "difference") {
        assert!(
            row["why"]
                .as_str()
                .is_some_and(|why| why.contains("Shifter")),
            "{row}"
        );
    }
    let table = compat(&site, &["--image=id:plain"], 0);
    table
        .says("CapBnd")
        .says("user:x:1234:1234:A User:/home/user:/bin/sh")
        .says("differs\n")
        .says("Differs from Shifter on purpose:\n--env=A=: Shifter refuses");
    assert!(!table.stdout.contains("FAILS"), "{table}");
}

#[test]
fn what_a_site_breaks_fails_and_is_told() {
    // A file of the site's where containers have an empty one, and variables taken away.
    let site =
        Site::new("siteFs=@/data/file:/etc/shadow\nsiteEnvUnset=SHIFTER_IMAGE SHIFTER_COMPAT");
    let outcome = compat(&site, &["--image=id:plain", "--json"], 1);
    assert_eq!(
        failing(&outcome),
        ["/etc/shadow", "SHIFTER_IMAGE", "the caller's variables"],
        "{outcome}"
    );
    let table = compat(&site, &["--image=id:plain"], 1);
    let line = table
        .stdout
        .lines()
        .find(|line| line.starts_with("/etc/shadow "));
    let line = line.expect("the line");
    assert!(
        line.ends_with("FAILS") && line.contains("nothing"),
        "{table}"
    );
}

/// The site's own files say something else of the user than the host does.
#[test]
fn a_user_whom_the_site_has_otherwise_than_the_host_is_told() {
    let site = Site::new("");
    let line = "nobody:x:65534:65534:Someone else:/:/bin/sh";
    site.file("etc/passwd", &format!("{line}\n"));
    let outcome = site
        .tool("compat", "nobody")
        .args(["--image=id:plain", "--json"])
        .expect(1);
    assert_eq!(failing(&outcome), ["the user's line in /etc/passwd"]);
    let rows = rows(&outcome);
    assert!(rows.iter().any(|row| row["got"] == line), "{outcome}");
}

#[test]
fn what_cannot_be_looked_at_is_125() {
    let site = Site::new("");
    let refused = |options: &[&str], says: &str| {
        let outcome = compat(&site, options, 125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
    };
    refused(&["--image=id:nosuch"], "there is no image nosuch");
    refused(&[], "no image is named");
    site.describe("other", "FORMAT: VFS\n");
    site.bench.directory("images/other./data");
    refused(
        &["--image=id:other"],
        "a container of id:other can't be looked at",
    );
    site.configure("nosuchkey=1");
    refused(&["--image=id:plain"], "unknown key");
}
