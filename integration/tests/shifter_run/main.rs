//! `shifter --image=… COMMAND`, as root on a user's behalf and without root: what the command sees, what it can't do, and what is
//! left.

mod cache;
mod compat;
mod devices;
mod digests;
mod directory;
mod ending;
mod hooks;
mod inside;
mod job;
mod job_digests;
mod local;
mod refused;
mod rootless;
mod site;
mod sshd;
mod tasks;
mod terminal;
mod told;
mod volumes;
