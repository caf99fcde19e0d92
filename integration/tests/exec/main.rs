//! `exec`: the new process has all that the container's specification says, and nothing of the caller's.

mod descriptors;
mod ending;
mod identity;
mod joining;
mod pidfd;
mod process_file;
mod rootless;

use std::fs;
use std::time::Duration;

use integration::{Bench, Bundle, Container, Probe, plain};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

/// A bundle whose first process stays.
fn bundle(bench: &Bench, name: &str) -> Bundle {
    let script = "while :; do sleep 1; done";
    let bundle = plain::bundle(bench, name, &["sh", "-c", script]);
    fs::write(
        bundle.rootfs().join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nworker:x:1000:1000::/home/worker:/bin/sh\n",
    )
    .expect("write /etc/passwd");
    bundle
}

/// What the probe sees when `container` executes it.
fn look(container: &Container<'_>, options: &[&str]) -> Value {
    Probe::report(&container.exec_with(options, &["probe", "look"]).run())
}
