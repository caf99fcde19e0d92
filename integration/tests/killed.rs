//! SIGKILL, the end that no program can see coming: whatever of a run is killed, nothing is left.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use integration::{Bench, Probe, Running, Tool, host, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

/// A generous watchdog: cleaning up takes milliseconds.
const SOON: Duration = Duration::from_secs(5);

/// A run of a command that waits, by `opt-server` or `opt-runtime`, which makes an id up or is given one.
fn waiting(bench: &Bench, by: &str) -> Running {
    let command = Probe::on(bench).command();
    let bundle = || bench.sealed(&format!("bundle-{}", rand()), &command, &["hold"]);
    let tool: Tool = match by {
        "opt-server" => {
            let project = bench.directory("project");
            bench
                .serve(&project, &json!([command]))
                .args(["probe", "hold"])
        }
        "opt-runtime ID" => bench
            .runtime()
            .args(["run", "--bundle"])
            .arg(bundle().directory)
            .arg("named"),
        _ => bundle().run(bench),
    };
    let mut running = tool.start();
    running.wait_for("ready");
    running
}

fn rand() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A process's descendants, itself first.
fn tree(pid: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let below = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .flat_map(tree);
    std::iter::once(pid).chain(below).collect()
}

fn kill_now(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

/// The cgroups of the containers that the bench's state directory names.
fn cgroups_of(bench: &Bench) -> Vec<PathBuf> {
    let ids = bench.state_names();
    let ids = ids.iter().filter(|id| !id.starts_with(['@', '%']));
    ids.flat_map(|id| host::cgroups_of(id)).collect()
}

#[track_caller]
fn assert_all_gone(bench: &Bench, processes: &[i32], cgroups: &[PathBuf]) {
    wait_until("every process is gone", SOON, || {
        processes.iter().all(|pid| is_gone(*pid))
    });
    wait_until("the state is gone", SOON, || bench.state_names().is_empty());
    wait_until("the cgroups are gone", SOON, || {
        !cgroups.iter().any(|path| path.exists())
    });
}

/// Kills one process of a run's tree, chosen by its place in it; tells whether there is one.
fn nothing_is_left_when_killed(by: &str, place: usize) -> bool {
    let bench = Bench::new();
    let mut running = waiting(&bench, by);
    let processes = tree(running.pid());
    let cgroups = cgroups_of(&bench);
    assert!(
        processes.len() >= 2 && !cgroups.is_empty(),
        "{processes:?} {cgroups:?}"
    );
    let Some(victim) = processes.get(place) else {
        return false;
    };
    kill_now(*victim);
    if place == 0 {
        running.kill();
    }
    assert_all_gone(&bench, &processes, &cgroups);
    assert!(running.has_ended(), "the run did not end");
    true
}

#[test]
fn nothing_is_left_of_an_opt_server_run_whose_process_is_killed() {
    assert!(nothing_is_left_when_killed("opt-server", 0));
}

#[test]
fn nothing_is_left_of_an_opt_runtime_run_whose_process_is_killed() {
    assert!(nothing_is_left_when_killed("opt-runtime", 0));
}

#[test]
fn nothing_is_left_of_a_run_with_an_id_of_its_callers() {
    assert!(nothing_is_left_when_killed("opt-runtime ID", 0));
    assert!(nothing_is_left_when_killed("opt-runtime ID", 1));
}

#[test]
fn nothing_is_left_whichever_other_process_of_a_run_is_killed() {
    let killed = (1..).take_while(|place| nothing_is_left_when_killed("opt-server", *place));
    assert_ne!(killed.count(), 0, "the run is a single process");
}

/// A run that was killed with all its processes; those, and the cgroups that it had.
fn killed_whole(bench: &Bench, by: &str) -> (Vec<i32>, Vec<PathBuf>) {
    let mut running = waiting(bench, by);
    let processes = tree(running.pid());
    let cgroups = cgroups_of(bench);
    // Stopped first, so that none sees another's end and acts.
    for pid in &processes {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
    }
    // Children first: with its parent gone, the kernel would have a stopped group go on (setpgid(2)).
    processes.iter().rev().for_each(|pid| kill_now(*pid));
    running.kill();
    wait_until("all are gone", SOON, || {
        processes.iter().all(|pid| is_gone(*pid))
    });
    assert_ne!(
        bench.state_names(),
        [""; 0],
        "{by}: something cleaned up, so this tests nothing"
    );
    (processes, cgroups)
}

#[test]
fn delete_takes_away_all_of_a_run_that_was_killed_whole() {
    for by in ["opt-server", "opt-runtime", "opt-runtime ID"] {
        let bench = Bench::new();
        let (processes, cgroups) = killed_whole(&bench, by);
        let names = bench.state_names();
        let id = names.iter().find(|name| !name.starts_with(['@', '%']));
        let id = id.unwrap_or_else(|| panic!("{by}: no container: {names:?}"));
        bench.runtime().args(["delete", "--force", id]).expect(0);
        assert_all_gone(&bench, &processes, &cgroups);
        assert_eq!(bench.state_names(), [""; 0], "{by}");
    }
}

#[test]
fn the_next_run_sweeps_what_is_left_when_all_are_killed_at_once() {
    for by in ["opt-server", "opt-runtime", "opt-runtime ID"] {
        let bench = Bench::new();
        let (processes, cgroups) = killed_whole(&bench, by);
        bench
            .sealed("next", &Probe::on(&bench).command(), &["ids"])
            .run(&bench)
            .expect(0);
        assert_all_gone(&bench, &processes, &cgroups);
    }
}

/// As both processes of a run leave it that are killed when the container's directory is there, and no state in it.
#[test]
fn the_next_run_sweeps_what_was_begun_and_has_no_state() {
    let bench = Bench::new();
    let root = bench.directory("state");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).expect("chmod");
    let namespace = fs::metadata("/proc/self/ns/pid").expect("ours").ino();
    let pid = std::process::id();
    // Another process that had this pid, long ago.
    let runs = bench.directory("state/%runs-0");
    symlink("begun", runs.join(format!("run-{pid}-1-{namespace}"))).expect("a link");
    fs::create_dir(root.join("begun")).expect("a directory");
    fs::write(root.join("begun/lock"), "").expect("a file");
    fs::write(root.join("begun/config.json.1"), "{").expect("a file");
    // And what somebody began who isn't noted stays: it may be being made just now.
    fs::create_dir(root.join("others")).expect("a directory");
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["ids"]);
    bundle.run(&bench).expect(0);
    assert_eq!(bench.state_names(), ["others"]);
    bench
        .runtime()
        .args(["delete", "--force", "others"])
        .expect(0);
}

#[test]
fn a_run_killed_at_any_moment_leaves_nothing_after_the_next() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["ids"]);
    for microseconds in (0..60_000).step_by(1_500) {
        let mut running = bundle.run(&bench).start();
        std::thread::sleep(Duration::from_micros(microseconds));
        running.kill();
    }
    bundle.run(&bench).expect(0);
    wait_until("the state is gone", SOON, || bench.state_names().is_empty());
    bench.assert_no_orphans();
}
