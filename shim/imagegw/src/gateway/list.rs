//! What there is, and what is being made.

use std::sync::Arc;

use super::lookup::may_use;
use super::{Failure, Gateway};
use crate::auth::Session;
use crate::state::{Image, Pull, Status};

/// A pull that isn't finished, or failed a while ago.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The pull.
    pub pull: Arc<Pull>,
    /// Whether who asks may know what it is of, and whose.
    pub is_shown: bool,
    /// Bytes that are done, and of how many.
    pub done: Option<(u64, Option<u64>)>,
}

impl Gateway {
    /// The images that are ready and `session`'s to use.
    ///
    /// # Errors
    /// Where there is no such system.
    pub fn list(&self, session: &Session, system: &str) -> Result<Vec<Arc<Image>>, Failure> {
        self.platform(system)?;
        let is_listed =
            |image: &&Arc<Image>| image.status == Status::Ready && may_use(image, session);
        let images = |memory: &crate::state::Memory| {
            memory.images(system).filter(is_listed).cloned().collect()
        };
        Ok(self.state.see(images))
    }

    /// The pulls of a system, in the order in which they were asked for. What one of them is of, is told to whoever
    /// asked for it and to administrators; of pulls without credentials to everybody.
    ///
    /// # Errors
    /// Where there is no such system.
    pub fn waiting(&self, session: &Session, system: &str) -> Result<Vec<Waiting>, Failure> {
        self.platform(system)?;
        let is_admin = self.is_admin(session, system);
        let pulls: Vec<Arc<Pull>> = self.state.see(|memory| {
            let of_system = memory.pulls().filter(|pull| pull.name.system == system);
            of_system.cloned().collect()
        });
        let waiting = pulls.into_iter().map(|pull| Waiting {
            is_shown: is_admin || pull.only_of().is_none_or(|uid| uid == session.uid),
            done: self.queue.progress(pull.number),
            pull,
        });
        Ok(waiting.collect())
    }
}
