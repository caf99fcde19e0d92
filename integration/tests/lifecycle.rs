//! create, start, state, kill and delete in their OCI form, on plain and on sealed bundles.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use integration::{Bench, Bundle, Outcome, Probe, Tool, plain, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

fn state(bench: &Bench, id: &str) -> Value {
    let outcome = bench.runtime().args(["state", id]).expect(0);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// An id that no other test has: state directories differ, but cgroups are named by id alone.
fn own_id(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{number}", std::process::id())
}

fn status(bench: &Bench, id: &str) -> String {
    state(bench, id)["status"]
        .as_str()
        .expect("a status")
        .to_owned()
}

/// `create`, with the container's own output going to a file: it outlives the command.
fn create(bench: &Bench, bundle: &Bundle, id: &str) -> Outcome {
    created_by(bench, bundle.create(bench, id))
}

fn created_by(bench: &Bench, tool: Tool) -> Outcome {
    let line = "out=$1; shift; exec \"$@\" > \"$out\" < /dev/null";
    let mut tool = tool;
    let command = tool.command();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let program = command.get_program().to_owned();
    let errors = bench.path("errors");
    let script = format!("{line} 2> {}; ", errors.display());
    let mut outcome = Tool::new("sh")
        .args(["-c", &script, "sh"])
        .arg(bench.path("output"))
        .arg(program)
        .args(arguments)
        .run();
    outcome.stderr = fs::read_to_string(errors).unwrap_or_default();
    outcome
}

#[track_caller]
fn assert_created(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

fn output(bench: &Bench) -> String {
    fs::read_to_string(bench.path("output")).unwrap_or_default()
}

/// Plain and sealed bundles that print "ran" and then wait.
fn bundles(bench: &Bench) -> [Bundle; 2] {
    let script = "echo ran; while :; do sleep 1; done";
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    [
        plain::bundle(bench, "plain", &["sh", "-c", script]),
        bench.sealed("sealed", &command, &["sh", "-c", script]),
    ]
}

#[test]
fn a_container_goes_from_created_over_running_and_stopped_to_nothing() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    for bundle in bundles(&bench) {
        let _ = fs::remove_file(bench.path("output"));
        assert_created(&create(&bench, &bundle, c1));
        assert_eq!(status(&bench, c1), "created");
        let pid = state(&bench, c1)["pid"].as_i64().expect("a pid");
        assert_eq!(output(&bench), "", "the command ran before start");
        bench.runtime().args(["start", c1]).expect(0);
        wait_until("it runs", SOON, || output(&bench) == "ran\n");
        assert_eq!(status(&bench, c1), "running");
        assert_eq!(state(&bench, c1)["pid"], pid);
        bench.runtime().args(["delete", c1]).expect(1);
        bench.runtime().args(["kill", c1, "KILL"]).expect(0);
        wait_until("it stops", SOON, || status(&bench, c1) == "stopped");
        bench.runtime().args(["delete", c1]).expect(0);
        bench.assert_gone(c1);
        let unknown = bench.runtime().args(["state", c1]).expect(1);
        assert!(unknown.one_line().contains("does not exist"), "{unknown}");
    }
}

#[test]
fn the_state_is_as_the_oci_spec_has_it() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.edit(|spec| spec["annotations"] = json!({ "org.example": "x" }));
    assert_created(&create(&bench, &bundle, c1));
    let state = state(&bench, c1);
    assert_eq!(state["ociVersion"], "1.0.2");
    assert_eq!(state["id"], *c1);
    assert_eq!(state["status"], "created");
    assert_eq!(state["bundle"], *bundle.directory.to_string_lossy());
    assert_eq!(state["annotations"], json!({ "org.example": "x" }));
    let pid = state["pid"].as_i64().expect("a pid");
    assert!(fs::metadata(format!("/proc/{pid}")).is_ok());
    assert!(state["created"].as_str().expect("a time").contains('T'));
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    bench.assert_gone(c1);
}

#[test]
fn the_pid_file_holds_the_pid() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let file = bench.path("pid");
    assert_created(&created_by(
        &bench,
        bundle.create(&bench, c1).arg("--pid-file").arg(&file),
    ));
    let pid = fs::read_to_string(&file).expect("the pid file");
    assert_eq!(pid, state(&bench, c1)["pid"].to_string());
    bench.runtime().args(["delete", "--force", c1]).expect(0);
}

#[test]
fn a_command_that_needs_another_status_says_so() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let [bundle, _] = bundles(&bench);
    assert_created(&create(&bench, &bundle, c1));
    let again = create(&bench, &bundle, c1);
    assert_eq!(again.code, Some(125), "{again}");
    assert!(again.one_line().contains("already exists"), "{again}");
    bench.runtime().args(["start", c1]).expect(0);
    let started = bench.runtime().args(["start", c1]).expect(1);
    assert!(
        started.one_line().contains("container not created"),
        "{started}"
    );
    bench.runtime().args(["kill", c1, "9"]).expect(0);
    wait_until("it stops", SOON, || status(&bench, c1) == "stopped");
    let killed = bench.runtime().args(["kill", c1, "9"]).expect(1);
    assert!(killed.one_line().contains("not running"), "{killed}");
    let started = bench.runtime().args(["start", c1]).expect(1);
    assert!(started.one_line().contains("stopped"), "{started}");
    bench.runtime().args(["delete", c1]).expect(0);
}

#[test]
fn a_created_container_can_be_killed_and_deleted() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let c2 = &own_id("c2");
    for bundle in bundles(&bench) {
        assert_created(&create(&bench, &bundle, c1));
        bench.runtime().args(["kill", c1, "KILL"]).expect(0);
        wait_until("it stops", SOON, || status(&bench, c1) == "stopped");
        bench.runtime().args(["delete", c1]).expect(0);
        assert_created(&create(&bench, &bundle, c2));
        // The OCI spec: only a stopped container can be deleted.
        let refused = bench.runtime().args(["delete", c2]).expect(1);
        assert!(refused.one_line().contains("not stopped"), "{refused}");
        assert_eq!(status(&bench, c2), "created");
        bench.runtime().args(["delete", "--force", c2]).expect(0);
        bench.assert_gone(c2);
    }
}

#[test]
fn delete_force_ends_a_running_container_and_is_fine_with_nothing() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let [bundle, _] = bundles(&bench);
    assert_created(&create(&bench, &bundle, c1));
    bench.runtime().args(["start", c1]).expect(0);
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    bench.assert_gone(c1);
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    let outcome = bench.runtime().args(["delete", c1]).expect(1);
    assert!(outcome.one_line().contains("does not exist"), "{outcome}");
    bench.runtime().args(["kill", c1]).expect(1);
    bench.runtime().args(["start", c1]).expect(1);
}

#[test]
fn kill_all_reaches_every_process() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let script = "sleep 1000 & sleep 1000 & echo ran; wait";
    let bundle = plain::bundle(&bench, "plain", &["sh", "-c", script]);
    assert_created(&create(&bench, &bundle, c1));
    bench.runtime().args(["start", c1]).expect(0);
    wait_until("it runs", SOON, || output(&bench) == "ran\n");
    bench
        .runtime()
        .args(["kill", "--all", c1, "KILL"])
        .expect(0);
    wait_until("it stops", SOON, || status(&bench, c1) == "stopped");
    bench.runtime().args(["delete", c1]).expect(0);
    bench.assert_gone(c1);
}

#[test]
fn ids_that_are_no_names_are_refused() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let long = "x".repeat(256);
    for id in [
        "", ".", "..", "a/b", "../x", "/x", "a b", "@x", "a\n", "ü", &long,
    ] {
        let run = bench.runtime().arg("run").arg("-b");
        for (tool, code) in [
            (bundle.create(&bench, id), 125),
            (run.arg(&bundle.directory).arg(id), 125),
            (bench.runtime().args(["state", id]), 1),
            (bench.runtime().args(["delete", "--force", id]), 1),
        ] {
            let outcome = tool.expect(code);
            assert!(outcome.one_line().contains("invalid"), "{id:?}: {outcome}");
        }
    }
    assert_eq!(bench.state_names(), [""; 0]);
    for id in ["a", "A-1_2.3+4", &"x".repeat(200)] {
        bench
            .runtime()
            .arg("run")
            .arg("-b")
            .arg(&bundle.directory)
            .arg(id)
            .expect(0);
    }
}

#[test]
fn run_has_the_oci_form_too() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["echo", "ran"]);
    let tool = bench
        .runtime()
        .arg("run")
        .arg("-b")
        .arg(&bundle.directory)
        .arg(c1);
    tool.expect(0).says("ran");
    bench
        .runtime()
        .args(["run", c1])
        .current_dir(&bundle.directory)
        .expect(0)
        .says("ran");
    bench.assert_gone(c1);
}

#[test]
fn run_under_a_taken_id_leaves_the_other_alone() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let [bundle, _] = bundles(&bench);
    assert_created(&create(&bench, &bundle, c1));
    let tool = bench
        .runtime()
        .arg("run")
        .arg("-b")
        .arg(&bundle.directory)
        .arg(c1);
    let outcome = tool.expect(125);
    assert!(outcome.one_line().contains("already exists"), "{outcome}");
    assert_eq!(status(&bench, c1), "created");
    bench.runtime().args(["delete", "--force", c1]).expect(0);
}

#[test]
fn of_many_that_create_one_id_at_once_exactly_one_wins() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for _ in 0..5 {
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let one = || create_quietly(&bench, &bundle, c1);
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            racers
                .into_iter()
                .map(|racer| racer.join().expect("a racer"))
                .collect()
        });
        let winners = outcomes
            .iter()
            .filter(|outcome| outcome.code == Some(0))
            .count();
        assert_eq!(winners, 1, "{outcomes:?}");
        assert_eq!(status(&bench, c1), "created");
        bench.runtime().args(["delete", "--force", c1]).expect(0);
        bench.assert_gone(c1);
    }
}

/// Without a file of its own for output, so that several can run at once.
fn create_quietly(bench: &Bench, bundle: &Bundle, id: &str) -> Outcome {
    let mut tool = bundle.create(bench, id);
    let command = tool.command();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let program = command.get_program().to_owned();
    Tool::new("sh")
        .args(["-c", "exec \"$@\" > /dev/null 2>&1 < /dev/null", "sh"])
        .arg(program)
        .args(arguments)
        .run()
}

#[test]
fn looks_at_a_container_do_not_disturb_its_removal() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for _ in 0..10 {
        assert_created(&create(&bench, &bundle, c1));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| bench.runtime().args(["state", c1]).run());
            }
            bench.runtime().args(["delete", "--force", c1]).expect(0);
        });
        bench.assert_gone(c1);
    }
}

#[test]
fn a_created_sealed_container_shows_the_promise_before_it_starts() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = bench.sealed("sealed", &Probe::on(&bench).command(), &["look"]);
    assert_created(&create(&bench, &bundle, c1));
    let pid = state(&bench, c1)["pid"].as_i64().expect("a pid");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("status");
    for line in [
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "Groups:\t \n",
    ] {
        assert!(status.contains(line), "no {line}: {status}");
    }
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    bench.assert_gone(c1);
}

/// Engines keep a state directory for each of their own namespaces, and ids in two of them may be equal.
#[test]
fn one_id_in_two_state_directories_is_two_containers() {
    let (bench, other) = (Bench::new(), Bench::new());
    let c1 = &own_id("c1");
    for bench in [&bench, &other] {
        let [bundle, _] = bundles(bench);
        let outcome = create(bench, &bundle, c1);
        assert_created(&outcome);
        bench.runtime().args(["start", c1]).expect(0);
    }
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    assert_eq!(status(&other, c1), "running");
    other.runtime().args(["delete", "--force", c1]).expect(0);
    other.assert_gone(c1);
}

/// Runs `bundle` in a mount namespace of the caller's, in which `/` has this propagation, and then tells what
/// is still mounted there.
fn run_in_callers_mounts(bench: &Bench, bundle: &Bundle, propagation: &str) -> Outcome {
    let mut run = bundle.run(bench);
    let command = run.command();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let script = format!("mount --make-r{propagation} / && \"$@\" && cat /proc/self/mountinfo");
    Tool::new("unshare")
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(command.get_program())
        .args(arguments)
        .run()
}

#[test]
fn without_a_mount_namespace_nothing_stays_mounted_at_the_callers() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["ls", "/proc/self/status"]);
    bundle.edit(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut();
        namespaces
            .expect("namespaces")
            .retain(|one| one["type"] != "mount");
    });
    let outcome = run_in_callers_mounts(&bench, &bundle, "private");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.says("/proc/self/status");
    let root = bundle.rootfs().to_string_lossy().into_owned();
    assert!(!outcome.stdout.contains(&root), "{outcome}");
    // What is shared would show in other namespaces, the host's among them.
    let shared = run_in_callers_mounts(&bench, &bundle, "shared");
    bench.assert_refused(&shared, "hint: unshare --mount");
}

#[test]
fn a_container_without_a_process_is_made_and_ends_at_its_start() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.edit(|spec| drop(spec.as_object_mut().expect("a spec").remove("process")));
    assert_created(&create(&bench, &bundle, c1));
    assert_eq!(status(&bench, c1), "created");
    bench.runtime().args(["start", c1]).expect(0);
    wait_until("it stops", SOON, || status(&bench, c1) == "stopped");
    bench.runtime().args(["delete", c1]).expect(0);
    bench.assert_gone(c1);
}
