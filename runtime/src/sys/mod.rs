//! All unsafe code of this crate: system calls that no safe wrapper covers. What shims need as well is public.

#[cfg(any(target_env = "musl", test))]
mod allocator;
#[cfg(target_arch = "x86_64")]
mod before_libc;
mod borrowed_memory;
mod bpf;
mod controlling_terminal;
mod descriptor;
mod environment;
mod fork;
mod guard_before_libc;
mod init;
mod keyring;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod memory;
mod mount_attr;
mod namespace;
mod network;
mod populate;
mod scheduler;
mod seccomp;
mod seccomp_listener;
mod signal;
mod signal_mask;
mod user_namespace;

pub(crate) use borrowed_memory::run_in_own_memory;
pub(crate) use bpf::{BpfInstruction, attach_device_filter};
pub(crate) use controlling_terminal::{leave_controlling_terminal, leave_terminal};
pub(crate) use descriptor::{duplicate, read_from, write_to};
pub(crate) use environment::remove_variable;
pub use fork::{clone_child, fork_child};
pub(crate) use fork::{clone_child_into, fork, generation};
pub(crate) use guard_before_libc::{WAKING, guardian, worker};
pub use init::close_descriptors_except;
pub use init::forget_arguments_and_environment;
pub(crate) use init::{
    close_all_descriptors, close_descriptors_from, close_on_exec_from, exit_at_once,
    look_for_arguments,
};
pub(crate) use keyring::join_new_session_keyring;
pub use mount_attr::{MountAttr, mount_setattr};
pub(crate) use namespace::{owner_of, parent_of, user_namespace_of};
pub(crate) use network::bring_up_loopback;
pub(crate) use populate::{populate_after_fork, populate_all, populate_for_a_container};
pub(crate) use scheduler::set_scheduler;
pub(crate) use seccomp::load_filter;
pub(crate) use seccomp_listener::{Answer, Question, answer, is_waiting, next_question};
pub(crate) use signal::{
    FAULTS, OWN, keep_ends_of_children, reset_signal_dispositions, send_signal, send_signal_to_pid,
};
pub(crate) use signal_mask::unblock_signals_in;
pub(crate) use user_namespace::{UnmappedNamespace, user_namespace};
