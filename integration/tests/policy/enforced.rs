//! `policy = "off"`, `"check"` and `"seal"` on what is run.

use std::fs;
use std::path::PathBuf;

use integration::{Bench, Bundle, Probe};
use serde_json::{Value, json};

use super::{assert_strict, like_podmans, seal, sealing};

#[test]
fn without_a_policy_a_bundle_runs_as_oci_says() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    for policy in [None, Some("off")] {
        let mut tool = bundle.run(&bench);
        if let Some(policy) = policy {
            tool = tool.args(["--policy", policy]);
        }
        let report = Probe::report(&tool.run());
        assert_eq!(report["ids"]["uid"], 0);
        assert_ne!(report["status"]["CapEff"], "0000000000000000");
    }
}

#[test]
fn seal_makes_a_foreign_bundle_strict() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let log = bench.path("log");
    let tool = bundle.run(&bench).arg("--policy").arg(sealing(&bench, ""));
    let report = Probe::report(&tool.arg("--log").arg(&log).run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);
    assert_eq!(report["ids"]["gid"], 65_533);
    assert_eq!(report["ids"]["groups"], json!([10]));
    let mounts = report["mounts"].to_string();
    assert!(!mounts.contains("/sys/fs/cgroup"), "{mounts}");
    let said = fs::read_to_string(&log).expect("a log");
    assert_eq!(said.lines().count(), 1, "{said}");
    for change in [
        "process.user.uid changed from root's to 65534",
        "process.capabilities emptied",
        "mount /sys/fs/cgroup removed",
        "mount /etc/hosts made nosuid",
        "linux.seccomp replaced",
    ] {
        assert!(said.contains(change), "{change}: {said}");
    }
}

#[test]
fn the_state_says_what_the_policy_did_and_a_bundle_can_not() {
    let bench = Bench::new();
    let id = format!("sealed-{}", std::process::id());
    let bundle = like_podmans(&bench, "plain");
    bundle.edit(|spec| {
        spec["annotations"] =
            json!({ "org.opt-runtime.policy": "seal (lies)", "org.opt-runtime.policy.changes": "x" });
    });
    for (policy, sealed) in [("off", false), ("seal", true)] {
        let file = match policy {
            "off" => PathBuf::from("off"),
            _ => sealing(&bench, ""),
        };
        let mut create = bundle.create(&bench, &id).arg("--policy").arg(file);
        let quiet = || fs::File::create("/dev/null").expect("open /dev/null");
        let status = create.command().stdout(quiet()).stderr(quiet()).status();
        assert!(status.expect("create").success());
        let state = bench.runtime().args(["state", &id]).expect(0).stdout;
        let state: Value = serde_json::from_str(&state).expect("JSON");
        let annotation = |key: &str| state["annotations"][key].as_str();
        assert_eq!(
            annotation("org.opt-runtime.sealed"),
            sealed.then_some("sealed")
        );
        let says = annotation("org.opt-runtime.policy").unwrap_or_default();
        assert_eq!(says.contains("site.toml"), sealed, "{says}");
        let changes = annotation("org.opt-runtime.policy.changes").unwrap_or_default();
        assert_eq!(
            changes.contains("process.capabilities emptied"),
            sealed,
            "{changes}"
        );
        bench.runtime().args(["delete", "--force", &id]).expect(0);
    }
}

/// An engine asks `exec` for the user and the capabilities that it asked the container for.
#[test]
fn exec_is_as_strict_as_the_container() {
    let bench = Bench::new();
    let id = format!("exec-{}", std::process::id());
    let bundle = like_podmans(&bench, "plain");
    bundle.edit(|spec| spec["process"]["args"] = json!(["/bin/sleep", "1000"]));
    let mut create = bundle.create(&bench, &id);
    create = create.arg("--policy").arg(sealing(&bench, ""));
    let quiet = || fs::File::create("/dev/null").expect("open /dev/null");
    let status = create.command().stdout(quiet()).stderr(quiet()).status();
    assert!(status.expect("create").success());
    bench.runtime().args(["start", &id]).expect(0);

    let exec = || bench.runtime().arg("exec");
    let report = Probe::report(&exec().args([&id, "/bin/probe", "look"]).run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);

    let mut process = bundle.spec()["process"].clone();
    process["args"] = json!(["/bin/probe", "look"]);
    let file = bench.file("process.json", process.to_string());
    let report = Probe::report(&exec().arg("--process").arg(&file).arg(&id).run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);
    assert_eq!(report["ids"]["groups"], json!([10]));
    let outcome = exec().args([
        "--user",
        "0:0",
        "--cap",
        "CAP_SYS_ADMIN",
        &id,
        "/bin/probe",
        "look",
    ]);
    let report = Probe::report(&outcome.run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);
    bench.runtime().args(["delete", "--force", &id]).expect(0);
}

#[test]
fn check_refuses_what_isnt_sealed_and_lets_run_what_is() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let outcome = bundle.run(&bench).args(["--policy", "check"]).run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    let line = outcome.one_line();
    for row in [
        "nobody: process.user.uid is 0 on the host",
        "no privilege",
        "none to gain",
        "setuid is dead",
        "few system calls",
        "no way back",
    ] {
        assert!(line.contains(row), "{row}: {line}");
    }
    let sealed = seal(&bench, &bundle, "sealed");
    let check = |bundle: &Bundle| bundle.run(&bench).args(["--policy", "check"]).run();
    assert_strict(&Probe::report(&check(&sealed)));
    // One that keeps the promise without saying so is held to it all the same.
    sealed.without_promise();
    assert_strict(&Probe::report(&check(&sealed)));
}
