//! A process that containerd asked for: a container's first, or one executed in it.

use std::time::SystemTime;

use containerd_shim_protos::api::Status;

use crate::stdio::{Attached, Paths};

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct Exit {
    /// Its exit code, or 128 and the signal.
    pub code: u32,
    /// When.
    pub at: SystemTime,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Asked for and not made: executed ones begin so.
    Added,
    /// Made; waits for `Start`, as first ones do.
    Created,
    /// Being started; its end, if it comes meanwhile, is told afterwards.
    Starting,
    /// Started.
    Running,
    /// Ended.
    Stopped,
}

/// What is known of it.
#[derive(Debug)]
pub struct Process {
    /// 0 until it is made.
    pub pid: i32,
    /// How far it is.
    pub phase: Phase,
    /// How it ended, once it has.
    pub exit: Option<Exit>,
    /// Whether its end has been told: when what it wrote has been read.
    pub is_told: bool,
    /// Its standard streams, as containerd names them.
    pub paths: Paths,
    /// The same, once it has them.
    pub streams: Option<Attached>,
    /// Whether its input was closed before it had any: whoever writes may be quicker than the process is made.
    pub is_input_closed: bool,
    /// What to execute, in OCI's form; of a first process, its bundle says.
    pub spec: String,
}

impl Process {
    /// One that isn't made yet.
    pub fn added(paths: Paths, spec: String) -> Self {
        Self {
            pid: 0,
            phase: Phase::Added,
            exit: None,
            is_told: false,
            paths,
            streams: None,
            is_input_closed: false,
            spec,
        }
    }

    /// In containerd's words.
    pub fn status(&self, is_paused: bool) -> Status {
        match self.phase {
            Phase::Added | Phase::Created => Status::CREATED,
            Phase::Starting | Phase::Running if is_paused => Status::PAUSED,
            Phase::Starting => Status::CREATED,
            Phase::Running => Status::RUNNING,
            Phase::Stopped => Status::STOPPED,
        }
    }

    /// Gives it its streams.
    pub fn attach(&mut self, streams: Attached) {
        if self.is_input_closed {
            streams.close_input();
        }
        self.streams = Some(streams);
    }

    /// Lets its input end with its last writer.
    pub fn close_input(&mut self) {
        self.is_input_closed = true;
        if let Some(streams) = &self.streams {
            streams.close_input();
        }
    }

    /// Notes its end.
    pub fn end(&mut self, exit: Exit) {
        self.exit = Some(exit);
        self.phase = Phase::Stopped;
        if let Some(streams) = &self.streams {
            streams.process_has_ended();
        }
    }
}
