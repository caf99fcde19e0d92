//! What the OCI runtime specification says and the peers do, case by case, for each area.
//!
//! Each case runs under opt-runtime and, as controls, under runc and crun: see [`harness`]. `README.md`
//! says where each of libcontainer's known defects is held.

mod cgroups;
mod commands;
mod devices;
mod ending;
mod exec;
mod harness;
mod hooks;
mod id_mapped;
mod identity;
mod lifecycle;
mod limits;
mod mounts;
mod namespaces;
mod options;
mod paths;
mod process;
mod propagation;
mod root;
mod scheduling;
mod seccomp;
mod standard_streams;
mod state;
