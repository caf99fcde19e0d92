//! Users take away what they brought.

use super::{Failure, Gateway};
use crate::auth::Session;
use crate::state::Status;

impl Gateway {
    /// Removes an image: its owner's right, and an administrator's.
    ///
    /// # Errors
    /// Where there is none that he may know of, or it isn't his.
    pub fn delete(&self, session: &Session, system: &str, id: &str) -> Result<(), Failure> {
        let image = self.inspect(session, system, id)?;
        if image.owner != session.uid && !self.is_admin(session, system) {
            return Err(Failure::forbidden(
                "an image is removed by who had it pulled first, and by administrators",
            ));
        }
        match image.status {
            Status::Ready => self.remove(&image),
            _ => Ok(()),
        }
    }

    /// Gives a pull up: its requester's right, and an administrator's.
    ///
    /// # Errors
    /// Likewise.
    pub fn cancel(&self, session: &Session, system: &str, number: u64) -> Result<(), Failure> {
        let pull = self.state.see(|memory| memory.pull(number));
        let is_theirs = |uid| uid == session.uid || self.is_admin(session, system);
        let pull = pull
            .filter(|pull| pull.name.system == system && is_theirs(pull.requester.uid))
            .ok_or_else(|| Failure::unknown(format!("{system} has no pull {number} of yours")))?;
        if !pull.status.is_final() {
            self.queue.cancel(number);
        }
        Ok(())
    }
}
