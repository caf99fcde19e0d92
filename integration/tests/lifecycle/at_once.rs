//! Several commands on one id at once, and a runtime that is replaced while its containers run.

use std::fs;
use std::path::{Path, PathBuf};

use integration::{Bench, NOISE, Outcome, Tool, host, is_by_systemd, plain, program};
use serde_json::{Value, json};

use super::{SOON, assert_created, create, own_id, state, status};

const ROUNDS: usize = 5;

#[track_caller]
fn assert_clean(outcome: &Outcome) {
    assert_eq!(outcome.signal, None, "{outcome}");
    for noise in NOISE {
        assert!(!outcome.stderr.contains(noise), "{outcome}");
    }
    // 137: what `exec` had started was killed.
    assert!(
        matches!(outcome.code, Some(0 | 1 | 125 | 126 | 127 | 137)),
        "{outcome}"
    );
    if matches!(outcome.code, Some(1 | 125)) {
        outcome.one_line();
    }
}

/// Another build of the program: the static one that the package has, where `hack/test` made it, else a copy.
fn another_build(bench: &Bench) -> PathBuf {
    let installed = bench.path("another-opt-runtime");
    let made = std::env::var_os("OPT_STATIC").map(PathBuf::from);
    let made = made.map_or_else(integration::opt_runtime, |place| {
        place.join("bin/opt-runtime")
    });
    program::copy([made], &installed);
    installed
}

/// All at once, by two builds of the program, in every order that there is: what comes of it is one of the states that
/// one after the other gives.
#[test]
fn commands_on_one_id_at_once_end_in_one_state() {
    let bench = Bench::new();
    let id = &own_id("at-once");
    let bundle = plain::bundle(&bench, "plain", &["sleep", "1000"]);
    let builds = [integration::opt_runtime(), another_build(&bench)];
    let directory = bundle.directory.display().to_string();
    let commands: [&[&str]; 6] = [
        &["create", "--bundle", &directory, id],
        &["start", id],
        &["exec", id, "true"],
        &["kill", id, "KILL"],
        &["delete", "--force", id],
        &["state", id],
    ];
    for _ in 0..ROUNDS {
        // Each command by one build, by the other, and by the first again.
        let tools: Vec<Tool> = (0..3)
            .flat_map(|time| commands.iter().map(move |words| (time, words)))
            .map(|(time, words)| by(&builds[time % 2], &bench).args(*words))
            .collect();
        std::thread::scope(|scope| {
            let racers: Vec<_> = tools
                .into_iter()
                .enumerate()
                .map(|(number, tool)| {
                    let file = |kind: &str| bench.path(&format!("{kind}-{number}"));
                    let (output, errors) = (file("output"), file("errors"));
                    scope.spawn(move || tool.run_into(&output, &errors))
                })
                .collect();
            for racer in racers {
                assert_clean(&racer.join().expect("a racer"));
            }
        });
        let told = bench.runtime().args(["state", id]).run();
        if told.code == Some(0) {
            let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
            let status = told["status"].as_str().expect("a status");
            assert!(
                ["created", "running", "stopped"].contains(&status),
                "{told}"
            );
        } else {
            assert!(told.one_line().contains("does not exist"), "{told}");
        }
        bench.runtime().args(["delete", "--force", id]).expect(0);
        bench.assert_gone(id);
        let left = host::processes(|shown| shown.contains(id.as_str()));
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A build of the program on the bench's state, as [`Bench::runtime`] has the usual one.
fn by(build: &Path, bench: &Bench) -> Tool {
    let tool = Tool::new(build).arg("--root").arg(bench.root());
    let tool = tool.current_dir(&bench.path(""));
    if is_by_systemd() {
        return tool.arg("--systemd-cgroup");
    }
    tool
}

/// An upgrade: another build takes the program's place, while one container runs detached and another in the foreground.
#[test]
fn a_runtime_that_is_replaced_leaves_its_containers_manageable() {
    let bench = Bench::new();
    let (detached, held) = (&own_id("upgraded"), &own_id("upgraded-held"));
    let installed = bench.everybodys_runtime();
    let runtime = || Tool::new(&installed).arg("--root").arg(bench.root());
    let bundle = plain::bundle(
        &bench,
        "plain",
        &["sh", "-c", "echo ran; while :; do sleep 1; done"],
    );
    let create = runtime()
        .args(["create", "--bundle"])
        .arg(&bundle.directory);
    create.arg(detached).quietly().expect(0);
    runtime().args(["start", detached]).expect(0);
    let mut run = runtime()
        .args(["run", "--bundle"])
        .arg(&bundle.directory)
        .arg(held)
        .start();
    run.wait_for("ran");
    fs::rename(another_build(&bench), &installed).expect("replace the program");
    for id in [detached, held] {
        assert_eq!(status(&bench, id), "running");
        runtime().args(["exec", id, "true"]).expect(0);
        runtime().args(["kill", id, "KILL"]).expect(0);
    }
    assert_eq!(run.finish().code, Some(137));
    integration::wait_until("it stops", SOON, || status(&bench, detached) == "stopped");
    runtime().args(["delete", detached]).expect(0);
    bench.assert_gone(detached);
    bench.assert_gone(held);
}

/// State has a format: an older one is read, a newer one is named, and can be deleted.
#[test]
fn the_state_of_an_older_runtime_is_read_and_a_newer_ones_is_named() {
    let bench = Bench::new();
    let id = &own_id("format");
    let bundle = plain::bundle(&bench, "plain", &["sleep", "1000"]);
    assert_created(&create(&bench, &bundle, id));
    let file = bench.root().join(id).join("state.json");
    let change = |change: &dyn Fn(&mut Value)| {
        let text = fs::read(&file).expect("the state");
        let mut state: Value = serde_json::from_slice(&text).expect("JSON");
        change(&mut state);
        fs::write(&file, state.to_string()).expect("write");
    };
    change(&|state| {
        let object = state.as_object_mut().expect("an object");
        object.remove("format").expect("a format");
    });
    assert_eq!(state(&bench, id)["status"], "created");
    bench.runtime().args(["start", id]).expect(0);
    change(&|state| {
        *state = json!({ "format": 1_000_000, "id": id, "everything": "is different" })
    });
    for words in [&["state", id][..], &["kill", id, "KILL"], &["delete", id]] {
        let outcome = bench.runtime().args(words).expect(1);
        let line = outcome.one_line();
        assert!(
            line.contains("format 1000000") && line.contains("newer"),
            "{line}"
        );
    }
    bench.runtime().args(["delete", "--force", id]).expect(0);
    bench.assert_gone(id);
}
