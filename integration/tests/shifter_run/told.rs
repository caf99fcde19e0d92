//! What is told without running anything: `--dry-run`, `explain`, `config check`.

use integration::{Tool, shifter};
use serde_json::Value;

use crate::site::Site;

#[test]
fn a_dry_run_prints_a_bundle_that_keeps_the_promise() {
    let site = Site::new("");
    let outcome = site
        .shifter()
        .args(["-V/home/user:/mnt", "--dry-run", "sh", "-c", "exit 9"])
        .expect(0);
    site.assert_nothing_left(&outcome);
    let spec: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(spec["annotations"]["org.opt-runtime.sealed"], "shifter");
    assert_eq!(
        spec["process"]["args"],
        serde_json::json!(["sh", "-c", "exit 9"])
    );
    site.bench.directory("bundle/rootfs");
    site.bench.file("bundle/config.json", &outcome.stdout);
    let checked = site
        .bench
        .runtime()
        .args(["check", "--json"])
        .arg(site.path("bundle"))
        .expect(0);
    let report: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(
        report["rows"].as_array().map(Vec::len),
        Some(10),
        "{checked}"
    );
}

#[test]
fn an_explanation_has_a_reason_for_every_mount() {
    let site = Site::new("");
    let outcome = site
        .tool("explain", "1234:1234")
        .args(["--json", "--image=plain", "-V/home/user:/mnt", "true"])
        .expect(0);
    site.assert_nothing_left(&outcome);
    let explained: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let mounts = explained["mounts"].as_array().expect("mounts");
    let why = |path: &str| {
        let mut mounts = mounts.iter();
        let mount = mounts.find(|mount| mount["path"] == path).expect(path);
        mount["why"].as_str().expect("a reason").to_owned()
    };
    assert!(why("/mnt").contains("volume /home/user:/mnt of the user's"));
    assert!(why("/home").contains("siteFs of the site"));
    for mount in mounts {
        let why = mount["why"].as_str().expect("a reason");
        assert!(
            !why.is_empty() && !why.contains("gives no reason"),
            "{mount}"
        );
    }
}

/// The network, shared memory and name are the host's, and nothing bounds what the batch system doesn't.
#[test]
fn an_explanation_promises_no_more_than_there_is() {
    let site = Site::new("");
    let tool = site.tool("explain", "1234:1234");
    let outcome = tool.args(["--image=plain", "true"]).expect(0);
    for (name, says) in [
        ("own world", "only where it has namespaces of them"),
        ("bounded", "where they are set"),
    ] {
        let mut lines = outcome.stdout.lines();
        let line = lines.find(|line| line.trim().starts_with(name));
        let line = line.expect("a line of the promise");
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn a_check_of_the_configuration_ends_with_1_where_something_is_dangerous() {
    let site = Site::new("kmodBasePath=/x");
    let check = |code| {
        let tool = Tool::new(shifter()).args(["config", "check"]);
        tool.arg(site.path("udiRoot.conf")).expect(code)
    };
    let outcome = check(0);
    outcome.says("deprecated: kmodBasePath: is deprecated");
    assert!(!outcome.stdout.contains("dangerous"), "{outcome}");
    // A path of the caller's directory is as good as any.
    let relative = Tool::new(shifter()).args(["config", "check", "udiRoot.conf"]);
    relative.current_dir(&site.path("")).expect(0);
    site.configure("allowLocalChroot=1");
    check(1).says(":8: dangerous: allowLocalChroot: lets users");
    site.configure("nosuchkey=1");
    let outcome = check(125);
    let line = outcome.one_line();
    assert!(
        line.ends_with("udiRoot.conf:8: nosuchkey: unknown key"),
        "{line}"
    );
}

#[test]
fn help_and_version_are_told_without_a_site() {
    let help = Tool::new(shifter()).arg("--help").expect(0);
    help.says("--image").says("explain").says("config");
    Tool::new(shifter())
        .arg("--version")
        .expect(0)
        .says("shifter ");
}
