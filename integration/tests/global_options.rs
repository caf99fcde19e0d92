//! The options before the command: version, log and its formats, steps, and where they may stand.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use integration::{Bench, Outcome, Tool, opt_runtime, opt_server, plain, program};
use serde_json::Value;

/// The lines of a JSON log, each checked to be what engines read.
fn events(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).expect("a log");
    let event = |line: &str| -> Value {
        let event: Value = serde_json::from_str(line).expect("a line of JSON");
        let mut keys: Vec<_> = event.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["level", "msg", "time"], "{line}");
        event
    };
    text.lines().map(event).collect()
}

#[test]
fn the_version_is_what_docker_and_podman_read() {
    for flag in ["--version", "-v"] {
        let outcome = Tool::new(opt_runtime()).arg(flag).expect(0);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        // moby's parseRuntimeVersion: what is before and after "version", then "commit:".
        let (name, version) = lines[0].split_once("version").expect("a version");
        assert_eq!(name.trim(), "opt-runtime");
        assert_eq!(version.split('.').count(), 3, "{outcome}");
        assert!(lines[1].starts_with("commit: "), "{outcome}");
        assert!(lines[2].starts_with("spec: 1."), "{outcome}");
        assert_eq!(lines.len(), 3, "{outcome}");
    }
}

/// Whose rights it would have is for root to say, and not for a file's mode.
#[test]
fn a_program_that_is_setuid_does_nothing() {
    let bench = Bench::new();
    let refused = |original: &Path, words: &[&str]| {
        let copy = bench.path("setuid");
        program::copy([original], &copy);
        for mode in [0o4755, 0o2755] {
            fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).expect("chmod");
            let ids = ["--reuid=1234", "--regid=1234", "--clear-groups"];
            let tool = Tool::new("setpriv").args(ids).arg(&copy).args(words);
            tool.run().refused("is not meant to be setuid");
        }
    };
    let root = bench.root().display().to_string();
    for words in [&["list"][..], &["run", "x"], &["kill", "x", "KILL"]] {
        refused(&opt_runtime(), &[&["--root", &root], words].concat());
    }
    for words in [&["run", "--root", &root, "x"][..], &["check"]] {
        refused(&opt_server(), words);
    }
}

/// Commands that fail, each in its own way, and what they say.
fn failures(bench: &Bench, round: &str) -> Vec<(Tool, &'static str)> {
    let missing = plain::bundle(bench, &format!("missing-{round}"), &["/no/such/program"]);
    let refused = plain::bundle(bench, &format!("refused-{round}"), &["true"]);
    refused.edit(|spec| spec["process"]["cwd"] = "relative".into());
    vec![
        (bench.runtime().args(["state", "nope"]), "does not exist"),
        (
            bench.runtime().args(["kill", "nope", "9"]),
            "does not exist",
        ),
        (bench.runtime().args(["state", "a/b"]), "invalid"),
        (bench.runtime().args(["state", "--frob"]), "--frob"),
        (refused.create(bench, "refused"), "process.cwd"),
        (refused.run(bench), "process.cwd"),
        (missing.run(bench), "no such file or directory"),
    ]
}

#[test]
fn a_failed_command_logs_exactly_one_line() {
    let bench = Bench::new();
    let log = bench.path("log");
    for (tool, says) in failures(&bench, "json") {
        let outcome = tool.arg("--log").arg(&log).args(["--log-format", "json"]);
        let outcome = outcome.run();
        assert_ne!(outcome.code, Some(0), "{outcome}");
        let events = events(&log);
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["level"], "error");
        let message = events[0]["msg"].as_str().expect("a message");
        assert!(message.to_lowercase().contains(says), "{says}: {message}");
        let line = format!("opt-runtime: error: {message}");
        assert_eq!(outcome.one_line(), line, "{outcome}");
        fs::remove_file(&log).expect("remove the log");
    }
    for (tool, says) in failures(&bench, "text") {
        tool.arg("--log").arg(&log).run();
        let text = fs::read_to_string(&log).expect("a log");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.starts_with("time=\"") && text.contains(" level=error msg=\""),
            "{text}"
        );
        assert!(text.to_lowercase().contains(says), "{says}: {text}");
        fs::remove_file(&log).expect("remove the log");
    }
}

#[test]
fn a_log_is_appended_to_and_a_command_that_succeeds_adds_nothing() {
    let bench = Bench::new();
    let log = bench.file("log", "before\n");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.run(&bench).arg("--log").arg(&log).expect(0);
    assert_eq!(fs::read_to_string(&log).expect("a log"), "before\n");
    let state = |id: &str| -> Outcome {
        let tool = bench.runtime().args(["state", id]).arg("--log");
        tool.arg(&log).expect(1)
    };
    state("one");
    state("two");
    let text = fs::read_to_string(&log).expect("a log");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn a_log_that_can_not_be_opened_stops_everything() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["touch", "/ran"]);
    let directory = bench.directory("directory");
    for log in [bench.path("no/such/log"), directory] {
        let outcome = bundle.run(&bench).arg("--log").arg(&log).run();
        bench.assert_refused(&outcome, "open log");
        assert!(!bundle.rootfs().join("ran").exists());
    }
}

#[test]
fn debug_logs_the_steps_and_still_one_error() {
    let bench = Bench::new();
    let log = bench.path("log");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let json = ["--log-format", "json"];
    let tool = bundle.run(&bench).arg("--debug").arg("--log").arg(&log);
    let outcome = tool.args(json).expect(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    let steps = |wanted: &str| {
        let events = events(&log);
        events
            .iter()
            .filter(|event| event["level"] == wanted)
            .count()
    };
    assert!(steps("debug") > 4);
    assert_eq!(steps("error"), 0);
    // What the container's processes log would be written inside the container.
    assert!(
        !bundle
            .rootfs()
            .join(log.strip_prefix("/").expect("absolute"))
            .exists()
    );

    fs::remove_file(&log).expect("remove the log");
    bundle.edit(|spec| spec["process"]["args"] = serde_json::json!(["/nope"]));
    let tool = bundle.run(&bench).args(["--log-level", "debug", "--log"]);
    tool.arg(&log).args(json).expect(127);
    assert!(steps("debug") > 4);
    assert_eq!(steps("error"), 1);

    let outcome = bundle.run(&bench).arg("--debug").expect(127);
    assert!(outcome.stderr.lines().count() > 4, "{outcome}");
}

#[test]
fn options_may_stand_after_the_id() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["echo", "ran"]);
    let tool = Tool::new(opt_runtime()).args(["run", "later", "--bundle"]);
    let outcome = tool
        .arg(&bundle.directory)
        .arg("--root")
        .arg(bench.root())
        .expect(0);
    outcome.says("ran");
}
