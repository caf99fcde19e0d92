//! `create` killed at any of its steps: `delete --force` removes whatever was made by then, the cgroups that the
//! bundle names among it.

use std::fs;
use std::path::PathBuf;

use integration::{Bench, Tool, cgroup, host, is_by_systemd, opt_runtime, plain, require_program};
use serde_json::json;

/// More than `create` makes of directories and files that it renames.
const STEPS: usize = 60;

/// Runs `create` under strace, which kills it as it is about to make the system call number `step` of those that
/// make a directory or put a file in its place. Whether it was killed.
fn create_killed_at(bench: &Bench, bundle: &integration::Bundle, id: &str, step: usize) -> bool {
    let inject = format!("inject=mkdir,mkdirat,rename,renameat,renameat2:signal=KILL:when={step}");
    let output = bench.path("output");
    let outcome = Tool::new("strace")
        .args([
            // As a bystander, which the created process doesn't keep waiting.
            "-D",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "trace=mkdir,mkdirat,rename,renameat,renameat2",
            "-e",
            &inject,
        ])
        .arg(opt_runtime())
        .arg("--root")
        .arg(bench.root())
        .args(["create", "--bundle"])
        .arg(&bundle.directory)
        .arg(id)
        .run_into(&output, &bench.path("errors"));
    outcome.code != Some(0)
}

#[test]
fn nothing_is_left_of_a_create_that_is_killed_at_any_step() {
    require_program("/usr/bin/strace", "strace");
    if is_by_systemd() {
        return cgroup::skip("cgroups of our own making are tested");
    }
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let mark = format!("killed-create-{}", std::process::id());
    let mut left_by_kill = 0;
    for is_named in [true, false] {
        let id = format!("{mark}-{is_named}");
        if is_named {
            bundle.edit(|spec| {
                spec["linux"]["cgroupsPath"] = json!(format!("/{mark}-top/{mark}-below/{mark}"));
            });
        } else {
            bundle.edit(|spec| spec["linux"]["cgroupsPath"] = json!(null));
        }
        let mut is_killed = true;
        let mut step = 0;
        while is_killed {
            step += 1;
            assert!(step < STEPS, "create has more than {STEPS} steps");
            is_killed = create_killed_at(&bench, &bundle, &id, step);
            left_by_kill += host::cgroups_with(&mark).len();
            bench.runtime().args(["delete", "--force", &id]).expect(0);
            let left = host::cgroups_with(&mark);
            host::remove_cgroups(&mark);
            assert!(left.is_empty(), "killed at step {step}, it leaves {left:?}");
            assert_eq!(bench.state_names(), [""; 0], "killed at step {step}");
        }
        // strace counts each call by itself, and on version 2 the most are three of renameat2, one for each state.
        assert!(step > 3, "it was killed at {step} steps only");
    }
    assert!(
        left_by_kill > 1,
        "no kill left anything to remove, so this tests nothing"
    );
}

/// What others have made of the same name meanwhile isn't the killed one's to remove.
#[test]
fn what_is_anothers_by_then_stays() {
    require_program("/usr/bin/strace", "strace");
    if is_by_systemd() {
        return cgroup::skip("cgroups of our own making are tested");
    }
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let mark = format!("killed-others-{}", std::process::id());
    bundle.edit(|spec| spec["linux"]["cgroupsPath"] = json!(format!("/{mark}-top/{mark}")));
    let hierarchies = cgroup::mount_points();
    // Killed before the first cgroup is made: the state is there, and says what was to be made.
    let mut step = 0;
    while bench.state_names().is_empty() || host::cgroups_with(&mark).is_empty() {
        bench.runtime().args(["delete", "--force", &mark]).expect(0);
        step += 1;
        assert!(
            step < STEPS,
            "it was never killed between its state and its cgroups"
        );
        create_killed_at(&bench, &bundle, &mark, step);
    }
    let others = hierarchies
        .last()
        .expect("a hierarchy")
        .join(format!("{mark}-top/{mark}"));
    fs::create_dir_all(&others).expect("make another's cgroup");
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let up = |level: usize| {
            others
                .ancestors()
                .nth(level)
                .expect("a directory")
                .join(file)
        };
        if let Ok(all) = fs::read_to_string(up(2)) {
            let _ = fs::write(up(1), all.trim());
            let _ = fs::write(up(0), all.trim());
        }
    }
    let mut sleeper = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .expect("sleep");
    let joined = fs::write(others.join("cgroup.procs"), sleeper.id().to_string());
    let deleted = bench.runtime().args(["delete", "--force", &mark]).run();
    let stays = others.exists() && sleeper.try_wait().expect("wait").is_none();
    let _ = sleeper.kill();
    let _ = sleeper.wait();
    for directory in [others.as_path(), others.parent().expect("a directory")] {
        let _ = fs::remove_dir(directory);
    }
    joined.expect("join another's cgroup");
    assert_eq!(deleted.code, Some(0), "{deleted}");
    assert!(stays, "another's cgroup is gone: {}", others.display());
    let left = host::cgroups_with(&mark);
    host::remove_cgroups(&mark);
    assert_eq!(left, [""; 0].map(PathBuf::from));
}
