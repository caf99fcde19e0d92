//! Images that go: by an administrator's word, or because nobody used them for long.

use std::sync::Arc;

use super::{Failure, Gateway};
use crate::auth::Session;
use crate::state::{Change, Image, Status, now};

impl Gateway {
    /// Has an image removed: whether it is; nothing where there is none of this name.
    ///
    /// # Errors
    /// Where the request can't be understood.
    pub fn expire(
        &self,
        session: &Session,
        system: &str,
        kind: &str,
        tag: &str,
    ) -> Result<Option<bool>, Failure> {
        let name = self.name(system, kind, tag)?;
        if !self.is_admin(session, system) {
            return Ok(Some(false));
        }
        let image = self.state.see(|memory| memory.named(&name));
        image
            .map(|image| self.remove(&image).map(|()| true))
            .transpose()
    }

    /// Has everything removed that expired, on an administrator's word: the identifiers; nothing for others.
    ///
    /// # Errors
    /// Where there is no such system.
    pub fn auto_expire(
        &self,
        session: &Session,
        system: &str,
    ) -> Result<Option<Vec<String>>, Failure> {
        self.platform(system)?;
        match self.is_admin(session, system) {
            true => self.expire_overdue(system).map(Some),
            false => Ok(None),
        }
    }

    /// Has everything of a system removed that expired.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn expire_overdue(&self, system: &str) -> Result<Vec<String>, Failure> {
        let now = now();
        let ready: Vec<Arc<Image>> = self.state.see(|memory| {
            let images = memory.images(system);
            images
                .filter(|image| image.status == Status::Ready)
                .cloned()
                .collect()
        });
        let mut gone = vec![];
        for image in ready {
            if self.state.expiration(&image).is_some_and(|at| at < now) {
                self.remove(&image)?;
                gone.push(image.id.clone());
            }
        }
        Ok(gone)
    }

    /// Has no name lead to an image from now on, and its files removed by a worker.
    pub(super) fn remove(&self, image: &Image) -> Result<(), Failure> {
        let (system, id) = (&image.system, &image.id);
        self.state.change(|memory, _| {
            let Some(image) = memory.image(system, id) else {
                return (vec![], ());
            };
            let mut going = (*image).clone();
            going.status = Status::Expiring;
            (vec![Change::Image(Box::new(going))], ())
        })?;
        self.queue.add_removal(system, id);
        Ok(())
    }
}
