//! The processes of one parallel program on this node, in containers that see each other's.
//!
//! MPI libraries find their peers on a node by pid, and copy from their memory. So the containers of one program's tasks
//! share a pid and a user namespace, and nothing else: each has its own mounts, filter and identity. The first process of
//! that pid namespace is a *keeper* of ours, which belongs to no task. A task finds it by a socket in the user's own
//! directory, gets the namespaces from it as open descriptors, and stays connected: who is connected holds them. The
//! kernel ends connections of whoever ends, however that comes about; with the last one the keeper ends, and with it, by
//! the kernel's doing, every process that is left in the namespace. A keeper that is killed takes all tasks with it.

mod join;
mod keeper;
mod message;
mod program;

pub use join::{Tasks, tell};
pub use program::{Alike, Program};
