//! Hostile executions: each is ended by its own limit, says so in its report, and disturbs no neighbour.

mod hostile;
mod measured;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use integration::{Bench, Outcome, Running, Tool};
use serde_json::{Value, json};

/// How long a neighbour works; what it takes longer on a busy machine is no limit's business.
const NEIGHBOUR_SECONDS: u64 = 2;

/// An execution with a report.
struct Reported {
    tool: Tool,
    report: PathBuf,
}

impl Reported {
    /// busybox with these words, below limits as the command line has them.
    fn busybox(bench: &Bench, name: &str, limits: &[&str], words: &[&str]) -> Self {
        let project = bench.directory(name);
        let report = bench.path(&format!("{name}.json"));
        let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
        let tool = bench
            .serve(&project, &json!([command]))
            .arg("--report")
            .arg(&report)
            .args(limits)
            .arg("busybox")
            .args(words);
        Self { tool, report }
    }

    fn shell(bench: &Bench, name: &str, limits: &[&str], script: &str) -> Self {
        Self::busybox(bench, name, limits, &["sh", "-c", script])
    }

    fn run(self) -> (Outcome, Value) {
        let outcome = self.tool.run();
        let report = read(&self.report, &outcome);
        (outcome, report)
    }
}

fn read(path: &Path, outcome: &Outcome) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    serde_json::from_slice(&text).expect("JSON")
}

/// A neighbour at work, which knows nothing of any of this.
fn neighbour(bench: &Bench) -> Running {
    let script = format!("echo begun; sleep {NEIGHBOUR_SECONDS}; echo done");
    let mut running = Reported::shell(bench, "neighbour", &["--max-memory", "64"], &script)
        .tool
        .start();
    running.wait_for("begun");
    running
}

/// Runs `hostile` beside a neighbour: its report, when both have ended.
fn beside_a_neighbour(bench: &Bench, hostile: Reported) -> (Outcome, Value) {
    let (outcome, report, _) = beside_a_measured_neighbour(bench, hostile);
    (outcome, report)
}

/// Likewise, with the seconds that the neighbour took.
fn beside_a_measured_neighbour(bench: &Bench, hostile: Reported) -> (Outcome, Value, f64) {
    let neighbour = neighbour(bench);
    let (outcome, report) = hostile.run();
    let its = neighbour.wait();
    assert_eq!(
        (its.code, its.stdout.as_str()),
        (Some(0), "begun\ndone\n"),
        "{its}"
    );
    let its = read(&bench.path("neighbour.json"), &its);
    assert_eq!(its["status"], "ok", "{its}");
    bench.assert_nothing_left_by(&outcome);
    (outcome, report, seconds(&its, "wall_seconds"))
}

/// Fails unless the report says that this limit ended it, and so does a line on standard error.
#[track_caller]
fn assert_ended_by(limit: &str, words: &str, outcome: &Outcome, report: &Value) {
    assert_eq!(report["status"], "limit", "{report}\n{outcome}");
    assert_eq!(report["limit"], limit, "{report}\n{outcome}");
    let message = report["message"].as_str().expect("a message");
    assert!(message.contains(words), "{message}");
    assert!(
        outcome
            .stderr
            .ends_with(&format!("opt-server: {message}\n")),
        "{outcome}"
    );
}

#[test]
fn a_fork_bomb_is_ended_by_its_number_of_processes() {
    let bench = Bench::new();
    let (outcome, report) = beside_a_neighbour(&bench, hostile::bomb(&bench));
    assert_ended_by("processes", "more processes", &outcome, &report);
    // No signal is looked for: a shell that can't fork may have ended by itself by then.
    assert_eq!(report["limits"]["max-processes"], 40);
}

#[test]
fn as_many_processes_as_the_limit_says_may_run() {
    let bench = Bench::new();
    // The shell, and three of its children.
    let script = "sleep 0.3 & sleep 0.3 & sleep 0.3 & wait; echo done";
    let (outcome, report) =
        Reported::shell(&bench, "four", &["--max-processes", "4"], script).run();
    assert_eq!(report["status"], "ok", "{report}\n{outcome}");
    let (outcome, report) =
        Reported::shell(&bench, "three", &["--max-processes", "3"], script).run();
    assert_ended_by("processes", "3 processes", &outcome, &report);
}

#[test]
fn a_memory_hog_is_ended_by_its_memory_and_not_told_as_a_crash() {
    let bench = Bench::new();
    let (outcome, report) = beside_a_neighbour(&bench, hostile::hog(&bench));
    assert_ended_by("memory", "48 MB", &outcome, &report);
    let peak = report["peak_memory_bytes"].as_u64().expect("bytes");
    assert!(peak <= 48 << 20 && peak > 40 << 20, "{report}");
}

#[test]
fn a_child_that_is_killed_for_want_of_memory_ends_the_execution_too() {
    let bench = Bench::new();
    let script = "tail /dev/zero; echo survived; sleep 30; exit 0";
    let started = Instant::now();
    let (outcome, report) = Reported::shell(&bench, "child", &["--max-memory", "48"], script).run();
    assert_ended_by("memory", "more memory", &outcome, &report);
    assert!(started.elapsed() < Duration::from_secs(20), "{outcome}");
}

#[test]
fn a_child_killed_right_before_the_end_is_told_although_the_command_succeeds() {
    let bench = Bench::new();
    let script = "tail /dev/zero; exit 0";
    let (outcome, report) = Reported::shell(&bench, "last", &["--max-memory", "48"], script).run();
    assert_ended_by("memory", "more memory", &outcome, &report);
}

#[test]
fn a_crash_is_not_a_limit() {
    let bench = Bench::new();
    let limits = [
        "--max-memory",
        "48",
        "--max-processes",
        "20",
        "--max-wall-time",
        "20",
    ];
    let (outcome, report) = Reported::shell(&bench, "crash", &limits, "kill -SEGV $$").run();
    assert_eq!(report["status"], "signalled", "{report}");
    assert_eq!(report["signal"], "SIGSEGV", "{report}");
    assert_eq!(report["limit"], Value::Null);
    assert_eq!(report["exit_code"], Value::Null);
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(139), ""),
        "{outcome}"
    );
    // The same code, as a code.
    let (outcome, report) = Reported::shell(&bench, "code", &limits, "exit 139").run();
    assert_eq!(report["status"], "failed", "{report}");
    assert_eq!(report["exit_code"], 139);
    assert_eq!(report["signal"], Value::Null);
    assert_eq!(outcome.code, Some(139));
}

#[test]
fn an_output_flood_is_ended_by_its_output() {
    let bench = Bench::new();
    let (outcome, report) = beside_a_neighbour(&bench, hostile::flood(&bench));
    assert_ended_by("output", "100000 bytes", &outcome, &report);
    assert_eq!(outcome.stdout.len(), 100_000);
    assert_eq!(report["output_bytes"], 100_000);
    assert_eq!(report["output_truncated"], true);
}

#[test]
fn standard_error_counts_as_output_and_all_that_may_be_printed_is_there() {
    let bench = Bench::new();
    let script = "printf 12345; printf 67890 >&2";
    let (outcome, report) = Reported::shell(&bench, "ten", &["--max-output", "10"], script).run();
    assert_eq!(report["status"], "ok", "{report}\n{outcome}");
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("12345", "67890"));
    assert_eq!(report["output_bytes"], 10);
    assert_eq!(report["output_truncated"], false);
    let (outcome, report) = Reported::shell(&bench, "nine", &["--max-output", "9"], script).run();
    assert_ended_by("output", "9 bytes", &outcome, &report);
    assert_eq!(report["output_bytes"], 9);
}

#[test]
fn a_sleeper_that_ignores_being_asked_is_killed_after_the_grace() {
    let bench = Bench::new();
    let (outcome, report) = beside_a_neighbour(&bench, hostile::sleeper(&bench));
    assert_ended_by("wall-time", "1s", &outcome, &report);
    assert_eq!(outcome.stdout, "asked\n", "{outcome}");
    assert_eq!(
        (outcome.code, &report["signal"]),
        (Some(137), &json!("SIGKILL"))
    );
    assert!(seconds(&report, "wall_seconds") >= 2.0, "{report}");
}

#[test]
fn a_command_that_is_asked_may_end_in_its_own_way() {
    let bench = Bench::new();
    let script = "trap 'echo best so far; exit 3' TERM; while :; do sleep 0.1; done";
    let limits = ["--max-wall-time", "1", "--grace", "20"];
    let (outcome, report) = Reported::shell(&bench, "asked", &limits, script).run();
    assert_ended_by("wall-time", "1s", &outcome, &report);
    assert_eq!(outcome.stdout, "best so far\n", "{outcome}");
    assert_eq!((outcome.code, &report["exit_code"]), (Some(3), &json!(3)));
}

#[test]
fn a_disk_filler_is_ended_by_its_scratch_space() {
    let bench = Bench::new();
    let started = Instant::now();
    let (outcome, report) = beside_a_neighbour(&bench, hostile::filler(&bench));
    assert_ended_by("scratch", "4194304 bytes", &outcome, &report);
    assert!(started.elapsed() < Duration::from_secs(20), "{outcome}");
    let script = "dd if=/dev/zero of=/tmp/small bs=64k count=32 2>/dev/null && echo fits";
    let (outcome, report) = Reported::shell(&bench, "fits", &hostile::SCRATCH, script).run();
    assert_eq!(report["status"], "ok", "{report}\n{outcome}");
}

#[test]
fn a_burner_with_many_processes_is_ended_by_their_time_together() {
    let bench = Bench::new();
    let (outcome, report) = beside_a_neighbour(&bench, hostile::burner(&bench));
    assert_ended_by("cpu-time", "1s", &outcome, &report);
    assert!(used_seconds(&report) >= 1.0, "{report}");
    assert_eq!(outcome.code, Some(137));
}

#[test]
fn a_time_beyond_the_limit_but_within_the_grace_is_told_as_it_was() {
    let bench = Bench::new();
    let (outcome, report) = hostile::within_its_grace(&bench).run();
    assert_ended_by("cpu-time", "1s", &outcome, &report);
    assert_eq!((outcome.code, &report["exit_code"]), (Some(0), &json!(0)));
    assert!(used_seconds(&report) >= 1.4, "{report}");
}

#[test]
fn a_file_beyond_its_size_ends_the_command_and_is_told() {
    let bench = Bench::new();
    let words = ["dd", "if=/dev/zero", "of=big", "bs=4096", "count=100"];
    let limits = ["--max-file-size", "65536"];
    let (outcome, report) = Reported::busybox(&bench, "large", &limits, &words).run();
    assert_ended_by("file-size", "65536 bytes", &outcome, &report);
    assert_eq!(report["signal"], "SIGXFSZ", "{report}");
    let size = fs::metadata(bench.path("large/big"))
        .expect("the file")
        .len();
    assert_eq!(size, 65536);
}

#[test]
fn open_files_are_limited() {
    let bench = Bench::new();
    let script = "ulimit -n; exec 9<. && echo nine; exec 10<. && echo ten";
    let limits = ["--max-open-files", "10"];
    let (outcome, report) = Reported::shell(&bench, "files", &limits, script).run();
    assert!(outcome.stdout.starts_with("10\nnine\n"), "{outcome}");
    assert!(!outcome.stdout.contains("ten"), "{outcome}");
    assert_eq!(report["limits"]["max-open-files"], 10);
}

#[test]
fn the_command_line_narrows_what_the_configuration_says_and_never_widens_it() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let command = json!({
        "name": "busybox", "executable": "/usr/bin/busybox",
        "x-opt-runtime": { "limits": { "max-processes": 30, "max-memory": 100 } },
    });
    let report = bench.path("report.json");
    let run = |limits: &[&str]| {
        let outcome = bench
            .serve(&project, &json!([command]))
            .arg("--report")
            .arg(&report)
            .args(limits)
            .args(["busybox", "true"])
            .expect(0);
        read(&report, &outcome)["limits"].clone()
    };
    let wider = run(&[
        "--max-processes",
        "31",
        "--max-memory",
        "1000",
        "--max-time",
        "2",
    ]);
    let expected = json!({ "max-processes": 30, "max-memory": 100, "max-time": 2 });
    assert_eq!(wider, expected);
    let narrower = run(&["--max-processes", "29"]);
    assert_eq!(narrower, json!({ "max-processes": 29, "max-memory": 100 }));
}

#[test]
fn a_limit_that_nobody_can_mean_is_refused() {
    let bench = Bench::new();
    for (limits, words) in [
        (
            ["--max-memory", "0"],
            "max-memory must be a whole number of MB",
        ),
        (
            ["--max-wall-time", "1.5"],
            "max-wall-time must be a whole number of seconds",
        ),
        (
            ["--max-processes", "many"],
            "max-processes must be a whole number",
        ),
    ] {
        let (outcome, report) = Reported::busybox(&bench, "refused", &limits, &["true"]).run();
        bench.assert_refused(&outcome, words);
        assert_eq!(report["status"], "not-started", "{report}");
        assert!(
            report["message"].as_str().expect("text").contains(words),
            "{report}"
        );
    }
}

fn seconds(report: &Value, key: &str) -> f64 {
    report[key].as_f64().expect("seconds")
}

#[test]
fn a_user_group_narrows_what_runs_and_one_that_is_not_there_is_refused() {
    let bench = Bench::new();
    let config = bench.file(
        "config.json",
        json!({
            "commands": [{ "name": "busybox", "executable": "/usr/bin/busybox" }],
            "x-opt-runtime": { "user-groups": {
                "students": { "users": ["ann"], "limits": { "max-memory": 24, "max-parallel-processes": 2 } },
                "staff": {},
            }},
        })
        .to_string(),
    );
    let project = bench.directory("project");
    let report = bench.path("report.json");
    let run = |group: &str| {
        let script = "x=abcdefgh; while :; do x=$x$x; done";
        let tool = bench.serve_with(&project, &config);
        tool.args(["--strict", "--max-memory=48", "--user-group", group])
            .arg("--report")
            .arg(&report)
            .args(["busybox", "sh", "-c", script])
            .run()
    };
    for (group, memory) in [("students", 24), ("staff", 48)] {
        let outcome = run(group);
        let told = read(&report, &outcome);
        assert_ended_by("memory", "memory", &outcome, &told);
        assert_eq!(told["limits"], json!({ "max-memory": memory }));
    }
    run("student")
        .refused(r#"no user group "student"; did you mean "students"? it has "staff", "students""#);
}

/// Of processors.
fn used_seconds(report: &Value) -> f64 {
    seconds(report, "user_seconds") + seconds(report, "system_seconds")
}
