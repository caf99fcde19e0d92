//! What containerd asks of containers and processes that are there.

use std::time::SystemTime;

use containerd_shim_protos::api::{
    CheckpointTaskRequest, KillRequest, ProcessInfo, StateResponse, UpdateTaskRequest,
};
use containerd_shim_protos::events::task::{TaskCheckpointed, TaskDelete, TaskPaused, TaskResumed};
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::shim::oci::{CheckpointOptions, ProcessDetails};
use rustix::process::{Pid, Signal, kill_process};

use super::errors::{invalid, not_found, precondition};
use super::process::{Exit, Phase};
use super::{Shim, metrics};
use crate::worker::{Answer, Checkpoint, Failure, FailureKind, Operation};
use crate::{log, typed};

/// The words after which engines look.
const FINISHED: &str = "process already finished";

impl Shim {
    pub(super) fn state(&self, id: &str, exec_id: &str) -> Result<StateResponse, Failure> {
        let mut table = self.table();
        let container = table.container(id)?;
        let (bundle, is_paused) = (container.bundle.clone(), container.is_paused);
        let process = table.process(id, exec_id)?;
        let mut response = StateResponse {
            id: id.to_owned(),
            bundle: bundle.display().to_string(),
            pid: process.pid.cast_unsigned(),
            status: process.status(is_paused).into(),
            stdin: process.paths.stdin.clone(),
            stdout: process.paths.stdout.clone(),
            stderr: process.paths.stderr.clone(),
            terminal: process.paths.terminal,
            exec_id: exec_id.to_owned(),
            ..StateResponse::default()
        };
        if let Some(exit) = process.exit {
            response.exit_status = exit.code;
            response.exited_at = Some(typed::timestamp(exit.at)).into();
        }
        Ok(response)
    }

    pub(super) fn kill(&self, request: &KillRequest) -> Result<(), Failure> {
        let mut table = self.table();
        let process = table.process(&request.id, &request.exec_id)?;
        let (pid, phase) = (process.pid, process.phase);
        if !request.exec_id.is_empty() {
            // Not reaped while the table is held: the pid is its own.
            return match phase {
                Phase::Starting | Phase::Running if pid > 0 => signal(pid, request.signal),
                Phase::Stopped => Err(Failure::new(FailureKind::NotFound, FINISHED)),
                _ => Err(precondition(format!(
                    "process \"{}\" isn't started",
                    request.exec_id
                ))),
            };
        }
        let place = table.place(&request.id)?;
        drop(table);
        if phase == Phase::Stopped && !request.all {
            return Err(Failure::new(FailureKind::NotFound, FINISHED));
        }
        let operation = Operation::Kill {
            signal: request.signal,
            all: request.all,
        };
        self.perform(place, operation).map(drop)
    }

    /// Deletes a process that has ended; with the first, the container. Gives its pid and end.
    pub(super) fn delete(&self, id: &str, exec_id: &str) -> Result<(i32, Exit), Failure> {
        let mut table = self.table();
        let process = table.process(id, exec_id)?;
        let was_made = process.phase != Phase::Added;
        if matches!(process.phase, Phase::Starting | Phase::Running) {
            return Err(precondition("cannot delete a running process"));
        }
        let ended = (
            process.pid,
            process.exit.unwrap_or(Exit {
                code: 0,
                at: SystemTime::now(),
            }),
        );
        let streams = process.streams.take();
        let operation = exec_id.is_empty().then(|| Operation::Delete {
            bundle: table
                .containers
                .get(id)
                .map(|container| container.bundle.clone())
                .unwrap_or_default(),
        });
        let place = table.place(id)?;
        drop(table);
        if let Some(streams) = streams.filter(|_| was_made) {
            streams.finish();
        }
        let Some(operation) = operation else {
            self.table().container(id)?.executed.remove(exec_id);
            return Ok(ended);
        };
        self.perform(place, operation)?;
        // A created container's process ends by this.
        let ended = self
            .table()
            .process(id, "")
            .ok()
            .and_then(|process| Some((process.pid, process.exit?)))
            .unwrap_or(ended);
        self.table().containers.remove(id);
        // Whoever waits for a process of it learns that it is gone.
        self.tell_waiting();
        let event = TaskDelete {
            container_id: id.to_owned(),
            pid: ended.0.cast_unsigned(),
            exit_status: ended.1.code,
            exited_at: Some(typed::timestamp(ended.1.at)).into(),
            ..TaskDelete::default()
        };
        self.publisher.publish("/tasks/delete", &event);
        Ok(ended)
    }

    pub(super) fn pause(&self, id: &str) -> Result<(), Failure> {
        let place = self.table().place(id)?;
        self.perform(place, Operation::Pause)?;
        self.table().container(id)?.is_paused = true;
        let event = TaskPaused {
            container_id: id.to_owned(),
            ..TaskPaused::default()
        };
        self.publisher.publish("/tasks/paused", &event);
        Ok(())
    }

    pub(super) fn resume(&self, id: &str) -> Result<(), Failure> {
        let place = self.table().place(id)?;
        self.perform(place, Operation::Resume)?;
        self.table().container(id)?.is_paused = false;
        let event = TaskResumed {
            container_id: id.to_owned(),
            ..TaskResumed::default()
        };
        self.publisher.publish("/tasks/resumed", &event);
        Ok(())
    }

    pub(super) fn pids(&self, id: &str) -> Result<Vec<ProcessInfo>, Failure> {
        let place = self.table().place(id)?;
        let Answer::Pids(pids) = self.perform(place, Operation::Pids)? else {
            return Err(Failure::unknown("no pids came"));
        };
        let mut table = self.table();
        let executed = &table.container(id)?.executed;
        let info = |pid: i32| {
            let of = executed
                .iter()
                .find(|(_, process)| process.pid == pid && process.exit.is_none());
            let details = of.and_then(|(exec_id, _)| {
                let details = ProcessDetails {
                    exec_id: exec_id.clone(),
                    ..ProcessDetails::default()
                };
                typed::pack(&details).ok()
            });
            ProcessInfo {
                pid: pid.cast_unsigned(),
                info: details.into(),
                ..ProcessInfo::default()
            }
        };
        Ok(pids.into_iter().map(info).collect())
    }

    pub(super) fn update(&self, request: UpdateTaskRequest) -> Result<(), Failure> {
        let place = self.table().place(&request.id)?;
        let limits = request
            .resources
            .into_option()
            .ok_or_else(|| invalid("no resources"))?;
        let limits =
            String::from_utf8(limits.value).map_err(|_| invalid("resources: not UTF-8"))?;
        self.perform(place, Operation::Update(limits)).map(drop)
    }

    pub(super) fn stats(&self, id: &str) -> Result<Any, Failure> {
        let place = self.table().place(id)?;
        match self.perform(place, Operation::Stats)? {
            Answer::Stats(stats) => metrics::of(&stats).map_err(Failure::unknown),
            _ => Err(Failure::unknown("no counts came")),
        }
    }

    pub(super) fn checkpoint(&self, request: &CheckpointTaskRequest) -> Result<(), Failure> {
        let place = self.table().place(&request.id)?;
        let options = match request.options.as_ref() {
            Some(any) => typed::unpack::<CheckpointOptions>(any)
                .map_err(|error| invalid(format!("options: {error}")))?,
            None => None,
        };
        let options = options.unwrap_or_default();
        let operation = Operation::Checkpoint(Checkpoint {
            images: request.path.clone().into(),
            work: Some(options.work_path.into())
                .filter(|path: &std::path::PathBuf| !path.as_os_str().is_empty()),
            exit: options.exit,
            open_tcp: options.open_tcp,
            external_unix_sockets: options.external_unix_sockets,
            terminal: options.terminal,
            file_locks: options.file_locks,
            cgroups_mode: options.cgroups_mode,
        });
        self.perform(place, operation)?;
        let event = TaskCheckpointed {
            container_id: request.id.clone(),
            checkpoint: request.path.clone(),
            ..TaskCheckpointed::default()
        };
        self.publisher.publish("/tasks/checkpointed", &event);
        Ok(())
    }

    pub(super) fn resize(
        &self,
        id: &str,
        exec_id: &str,
        rows: u32,
        columns: u32,
    ) -> Result<(), Failure> {
        let size =
            |number: u32| u16::try_from(number).map_err(|_| invalid(format!("size {number}")));
        let (rows, columns) = (size(rows)?, size(columns)?);
        let mut table = self.table();
        match &table.process(id, exec_id)?.streams {
            Some(streams) => streams.resize(rows, columns).map_err(Failure::unknown),
            None => Err(precondition("the process isn't started")),
        }
    }

    pub(super) fn close_input(&self, id: &str, exec_id: &str) -> Result<(), Failure> {
        self.table().process(id, exec_id)?.close_input();
        Ok(())
    }

    /// The pid of the container's first process.
    pub(super) fn first_pid(&self, id: &str) -> Result<i32, Failure> {
        Ok(self.table().container(id)?.init.pid)
    }

    /// Whether the shim is to end when containerd says so: it has no containers.
    pub(super) fn is_idle(&self) -> bool {
        self.table().is_idle()
    }

    /// Logs a request that failed: containerd tells its client only.
    pub(super) fn note(&self, request: &str, failure: &Failure) {
        if failure.kind == FailureKind::Unknown {
            log::warn(&format!("{request}: {failure}"));
        }
    }
}

fn signal(pid: i32, number: u32) -> Result<(), Failure> {
    let number = i32::try_from(number).map_err(|_| invalid(format!("signal {number}")))?;
    let pid = Pid::from_raw(pid).ok_or_else(|| not_found("process", "0"))?;
    let signal =
        Signal::from_named_raw(number).ok_or_else(|| invalid(format!("signal {number}")))?;
    match kill_process(pid, signal) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::SRCH) => Err(Failure::new(FailureKind::NotFound, FINISHED)),
        Err(errno) => Err(Failure::unknown(errno)),
    }
}
