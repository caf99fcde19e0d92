//! A container from its bundle to its end: our hold on libcontainer.
//!
//! libcontainer makes namespaces, mounts and the first process. What comes before (reading, checking,
//! normalising) and after (finishing, observing, starting, supervising, deleting) is ours.

mod bound_dev;
mod bundle;
mod callers_mounts;
mod capabilities;
mod cgroup;
mod checkpoint;
mod command;
mod copy_up;
mod create;
mod delete;
mod descriptors;
mod environment;
mod error;
mod events;
mod exec;
mod executor;
mod failure;
#[cfg(feature = "fault-points")]
mod fault;
mod finish;
mod first_process;
mod first_snapshot;
mod gate;
mod guardian;

mod handed_over;
mod held_root;
mod hooks;
mod host_options;
mod id_maps;
mod in_cgroup;
mod init;
mod kill;
mod leftovers;
mod lend;
mod listener;
mod members;
mod mount_namespace;
mod mount_options;
mod mount_plan;
mod namespaces;
mod normalise;
mod observe;
mod own_root;
mod ownership;
mod pause;
mod pidfd_socket;
mod prepare;
mod process;
mod ready;
mod remove_tree;
mod resource_limits;
mod run;
mod seccomp;
mod security_modules;
mod signal_number;
mod snapshot;
mod socket_activation;
mod standard_pipes;
mod start;
mod store;
mod stray;
mod supervise;
mod terminal;
mod update;
mod user_hooks;
mod validate;
mod watch;
mod well_formed;
mod whole_file;
mod working_directory;

pub use bundle::{Bundle, CONFIG, parse_process, parse_resources, read_process, read_resources};
pub use cgroup::{OutOfMemory, Placement, Stats};
pub(crate) use cgroup::{SurveyedHierarchy, survey_cgroups, survey_systemd};
pub use checkpoint::{CriuOptions, DumpOptions, RestoreOptions, checkpoint, restore};
pub use create::{CreateOptions, Created, create};
pub use delete::delete;
pub(crate) use descriptors::make_descriptors_sane;
pub use error::{Error, Result};
pub use events::{Event, events, stats};
pub use exec::{
    Changes, ExecOptions, ExecRequest, SubCgroup, SubCgroupError, UserArgument, UserError, exec,
    exec_detached,
};
pub(crate) use guardian::early as early_guardian;
pub use guardian::sweep as sweep_runs;
pub use host_options::{CgroupManager, HostOptions, Rootless};
pub use kill::kill;
pub use lend::{Loan, maps_ids};
pub use members::members;
pub(crate) use mount_options::known as known_mount_options;
pub use pause::{pause, resume};
pub use process::{ProcessId, is_alive, open as open_process};
pub use ready::{LateCommandReader, Ready, Request};
pub use run::{Execution, Outcome, RunOptions, run, run_bounded, run_detached};
pub(crate) use security_modules::{has_apparmor, has_selinux};
pub use signal_number::SignalNumber;
pub use snapshot::{OciState, Snapshot, Status};
pub use socket_activation::activated_sockets;
pub use start::start;
pub use store::{Container, Store, TASKS_PREFIX};
pub use update::update;
pub use watch::{Bound, Bounds, Looked, Measured, Printed, Refused, Telling, Wanted};
