//! `Exec` and `Start`.

use std::sync::Arc;

use containerd_shim_protos::api::ExecProcessRequest;
use containerd_shim_protos::events::task::{TaskExecAdded, TaskExecStarted, TaskStart};

use super::errors::{exists, invalid, precondition};
use super::process::{Phase, Process};
use super::table::Ended;
use super::{Shim, oom};
use crate::log;
use crate::stdio::Paths;
use crate::worker::{Answer, Failure, Operation};

impl Shim {
    /// Notes a process that `Start` is to execute.
    pub(super) fn add(&self, request: ExecProcessRequest) -> Result<(), Failure> {
        let mut table = self.table();
        let container = table.container(&request.id)?;
        if container.executed.contains_key(&request.exec_id) {
            return Err(exists("process", &request.exec_id));
        }
        let spec = request.spec.into_option().unwrap_or_default().value;
        let spec = String::from_utf8(spec).map_err(|_| invalid("process: not UTF-8"))?;
        let paths = Paths {
            stdin: request.stdin,
            stdout: request.stdout,
            stderr: request.stderr,
            terminal: request.terminal,
        };
        let event = TaskExecAdded {
            container_id: request.id.clone(),
            exec_id: request.exec_id.clone(),
            ..TaskExecAdded::default()
        };
        container
            .executed
            .insert(request.exec_id, Process::added(paths, spec));
        self.publisher.publish("/tasks/exec-added", &event);
        Ok(())
    }

    /// Starts a container, or a process in it; gives its pid.
    pub(super) fn start(self: &Arc<Self>, id: &str, exec_id: &str) -> Result<i32, Failure> {
        match exec_id {
            "" => self.start_first(id),
            exec_id => self.execute(id, exec_id),
        }
    }

    fn start_first(self: &Arc<Self>, id: &str) -> Result<i32, Failure> {
        let mut table = self.table();
        let place = table.place(id)?;
        let init = &mut table.container(id)?.init;
        if init.phase != Phase::Created {
            return Err(precondition(format!(
                "task \"{id}\" isn't created, or was started"
            )));
        }
        init.phase = Phase::Starting;
        let pid = init.pid;
        drop(table);
        // Before it runs: it may want more memory at once.
        oom::watch(self, &place);
        let started = self.perform(place, Operation::Start).map(drop);
        if started.is_ok() {
            let event = TaskStart {
                container_id: id.to_owned(),
                pid: pid.cast_unsigned(),
                ..TaskStart::default()
            };
            self.publisher.publish("/tasks/start", &event);
        }
        self.end_start(id, "", started.is_ok());
        started.map(|()| pid)
    }

    fn execute(self: &Arc<Self>, id: &str, exec_id: &str) -> Result<i32, Failure> {
        let mut table = self.table();
        let place = table.place(id)?;
        let process = table.process(id, exec_id)?;
        if process.phase != Phase::Added {
            return Err(precondition(format!("process \"{exec_id}\" was started")));
        }
        let (streams, descriptors) = process.paths.prepare().map_err(Failure::unknown)?;
        let spec = process.spec.clone();
        process.phase = Phase::Starting;
        table.begin_making();
        drop(table);
        let answer = self.perform_with(place, Operation::Exec(spec), descriptors);
        let made = match answer {
            Ok(Answer::Process(pid)) => Ok(pid),
            Ok(_) => Err(Failure::unknown("no pid came")),
            Err(failure) => Err(failure),
        };
        let mut table = self.table();
        let exit = table.end_making(made.as_ref().ok().copied());
        let process = table.process(id, exec_id)?;
        let pid = match made {
            Ok(pid) => pid,
            Err(failure) => {
                process.phase = Phase::Stopped;
                return Err(failure);
            }
        };
        process.pid = pid;
        process.exit = exit;
        match streams.attach() {
            Ok(streams) => process.attach(streams),
            // It runs; only what it prints is lost.
            Err(error) => log::warn(&format!("{id}: process {exec_id}: {error}")),
        }
        let event = TaskExecStarted {
            container_id: id.to_owned(),
            exec_id: exec_id.to_owned(),
            pid: pid.cast_unsigned(),
            ..TaskExecStarted::default()
        };
        self.publisher.publish("/tasks/exec-started", &event);
        drop(table);
        self.end_start(id, exec_id, true);
        Ok(pid)
    }

    /// The process runs, or its end has come meanwhile and is told now. One that didn't start ends soon.
    fn end_start(self: &Arc<Self>, id: &str, exec_id: &str, has_started: bool) {
        let mut table = self.table();
        let Ok(container) = table.container(id) else {
            return;
        };
        let leaves_others = exec_id.is_empty() && !container.has_pid_namespace;
        let Ok(process) = table.process(id, exec_id) else {
            return;
        };
        let Some(exit) = process.exit else {
            process.phase = if has_started {
                Phase::Running
            } else {
                Phase::Created
            };
            return;
        };
        process.end(exit);
        let ended = Ended {
            container: id.to_owned(),
            exec_id: exec_id.to_owned(),
            pid: process.pid,
            exit,
            leaves_others,
        };
        self.tell_end(&mut table, &ended);
        drop(table);
        self.tell_waiting();
    }
}
