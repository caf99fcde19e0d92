//! The promise against a sealed spec, and against that spec with one thing broken at a time.

mod explained;
mod guards;
mod processes;
mod shared_tasks;
mod specs;

use oci_spec::runtime::Spec;
use serde_json::Value;

use super::*;
use crate::seccomp;

const SEALED: &str = include_str!("../../../tests/data/promise/sealed.json");

/// A spec as the Opt-Server's builder makes it, with the profile of today.
fn sealed() -> Value {
    let mut spec: Value = serde_json::from_str(SEALED).unwrap();
    spec["linux"]["seccomp"] = serde_json::to_value(seccomp::opt_server().to_oci()).unwrap();
    spec
}

fn read(spec: &Value) -> Spec {
    serde_json::from_value(spec.clone()).unwrap()
}
