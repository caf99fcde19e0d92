//! Looking an image up: what every start of a container does first.

use std::sync::Arc;

use super::{Failure, Gateway};
use crate::auth::Session;
use crate::state::{Image, Lookup, now};

impl Gateway {
    /// The image that is ready under this name, for `session`. Whoever asks keeps it from expiring.
    ///
    /// # Errors
    /// Where there is none that he may use.
    pub fn look_up(
        &self,
        session: &Session,
        system: &str,
        kind: &str,
        tag: &str,
    ) -> Result<Arc<Image>, Failure> {
        let name = self.name(system, kind, tag)?;
        let image = self
            .state
            .see(|memory| memory.named(&name))
            .filter(|image| may_use(image, session))
            .ok_or_else(|| {
                Failure::unknown(format!(
                    "{system} has no image {}:{} that is yours to use",
                    name.kind.as_str(),
                    name.tag
                ))
            })?;
        let now = now();
        if let Some(timeout) = self.configuration.expiration {
            let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            self.state
                .move_expiration(&image, now.saturating_add(timeout));
        }
        if self.configuration.metrics {
            self.state.remember(Lookup {
                user: session.user.clone(),
                uid: session.uid,
                system: name.system,
                kind: name.kind,
                tag: name.tag,
                id: image.id.clone(),
                time: seconds(now),
            });
        }
        Ok(image)
    }

    /// The image of this identifier, for whoever may use it.
    ///
    /// # Errors
    /// Likewise.
    pub fn inspect(
        &self,
        session: &Session,
        system: &str,
        id: &str,
    ) -> Result<Arc<Image>, Failure> {
        self.platform(system)?;
        let image = self.state.see(|memory| memory.image(system, id));
        image
            .filter(|image| may_use(image, session) || self.is_admin(session, system))
            .ok_or_else(|| Failure::unknown(format!("{system} has no image {id:?}")))
    }

    /// The last lookups, for administrators; nothing for others, as Shifter has it.
    ///
    /// # Errors
    /// Where there is no such system.
    pub fn last_lookups(
        &self,
        session: &Session,
        system: &str,
        most: usize,
    ) -> Result<Vec<Lookup>, Failure> {
        self.platform(system)?;
        Ok(match self.is_admin(session, system) {
            true => self.state.last_lookups(system, most),
            false => vec![],
        })
    }
}

/// Whether an image is `session`'s to use. Administrators use what others do.
pub(super) fn may_use(image: &Image, session: &Session) -> bool {
    !image.private || image.access.lets(session)
}

/// As Python's clocks have it.
#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are fewer than 2^53"
)]
pub fn seconds(moment: u64) -> f64 {
    moment as f64 / 1000.0
}
