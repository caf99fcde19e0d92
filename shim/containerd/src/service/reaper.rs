//! Waiting for the shim's children: the containers' processes, whose makers are gone, the workers and the helper.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use containerd_shim_protos::events::task::TaskExit;
use rustix::process::{WaitId, WaitIdOptions, WaitOptions, WaitStatus, wait, waitid};

use super::Shim;
use super::process::Exit;
use super::table::{Ended, Table};
use crate::worker::Operation;
use crate::{log, typed};

/// Waits for children for ever.
pub fn reap(shim: &Arc<Shim>) {
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => reap_all(shim),
            Err(rustix::io::Errno::INTR) => {}
            // There is no child, not even a helper: one comes with the next operation.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Under the table's lock: until it is noted that a process has ended, nobody sends a signal to its pid.
fn reap_all(shim: &Arc<Shim>) {
    let mut table = shim.table();
    let (mut ended, mut unknown) = (vec![], vec![]);
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        let exit = Exit {
            code: code(status),
            at: SystemTime::now(),
        };
        match table.note_end(pid.as_raw_pid(), exit) {
            Some(one) => {
                shim.tell_end(&mut table, &one);
                ended.push(one);
            }
            None => unknown.push(pid.as_raw_pid()),
        }
    }
    drop(table);
    shim.tell_waiting();
    for one in ended.into_iter().filter(|one| one.leaves_others) {
        end_others(shim, one.container);
    }
    for pid in unknown {
        shim.helper.has_ended(pid);
    }
}

/// As a shell has it.
fn code(status: WaitStatus) -> u32 {
    let code = match status.exit_status() {
        Some(code) => code,
        None => 128 + status.terminating_signal().unwrap_or(9),
    };
    code.cast_unsigned()
}

impl Shim {
    /// Tells containerd of it: at once, or when what the process wrote has been read.
    pub(super) fn tell_end(self: &Arc<Self>, table: &mut Table, ended: &Ended) {
        let (shim, later) = (Arc::clone(self), ended.clone());
        let tell = move || {
            shim.told(&mut shim.table(), &later);
            shim.tell_waiting();
        };
        let copier = table.copier(ended);
        if !copier.is_some_and(|copier| copier.when_read(Box::new(tell))) {
            self.told(table, ended);
        }
    }

    fn told(&self, table: &mut Table, ended: &Ended) {
        table.note_told(ended);
        self.publish_exit(ended);
    }

    fn publish_exit(&self, ended: &Ended) {
        let event = TaskExit {
            container_id: ended.container.clone(),
            id: match ended.exec_id.as_str() {
                "" => ended.container.clone(),
                exec_id => exec_id.to_owned(),
            },
            pid: ended.pid.cast_unsigned(),
            exit_status: ended.exit.code,
            exited_at: Some(typed::timestamp(ended.exit.at)).into(),
            ..TaskExit::default()
        };
        self.publisher.publish("/tasks/exit", &event);
    }
}

/// Without a pid namespace of its own, a container's other processes outlive the first.
fn end_others(shim: &Arc<Shim>, id: String) {
    let shim = Arc::clone(shim);
    let spawned = thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let Ok(place) = shim.table().place(&id) else {
            return;
        };
        let all = Operation::Kill {
            signal: 9,
            all: true,
        };
        if let Err(failure) = shim.perform(place, all) {
            log::warn(&format!("kill the other processes of {id}: {failure}"));
        }
    });
    if let Err(error) = spawned {
        log::warn(&format!("kill the other processes: {error}"));
    }
}
