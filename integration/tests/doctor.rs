//! `doctor`: what this host has is told, and what is missing fails only where nothing runs without it.

use integration::{Bench, Outcome, Tool};
use serde_json::Value;

fn findings(outcome: &Outcome) -> Vec<Value> {
    let told: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(told["fit"], outcome.code == Some(0), "{outcome}");
    told["findings"].as_array().expect("findings").clone()
}

#[track_caller]
fn verdict(findings: &[Value], name: &str) -> String {
    let found = findings.iter().find(|finding| finding["name"] == name);
    let verdict = &found.unwrap_or_else(|| panic!("no {name}"))["verdict"];
    verdict.as_str().expect("a verdict").to_owned()
}

/// What was found.
#[track_caller]
fn text(findings: &[Value], name: &str) -> String {
    let found = findings.iter().find(|finding| finding["name"] == name);
    let found = &found.unwrap_or_else(|| panic!("no {name}"))["found"];
    found.as_str().expect("a text").to_owned()
}

#[test]
fn a_host_that_runs_these_tests_is_fit() {
    let bench = Bench::new();
    let findings = findings(&bench.runtime().args(["doctor", "--json"]).expect(0));
    for name in [
        "kernel",
        "namespaces",
        "system call filters",
        "cgroups",
        "state directory",
    ] {
        assert_eq!(verdict(&findings, name), "ok", "{name}");
    }
    let table = bench.runtime().arg("doctor").expect(0).stdout;
    for finding in &findings {
        let name = finding["name"].as_str().expect("a name");
        let line = table.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name}: {table}"));
        assert!(
            line.contains(finding["found"].as_str().expect("a text")),
            "{line}"
        );
        let is_ok = finding["verdict"] == "ok";
        assert_eq!(finding["remedy"].is_null(), is_ok, "{finding}");
    }
    assert_eq!(bench.state_names(), [""; 0], "looking changes nothing");
}

/// `doctor` where `script` has taken something away, in a mount namespace of the test's own.
fn without(bench: &Bench, script: &str, more: &[&str]) -> Outcome {
    let doctor = bench.runtime().args(["doctor", "--json"]).args(more);
    doctor.after(script).run()
}

#[test]
fn what_is_missing_is_found() {
    let bench = Bench::new();
    let place = bench.path("");
    let place = place.display();
    let read_only = format!("mount -t tmpfs -o ro none {place}; cd /");
    let no_cgroups = "umount -R /sys/fs/cgroup || umount -l /sys/fs/cgroup";
    let no_fuse = "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3";
    for (script, name, wanted, code) in [
        (no_cgroups, "cgroups", "missing", 1),
        (&read_only, "state directory", "missing", 1),
        (no_fuse, "FUSE", "missing", 0),
    ] {
        let outcome = without(&bench, script, &["--directory", "/"]);
        assert_eq!(outcome.code, Some(code), "{outcome}");
        assert_eq!(verdict(&findings(&outcome), name), wanted, "{outcome}");
    }
    // Every kernel that these tests run on has some of the older formats, and says which.
    let outcome = without(&bench, "true", &["--directory", "/"]);
    let known = std::fs::read_to_string("/proc/filesystems").expect("file systems");
    let found = text(&findings(&outcome), "older image files");
    for format in ["ext4", "xfs", "cramfs"] {
        if known.lines().any(|line| line.trim() == format) {
            let (has, _) = found.split_once(';').unwrap_or((&found, ""));
            assert!(has.contains(format), "{found}");
        }
    }
    let programs = bench.directory("programs");
    let path = programs.to_str().expect("a path");
    for (name, verdict_then) in [("erofsfuse", "limited"), ("squashfuse_ll", "ok")] {
        bench.file(&format!("programs/{name}"), "");
        let doctor = bench
            .runtime()
            .args(["doctor", "--json", "--directory", "/"]);
        let outcome = doctor.env("PATH", path).run();
        let found = findings(&outcome);
        assert_eq!(
            verdict(&found, "users' image files"),
            verdict_then,
            "{outcome}"
        );
        assert!(
            text(&found, "users' image files").contains(name),
            "{outcome}"
        );
    }
    let outcome = without(&bench, "true", &["--policy", "/no/such/policy.toml"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(verdict(&findings(&outcome), "site policy"), "missing");
    let outcome = without(&bench, "true", &["--directory", "/proc"]);
    assert_eq!(verdict(&findings(&outcome), "mapped mounts"), "limited");
}

#[test]
fn who_is_not_root_is_told_what_he_can_do() {
    let bench = Bench::new();
    let program = bench.everybodys_runtime();
    let outcome = Tool::new("setpriv")
        .args(["--reuid", "54321", "--regid", "54321", "--clear-groups"])
        .arg(&program)
        .args(["doctor", "--json", "--directory", "/"])
        .current_dir(std::path::Path::new("/"))
        .run();
    let findings = findings(&outcome);
    assert_eq!(verdict(&findings, "privilege"), "limited");
    assert_eq!(verdict(&findings, "ranges of ids"), "limited");
}
