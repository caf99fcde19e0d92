//! opt-runtime under podman, containerd and Docker: the checks of `integration/engines/`.
//!
//! One after the other: each starts an engine, and together they would only wait for each other.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use integration::{Outcome, Tool, containerd_shim, opt_runtime, require_program};

/// Up to 136 checks, each with containers of its own; a watchdog, never a measurement.
const LIMIT: Duration = Duration::from_secs(900);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn check(engine: &str, program: &str, package: &str) {
    require_program(program, package);
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/run");
    let checks = Tool::new(run)
        .args([engine, "--runtime"])
        .arg(opt_runtime())
        .limit(LIMIT);
    let outcome = checks.run();
    println!("{}", outcome.stdout);
    let passed = outcome.code == Some(0) && outcome.stdout.contains(" 0 failed");
    assert!(passed, "{}", what_is_not_ok(&outcome));
}

/// The checks that failed and what they said: among a hundred that passed, a log that is cut short loses them.
fn what_is_not_ok(outcome: &Outcome) -> String {
    let lines = outcome
        .stdout
        .lines()
        .filter(|line| !line.starts_with("ok "));
    let lines: Vec<&str> = lines.collect();
    format!(
        "exit code {:?}\n{}\n{}",
        outcome.code,
        lines.join("\n"),
        outcome.stderr
    )
}

#[test]
fn podman_runs_containers() {
    check("podman", "/usr/bin/podman", "podman");
}

#[test]
fn podman_of_an_ordinary_user_runs_containers() {
    require_program("/usr/bin/newuidmap", "uidmap");
    check("podman-rootless", "/usr/bin/podman", "podman");
}

#[test]
fn containerd_runs_containers() {
    check("containerd", "/usr/bin/containerd", "containerd");
}

#[test]
fn containerd_runs_containers_with_our_shim() {
    require_program("/usr/bin/containerd", "containerd");
    // Taken along with the runtime that is beside it.
    let _ = containerd_shim();
    check("containerd-opt", "/usr/bin/runc", "runc");
}

#[test]
fn docker_runs_containers() {
    check("docker", "/usr/sbin/dockerd", "docker.io");
}
