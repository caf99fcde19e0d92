//! Seccomp: what the bundle asks for is what the process has. runc is the control, and crun where they differ.

mod decisions;
mod listener;
mod process;

use std::sync::atomic::{AtomicU32, Ordering};

use integration::{Bench, Bundle, Runtime, plain};
use serde_json::{Value, json};

const PODMAN: &str = include_str!("../../../bundles/tests/data/seccomp-podman.json");

const BOTH: [Runtime; 2] = [Runtime::Ours, Runtime::Runc];

fn podman() -> Value {
    serde_json::from_str(PODMAN).expect("a profile")
}

/// Everything is allowed but what `rules` say.
fn but(rules: Value) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules })
}

fn with_profile(bench: &Bench, name: &str, words: &[&str], profile: &Value) -> Bundle {
    let bundle = plain::bundle(bench, name, words);
    bundle.edit(|spec| spec["linux"]["seccomp"] = profile.clone());
    bundle
}

/// runc's cgroups have no other name.
fn id() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("seccomp-{}-{number}", std::process::id())
}
