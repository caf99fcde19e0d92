//! `containerd-shim-opt-v1`: containerd's shim, `io.containerd.opt.v1`, with the runtime linked in.
//!
//! containerd executes the program with an action ([`actions`]): `start` brings up a *shim*, one for all containers
//! of a pod; `delete` clears away what a dead one left. The shim serves the task API ([`service`], over [`ttrpc`]) in
//! threads, so it never forks. What touches containers is done in a *worker*, a process of its own for each operation ([`worker`]),
//! which a single-threaded *helper* forks ([`helper`]). The shim is the subreaper of them all: when a worker is done,
//! the container's process becomes the shim's child, and its exit status reaches nobody else.

mod actions;
mod address;
mod bundle;
mod flags;
mod helper;
mod log;
mod program;
mod publisher;
mod service;
mod stdio;
mod ttrpc;
mod typed;
mod worker;

pub use program::{command, main};
