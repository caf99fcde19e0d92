//! The containers and processes of a shim.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Place;
use super::errors::not_found;
use super::process::{Exit, Phase, Process};
use super::wait::Waiting;
use crate::stdio::Copier;
use crate::worker::Failure;

/// A container.
#[derive(Debug)]
pub struct Container {
    /// Its bundle.
    pub bundle: PathBuf,
    /// Where its state is.
    pub store: PathBuf,
    /// Whether its processes all end with the first.
    pub has_pid_namespace: bool,
    /// Whether it was paused.
    pub is_paused: bool,
    /// Its first process.
    pub init: Process,
    /// Those executed in it, by the ids that containerd gave them.
    pub executed: HashMap<String, Process>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Table {
    /// The containers, by their ids.
    pub containers: HashMap<String, Container>,
    /// Who waits for the end of a process.
    pub waiting: Vec<Waiting>,
    /// How many processes are being made, whose pids aren't known yet.
    making: usize,
    /// Ends of processes that weren't known; kept while one of them may be one that is being made.
    early: HashMap<i32, Exit>,
}

/// Whose end it was.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The container.
    pub container: String,
    /// The id of the process; empty for its first.
    pub exec_id: String,
    /// Its pid.
    pub pid: i32,
    /// How it ended.
    pub exit: Exit,
    /// Whether other processes of the container go on, which nobody would end.
    pub leaves_others: bool,
}

impl Table {
    /// The container `id`.
    pub fn container(&mut self, id: &str) -> Result<&mut Container, Failure> {
        self.containers
            .get_mut(id)
            .ok_or_else(|| not_found("task", id))
    }

    /// The process `exec_id` of the container `id`, its first where that is empty.
    pub fn process(&mut self, id: &str, exec_id: &str) -> Result<&mut Process, Failure> {
        let container = self.container(id)?;
        match exec_id {
            "" => Ok(&mut container.init),
            exec_id => container
                .executed
                .get_mut(exec_id)
                .ok_or_else(|| not_found("process", exec_id)),
        }
    }

    /// Where operations find the container `id`.
    pub fn place(&mut self, id: &str) -> Result<Place, Failure> {
        let store = self.container(id)?.store.clone();
        Ok(Place {
            store,
            id: id.to_owned(),
        })
    }

    /// Whether there is no container, and none is being made.
    pub fn is_idle(&self) -> bool {
        self.containers.is_empty() && self.making == 0
    }

    /// A process is about to be made.
    pub fn begin_making(&mut self) {
        self.making += 1;
    }

    /// It was, as `pid`, or it wasn't; gives its end if that has come already.
    pub fn end_making(&mut self, pid: Option<i32>) -> Option<Exit> {
        let exit = pid.and_then(|pid| self.early.remove(&pid));
        self.making = self.making.saturating_sub(1);
        if self.making == 0 {
            self.early.clear();
        }
        exit
    }

    /// Notes that the child `pid` has ended; whose end that is to be told now, if anybody's.
    pub fn note_end(&mut self, pid: i32, exit: Exit) -> Option<Ended> {
        for (id, container) in &mut self.containers {
            let leaves_others = !container.has_pid_namespace;
            let first = std::iter::once(("", &mut container.init, leaves_others));
            let others = container.executed.iter_mut();
            let others = others.map(|(id, process)| (id.as_str(), process, false));
            let found = first
                .chain(others)
                .find(|(_, process, _)| process.pid == pid && process.exit.is_none());
            let Some((name, process, leaves_others)) = found else {
                continue;
            };
            let exec_id = name.to_owned();
            if process.phase == Phase::Starting {
                // Told by whoever starts it, after its start.
                process.exit = Some(exit);
                return None;
            }
            process.end(exit);
            return Some(Ended {
                container: id.clone(),
                exec_id,
                pid,
                exit,
                leaves_others,
            });
        }
        if self.making > 0 {
            self.early.insert(pid, exit);
        }
        None
    }

    fn ended(&mut self, ended: &Ended) -> Option<&mut Process> {
        self.process(&ended.container, &ended.exec_id).ok()
    }

    /// Who copies what it wrote, if anybody does.
    pub fn copier(&mut self, ended: &Ended) -> Option<Copier> {
        self.ended(ended)?.streams.as_ref()?.copier()
    }

    /// Notes that its end is told.
    pub fn note_told(&mut self, ended: &Ended) {
        if let Some(process) = self.ended(ended) {
            process.is_told = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::stdio::Paths;

    fn exit(code: u32) -> Exit {
        Exit {
            code,
            at: SystemTime::now(),
        }
    }

    fn process(pid: i32, phase: Phase) -> Process {
        Process {
            pid,
            phase,
            ..Process::added(Paths::default(), String::new())
        }
    }

    fn table() -> Table {
        let mut table = Table::default();
        let container = Container {
            bundle: "/b".into(),
            store: "/s".into(),
            has_pid_namespace: false,
            is_paused: false,
            init: process(10, Phase::Running),
            executed: HashMap::from([("e".to_owned(), process(11, Phase::Starting))]),
        };
        table.containers.insert("one".to_owned(), container);
        table
    }

    #[test]
    fn an_end_is_told_once_and_not_before_the_start() {
        let mut table = table();
        let ended = table.note_end(10, exit(3)).unwrap();
        assert_eq!(
            (ended.exec_id.as_str(), ended.exit.code, ended.leaves_others),
            ("", 3, true)
        );
        assert!(table.note_end(10, exit(4)).is_none());
        assert!(table.note_end(11, exit(5)).is_none());
        let executed = table.process("one", "e").unwrap();
        assert_eq!(executed.exit.unwrap().code, 5);
        assert_eq!(executed.phase, Phase::Starting);
    }

    #[test]
    fn an_end_that_comes_before_the_pid_is_kept_while_somebody_makes_a_process() {
        let mut table = table();
        assert!(table.note_end(20, exit(1)).is_none());
        table.begin_making();
        assert!(table.note_end(21, exit(2)).is_none());
        // One from before isn't the one that is being made.
        assert!(table.end_making(Some(20)).is_none());
        table.begin_making();
        assert!(table.end_making(Some(21)).is_none());
        table.begin_making();
        table.note_end(22, exit(7));
        assert_eq!(table.end_making(Some(22)).unwrap().code, 7);
    }
}
