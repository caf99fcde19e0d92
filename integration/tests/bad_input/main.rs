//! Bad input: what a user, an engine or an attacker can give that is wrong. Each is refused in one clear line
//! that names what and where, with a code that isn't 0, in the form of log that was asked for, and leaves
//! nothing behind: no state, cgroup, mount or process.

mod arguments;
mod config;
mod containers;
mod files;
mod ids;
mod refusal;
mod table;
