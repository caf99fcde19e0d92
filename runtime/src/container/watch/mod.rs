//! Holding a command to limits that the kernel doesn't enforce by itself, and finding out what it used and
//! which limit ended it.
//!
//! The kernel refuses memory, processes, file sizes and space; it tells of it in counters, which are read here,
//! and the whole sandbox is ended then: what is left of a command whose parts were killed or refused would
//! only go on to fail in its own ways. Time and output are this process's own to measure.

mod baseline;
mod looked;
mod output;
mod refusals;
mod scratch;
mod watcher;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bundles::seccomp::Refusal;

pub(super) use baseline::Baseline;
pub use looked::{Looked, Wanted};
pub(super) use output::Pump;
pub(super) use watcher::{Moment, Order, Watch};

/// What a command is held to, and what is to be found out about it. Limits that the kernel enforces (memory,
/// processes, the size of a file) are in the bundle.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// How long it may run: it is then asked to end by SIGTERM, and killed after [`Self::grace`].
    pub wall_time: Option<Duration>,
    /// Processor time of all its processes together. It is killed [`Self::grace`] later, so that the time that
    /// it would have needed can be told where that is little more.
    pub cpu_time: Option<Duration>,
    /// See the two above.
    pub grace: Duration,
    /// Bytes on standard output and standard error together.
    pub output: Option<u64>,
    /// Whether a command that prints more goes on, and the rest of its output is dropped.
    pub truncates_output: bool,
    /// Whether to count those bytes, even without a limit.
    pub counts_output: bool,
    /// A file system of its own inside. Where it is full when the command fails, that is told.
    pub scratch: Option<PathBuf>,
    /// Whether a command that fills it up is ended.
    pub limits_scratch: bool,
    /// Whether the size of a file is limited, and a command that dies of SIGXFSZ died of that.
    pub limits_file_size: bool,
    /// Whether to tell which system calls were refused.
    pub tells_refusals: bool,
    /// Whether to tell what it looked for, opened and executed, and tried to. Each such call takes longer then.
    pub observes: bool,
}

/// A limit that ended a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The kernel killed one of its processes for want of memory.
    Memory,
    /// It ran too long.
    WallTime,
    /// It used too much processor time.
    CpuTime,
    /// It was refused a process or thread.
    Processes,
    /// It printed too much.
    Output,
    /// It wrote a file beyond the size that it may have.
    FileSize,
    /// It filled its temporary directory.
    Scratch,
}

impl Bound {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::WallTime => "wall-time",
            Self::CpuTime => "cpu-time",
            Self::Processes => "processes",
            Self::Output => "output",
            Self::FileSize => "file-size",
            Self::Scratch => "scratch",
        }
    }
}

/// What a command used, from its start to its end.
#[derive(Debug, Clone)]
pub struct Measured {
    /// When it was started.
    pub started: SystemTime,
    /// How long it ran.
    pub wall: Duration,
    /// Processor time of all its processes in their own code.
    pub user: Duration,
    /// Processor time of all its processes in the kernel.
    pub system: Duration,
    /// The most memory that it had at a time, file caches included, bytes; absent where nobody counts it.
    pub peak_memory: Option<u64>,
    /// The limit that it exceeded, the first one.
    pub exceeded: Option<Bound>,
    /// Whether it ended after the caller had sent a signal to end it, or was killed.
    pub is_stopped: bool,
    /// What it printed, where that was counted.
    pub output: Option<Printed>,
    /// The system calls that it was refused, the most frequent first, where that was to be told.
    pub refused: Option<Vec<Refused>>,
    /// What it looked for, opened and executed, and tried to, the latest last, where that was observed.
    pub looked: Vec<Looked>,
}

impl Bounds {
    /// What of the system calls is to be told.
    pub(super) fn telling(&self) -> Telling {
        match (self.observes, self.tells_refusals) {
            (true, _) => Telling::RefusedAndFiles,
            (false, true) => Telling::Refused,
            (false, false) => Telling::Nothing,
        }
    }
}

/// Which system calls the runtime is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Telling {
    /// None.
    #[default]
    Nothing,
    /// Those that the filter refuses.
    Refused,
    /// These, and those that name a file to look for, open or execute.
    RefusedAndFiles,
}

impl Telling {
    /// Calls to be told of though they pass.
    pub(super) fn observed(self) -> &'static [&'static str] {
        match self {
            Self::RefusedAndFiles => looked::OBSERVED,
            Self::Nothing | Self::Refused => &[],
        }
    }
}

/// What a command printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printed {
    /// Bytes that reached the caller.
    pub bytes: u64,
    /// Whether there was more.
    pub is_truncated: bool,
}

/// A system call that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The call, and the rule that refuses it.
    pub refusal: Refusal,
    /// With which errno.
    pub errno: u16,
    /// How often.
    pub count: u64,
}
