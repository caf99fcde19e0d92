//! The report on an execution: what it tells, and that it is there whole or not at all.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use integration::{Bench, Outcome, Probe, Tool, host, program, wait_until};
use serde_json::{Value, json};

/// `opt-server run` of busybox's shell with a report.
fn shell(bench: &Bench, report: &Path, script: &str) -> Tool {
    let project = bench.directory("project");
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    bench
        .serve(&project, &json!([command]))
        .arg("--report")
        .arg(report)
        .args(["busybox", "sh", "-c", script])
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the report")).expect("JSON")
}

#[test]
fn it_tells_who_ran_what_when_and_what_it_used() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let script =
        "dd if=/dev/zero bs=1M count=300 2>/dev/null | md5sum > sum; echo twelve byte; exit 7";
    let mut tool = shell(&bench, &path, script);
    tool = tool.env("IGNORED", "x");
    let outcome = tool.expect(7);
    let report = read(&path);
    assert_eq!(report["version"], 1);
    assert!(
        report["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("run-")),
        "{report}"
    );
    assert_eq!(report["command"], "busybox");
    assert_eq!(report["arguments"], json!(["sh", "-c", script]));
    assert_eq!(report["status"], "failed");
    assert_eq!(
        (&report["exit_code"], &report["signal"]),
        (&json!(7), &Value::Null)
    );
    assert_eq!(
        (&report["limit"], &report["message"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(report["output_bytes"], 12, "{outcome}");
    assert_eq!(report["output_truncated"], false);
    assert_eq!(report["denied_calls"], json!([]), "{report}");
    let number = |key: &str| {
        report[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {report}"))
    };
    let used = number("user_seconds") + number("system_seconds");
    assert!(used > 0.05 && used < 30.0, "{report}");
    assert!(number("wall_seconds") > 0.05, "{report}");
    assert!(used < number("wall_seconds") * 3.0, "{report}");
    assert!(number("peak_memory_bytes") > 500_000.0, "{report}");
    let time = |key: &str| report[key].as_str().expect("a time").to_owned();
    assert!(
        time("started") < time("ended") && time("ended").ends_with('Z'),
        "{report}"
    );
    let mode = fs::metadata(&path)
        .expect("the report")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    bench.assert_nothing_left_by(&outcome);
}

#[test]
fn the_callers_id_is_the_reports() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let project = bench.directory("project");
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let outcome = bench
        .serve(&project, &json!([command]))
        .arg("--report")
        .arg(&path)
        .args(["--execution-id", "e-17", "busybox", "true"])
        .expect(0);
    assert_eq!(read(&path)["id"], "e-17", "{outcome}");
    assert_eq!(read(&path)["status"], "ok");
}

/// mount three times, keyctl, clone3, socket(AF_INET), and a number that nobody knows.
#[cfg(target_arch = "x86_64")]
const CALLS: [&str; 9] = [
    "probe",
    "calls",
    "64:165:0",
    "64:165:1",
    "64:165:2",
    "64:250",
    "64:435",
    "64:41:2:1",
    "64:999",
];

#[test]
#[cfg(target_arch = "x86_64")]
fn refused_calls_are_told_with_their_rule_and_answered_as_ever() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let project = bench.directory("project");
    let command = Probe::on(&bench).command();
    let run = |with_report: bool| -> Outcome {
        let mut tool = bench.serve(&project, &json!([command]));
        if with_report {
            tool = tool.arg("--report").arg(&path);
        }
        tool.args(CALLS).expect(0)
    };
    let (plain, told) = (run(false), run(true));
    assert_eq!(plain.stdout, told.stdout, "{plain}\n{told}");
    let report = read(&path);
    let denied = report["denied_calls"].as_array().expect("a list");
    let find = |name: &str| {
        let found = denied.iter().find(|call| call["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {report}"))
    };
    assert_eq!(find("mount")["count"], 3, "{report}");
    for (name, errno, rule) in [
        ("mount", "EPERM", "mounts: "),
        ("keyctl", "EPERM", "kernel: keyrings"),
        ("clone3", "ENOSYS", "processes: "),
        ("socket", "EAFNOSUPPORT", "sockets: no network"),
        ("number 999", "ENOSYS", "default: "),
    ] {
        let call = find(name);
        assert_eq!(call["errno"], errno, "{call}");
        assert!(
            call["rule"].as_str().expect("a rule").starts_with(rule),
            "{call}"
        );
    }
    assert_eq!(report["status"], "ok");
}

#[test]
fn a_loop_of_refused_calls_is_counted_whole() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let project = bench.directory("project");
    let command = Probe::on(&bench).command();
    let mut tool = bench
        .serve(&project, &json!([command]))
        .arg("--report")
        .arg(&path);
    tool = tool.args(["probe", "refused", "12000"]);
    tool.expect(0).says("12000");
    let report = read(&path);
    let call = &report["denied_calls"][0];
    assert_eq!(
        (&call["name"], &call["count"]),
        (&json!("mount"), &json!(12_000)),
        "{report}"
    );
}

#[test]
fn a_command_that_never_starts_has_a_report_too() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let project = bench.directory("project");
    let broken = bench.path("broken");
    program::write(&broken, "\x7fELF but not really");
    let command = json!({ "name": "broken", "executable": "/usr/bin/nothere" });
    let outcome = bench
        .serve(&project, &json!([command]))
        .arg("--report")
        .arg(&path)
        .args(["broken", "x"])
        .expect(125);
    let report = read(&path);
    assert_eq!(report["status"], "not-started");
    assert_eq!(report["exit_code"], Value::Null);
    let message = report["message"].as_str().expect("a message");
    assert_eq!(outcome.one_line(), format!("opt-server: {message}"));
    assert!(message.contains("/usr/bin/nothere"), "{message}");
}

#[test]
fn being_stopped_is_told_apart_from_ending() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let mut running = shell(&bench, &path, "echo ready; sleep 60").start();
    running.wait_for("ready");
    running.signal(libc::SIGTERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(143), "{outcome}");
    let report = read(&path);
    assert_eq!(
        (&report["status"], &report["signal"]),
        (&json!("stopped"), &json!("SIGTERM"))
    );
}

#[test]
fn whichever_supervisor_is_killed_the_other_writes_the_report() {
    let bench = Bench::new();
    for is_guardian in [true, false] {
        let path = bench.path(&format!("report-{is_guardian}.json"));
        let mut running = shell(&bench, &path, "echo ready; sleep 60").start();
        running.wait_for("ready");
        assert!(!path.exists(), "a report before the end");
        if is_guardian {
            running.kill();
        } else {
            host::kill(host::child_of(running.pid()));
        }
        let within = std::time::Duration::from_secs(20);
        wait_until("the report", within, || path.exists());
        let report = read(&path);
        assert_eq!(report["status"], "stopped", "{report}");
        assert!(
            report["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("run-"))
        );
        wait_until("nothing left", within, || bench.state_names().is_empty());
    }
}

#[test]
fn a_report_that_could_not_be_written_is_refused_before_the_command_runs() {
    let bench = Bench::new();
    let elsewhere = bench.file("elsewhere", "untouched");
    let link = bench.path("link");
    symlink(&elsewhere, &link).expect("a link");
    let directory = bench.directory("directory");
    for (path, words) in [
        (bench.path("nothere/report.json"), "nothere"),
        (link, "no regular file"),
        (directory, "no regular file"),
        ("/proc/report.json".into(), "/proc"),
        ("/dev/null".into(), "no regular file"),
    ] {
        let outcome = shell(&bench, &path, "touch ran").run();
        bench.assert_refused(&outcome, words);
    }
    assert!(!bench.path("project/ran").exists());
    assert_eq!(fs::read_to_string(&elsewhere).expect("a file"), "untouched");
    // One that is there is replaced, and nothing else is left beside it.
    let path = bench.file("report.json", "old");
    shell(&bench, &path, "true").expect(0);
    assert_eq!(read(&path)["status"], "ok");
    let left = fs::read_dir(path.parent().expect("a directory")).expect("read");
    let names: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    let is_temporary = |name: &std::ffi::OsString| name.to_string_lossy().starts_with('.');
    assert!(!names.iter().any(is_temporary), "{names:?}");
}

#[test]
fn output_that_shares_a_file_stays_in_order() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let project = bench.directory("project");
    let config = bench.config(&json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }]));
    let script = "for n in 1 2 3 4 5 6 7 8; do echo out $n; echo err $n >&2; done";
    let line = format!(
        "exec {} run --root {} --config {} --report {} busybox sh -c '{script}' 2>&1",
        integration::opt_server().display(),
        bench.root().display(),
        config.display(),
        path.display(),
    );
    let outcome = Tool::new("sh")
        .args(["-c", &line])
        .current_dir(&project)
        .expect(0);
    let expected: String = (1..=8).map(|n| format!("out {n}\nerr {n}\n")).collect();
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn a_caller_that_stops_reading_ends_the_command_as_without_a_report() {
    let bench = Bench::new();
    let path = bench.path("report.json");
    let project = bench.directory("project");
    let config = bench.config(&json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }]));
    let line = format!(
        "{} run --root {} --config {} --report {} busybox yes | head -n 3",
        integration::opt_server().display(),
        bench.root().display(),
        config.display(),
        path.display(),
    );
    let outcome = Tool::new("sh")
        .args(["-c", &line])
        .current_dir(&project)
        .expect(0);
    assert_eq!(outcome.stdout, "y\ny\ny\n");
    wait_until("the report", std::time::Duration::from_secs(10), || {
        path.exists()
    });
    assert_eq!(read(&path)["signal"], "SIGPIPE");
}
