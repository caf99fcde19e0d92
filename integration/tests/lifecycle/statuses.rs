//! From created to nothing, and what each status allows.

use std::fs;

use integration::{Bench, Probe, plain, wait_until};
use serde_json::json;

use super::{SOON, assert_created, bundles, create, created_by, output, own_id, state, status};

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

/// A bind mount is the same file system: whoever removes recursively removes the host's own files by it.
#[test]
fn delete_goes_into_nothing_that_is_mounted_in_a_state_directory() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let [bundle, _] = bundles(&bench);
    assert_created(&create(&bench, &bundle, c1));
    let precious = bench.directory("precious");
    fs::write(precious.join("file"), "kept").expect("a file");
    let below = bench.root().join(c1).join("below");
    let (precious, shown) = (precious.display(), below.display());
    let script = format!("mkdir {shown}; mount --bind {precious} {shown}");
    let delete = bench.runtime().args(["delete", "--force", c1]);
    let outcome = delete.after(&script).expect(1);
    assert!(
        outcome.one_line().contains("something is mounted in it"),
        "{outcome}"
    );
    let kept = fs::read_to_string(bench.path("precious/file")).expect("the file");
    assert_eq!(kept, "kept");
    // Where nothing is mounted any more, the rest goes.
    bench.runtime().args(["delete", "--force", c1]).expect(0);
    bench.assert_gone(c1);
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
