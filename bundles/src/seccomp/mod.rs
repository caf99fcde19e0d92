//! Seccomp: profiles as data with a reason per rule, compiled to BPF programs, and simulated.
//!
//! A profile is either one of ours ([`opt_server`]), or any that an OCI bundle brings. [`compile`] makes
//! the program to load, [`compile_strict`] does where a sealed bundle may have the profile;
//! [`Filter::decide`] tells what the kernel would do with a call, without loading anything.
//! [`banned_calls`] are the calls that a sealed bundle's filter has to refuse, whatever its text.

mod additions;
mod allowed;
mod banned;
mod compile;
mod condition;
mod error;
pub mod features;
mod flags;
mod multiplexed;
mod networked;
mod numbers;
mod oci;
mod parallel;
mod policy;
mod profile;
mod program;
mod ranges;
mod refusal;
mod refused;
mod remembered;
mod row;
mod simulate;
mod strict;
mod table;
mod telling;
#[cfg(test)]
mod tests;

pub use additions::{addition_refused, refused_additions, with_calls};
pub use banned::{banned_calls, is_banned_name};
pub(crate) use compile::judged_strictly;
pub use compile::{Filter, compile, compile_strict};
pub use error::SeccompError;
pub use flags::Flags;
pub use networked::networked;
pub use parallel::{CROSS_MEMORY, parallel};
pub use profile::{
    ArgCondition, EAFNOSUPPORT, ENOSYS, EPERM, Profile, Rule, RuleAction, group_of, opt_server,
};
pub use program::Instruction;
pub use refusal::{Refusal, refusal};
pub use simulate::{Call, Decision};
pub use table::{
    AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, X32_BIT,
    native_audit_arch, syscall_name, syscall_number, syscalls,
};
