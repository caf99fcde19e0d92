//! Passwords for the queue's page, for browsers can neither make munge credentials nor shall they keep tokens.
//!
//! Whoever has proved himself in the usual way has one made: for one system, for a working day, for that page and for
//! nothing else. In memory only, as a digest.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use daemon::{Digest, NoRandom, fresh};

use super::session::{Scope, Session};

/// What a password begins with.
const PREFIX: &str = "page_";

/// How long one is good for.
pub const GOOD_FOR: Duration = Duration::from_secs(8 * 3600);

/// So many at once are remembered; the oldest make room.
const MOST: usize = 10_000;

#[derive(Debug)]
struct Held {
    digest: Digest,
    system: String,
    session: Session,
    until: Instant,
}

/// The passwords that are good now, the oldest first.
#[derive(Debug, Default)]
pub(super) struct PagePasswords {
    held: Mutex<Vec<Held>>,
}

impl PagePasswords {
    /// Makes one for `session`, in the place of the one that it had for this system.
    pub(super) fn make(&self, session: &Session, system: &str) -> Result<String, NoRandom> {
        self.make_at(session, system, Instant::now())
    }

    fn make_at(&self, session: &Session, system: &str, now: Instant) -> Result<String, NoRandom> {
        let password = fresh(PREFIX)?;
        let mut held = self.lock();
        held.retain(|held| {
            let is_own = held.session.uid == session.uid && held.system == system;
            held.until > now && !is_own
        });
        if held.len() >= MOST {
            held.remove(0);
        }
        held.push(Held {
            digest: Digest::of(&password),
            system: system.to_owned(),
            session: Session {
                registries: Default::default(),
                scope: Scope::Page,
                ..session.clone()
            },
            until: now + GOOD_FOR,
        });
        Ok(password)
    }

    /// Whose `password` is, if it is `user`'s and for this system.
    pub(super) fn session(&self, user: &str, password: &str, system: &str) -> Option<Session> {
        self.session_at(user, password, system, Instant::now())
    }

    fn session_at(
        &self,
        user: &str,
        password: &str,
        system: &str,
        now: Instant,
    ) -> Option<Session> {
        let digest = Digest::of(password);
        let held = self.lock();
        let found = held.iter().find(|held| held.digest.is(&digest))?;
        let is_good = found.until > now && found.system == system && found.session.user == user;
        is_good.then(|| found.session.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Held>> {
        self.held
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Session {
        Session {
            user: "ann".to_owned(),
            uid: 1000,
            ..Session::default()
        }
    }

    #[test]
    fn a_password_is_one_users_for_one_system_and_for_a_day() {
        let passwords = PagePasswords::default();
        let now = Instant::now();
        let make = |system: &str| passwords.make_at(&ann(), system, now).unwrap();
        let (first, other) = (make("a"), make("b"));
        let session = passwords.session_at("ann", &first, "a", now).unwrap();
        assert_eq!((session.uid, session.scope), (1000, Scope::Page));
        for (user, password, system) in [
            ("bob", &first, "a"),
            ("", &first, "a"),
            ("ann", &first, "b"),
            ("ann", &other, "a"),
            ("ann", &"page_".to_owned(), "a"),
        ] {
            let found = passwords.session_at(user, password, system, now);
            assert!(found.is_none(), "{user} {system}");
        }
        let late = now + GOOD_FOR;
        assert!(passwords.session_at("ann", &first, "a", late).is_none());
        let second = make("a");
        assert!(passwords.session_at("ann", &first, "a", now).is_none());
        assert!(passwords.session_at("ann", &second, "a", now).is_some());
        assert!(passwords.session_at("ann", &other, "b", now).is_some());
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let passwords = PagePasswords::default();
        let now = Instant::now();
        let make = |uid: u32| {
            let session = Session { uid, ..ann() };
            passwords.make_at(&session, "a", now).unwrap()
        };
        let most = u32::try_from(MOST).unwrap();
        let first = make(0);
        let second = make(1);
        for uid in 2..=most {
            make(uid);
        }
        assert!(passwords.session_at("ann", &first, "a", now).is_none());
        assert!(passwords.session_at("ann", &second, "a", now).is_some());
        assert_eq!(passwords.lock().len(), MOST);
    }
}
