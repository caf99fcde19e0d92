//! `Wait`: an answer that comes when a process has ended. No thread waits for it.

use containerd_shim_protos::api::{WaitRequest, WaitResponse};

use super::Shim;
use super::api::encoded;
use super::errors::status;
use super::process::Exit;
use super::table::Table;
use crate::ttrpc::Reply;
use crate::typed::timestamp;
use crate::worker::Failure;

/// Who waits, and for what.
#[derive(Debug)]
pub struct Waiting {
    id: String,
    exec_id: String,
    reply: Reply,
}

impl Shim {
    /// Answers when the process has ended, or isn't there (any more).
    pub(super) fn wait(&self, request: WaitRequest, reply: Reply) {
        let waiting = Waiting {
            id: request.id,
            exec_id: request.exec_id,
            reply,
        };
        self.table().waiting.push(waiting);
        self.tell_waiting();
    }

    /// Answers whoever waits for a process whose end has been told.
    pub(super) fn tell_waiting(&self) {
        let mut table = self.table();
        let (mut told, mut left) = (vec![], vec![]);
        for waiting in std::mem::take(&mut table.waiting) {
            match table.outcome(&waiting) {
                Some(outcome) => told.push((waiting.reply, outcome)),
                None => left.push(waiting),
            }
        }
        table.waiting = left;
        drop(table);
        for (reply, outcome) in told {
            let answer = outcome.map(|exit| WaitResponse {
                exit_status: exit.code,
                exited_at: Some(timestamp(exit.at)).into(),
                ..WaitResponse::default()
            });
            let answer = answer.and_then(|answer| encoded(&answer));
            reply.send(answer.map_err(|failure| status(&failure)));
        }
    }
}

impl Table {
    /// `None` while the process may still end, or what it wrote isn't read yet.
    fn outcome(&mut self, waiting: &Waiting) -> Option<Result<Exit, Failure>> {
        match self.process(&waiting.id, &waiting.exec_id) {
            Ok(process) if process.is_told => process.exit.map(Ok),
            Ok(_) => None,
            Err(failure) => Some(Err(failure)),
        }
    }
}
