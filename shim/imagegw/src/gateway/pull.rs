//! Asking for a pull, and asking again how it stands: both are the same request.

use std::io;
use std::sync::Arc;

use super::lookup::may_use;
use super::{Failure, Gateway};
use crate::auth::Session;
use crate::pull::{Credentials, Reference};
use crate::state::{
    Access, Change, Image, Kind, Memory, Moment, Name, Pull, Requester, Status, now,
};

/// A worker that was silent for so long is gone.
const SILENT: Moment = 3_600_000;

/// A change of who may use an image is taken up this soon after its last pull.
const SOON: Moment = 10_000;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Who is to use it, besides whoever asks.
    pub access: Access,
}

/// How it stands.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The image is there.
    Image(Arc<Image>),
    /// It is being made, or couldn't be.
    Pull(Arc<Pull>),
}

impl Gateway {
    /// The image if it is there and fresh enough, the pull if there is one; else a new pull.
    ///
    /// # Errors
    /// Where the name is none, or `session` has asked for too much.
    pub fn pull(
        &self,
        session: &Session,
        system: &str,
        kind: &str,
        tag: &str,
        wanted: &Wanted,
    ) -> Result<Answer, Failure> {
        let name = self.name(system, kind, tag)?;
        if name.kind != Kind::Docker {
            return Err(Failure::bad("only images of type docker can be pulled"));
        }
        let reference = self.reference(&name.tag)?;
        let credentials = self.credentials(session, &reference);
        let request = Request {
            session,
            is_admin: self.is_admin(session, system),
            access: wanted.access.clone().with_self(session.uid, session.gid),
            with_credentials: credentials.is_some(),
            update: u64::try_from(self.configuration.pull_update.as_millis()).unwrap_or(u64::MAX),
            now: now(),
        };
        let decided = self.state.change(|memory, number| {
            let decided = request.decide(memory, &name, number);
            match decided {
                Decided::Stands(answer) => (vec![], Ok(answer)),
                Decided::New(mut changes, pull) => match self.may_begin(memory, session) {
                    Err(failure) => (vec![], Err(failure)),
                    Ok(()) => {
                        changes.push(Change::Pull(pull.clone()));
                        (changes, Ok(Answer::Pull(Arc::new(*pull))))
                    }
                },
            }
        })?;
        let answer = decided?;
        if let Answer::Pull(pull) = &answer
            && pull.status == Status::Init
        {
            return self.begin(pull, credentials).map(Answer::Pull);
        }
        Ok(answer)
    }

    /// Hands a pull that is on the disk to the workers.
    pub(super) fn begin(
        &self,
        pull: &Pull,
        credentials: Option<Credentials>,
    ) -> Result<Arc<Pull>, Failure> {
        let pending = self
            .state
            .change_pull(pull.number, |pull| pull.status = Status::Pending)?;
        let pending = pending.unwrap_or_else(|| pull.clone());
        self.queue.add_pull(pull.number, credentials);
        Ok(Arc::new(pending))
    }

    /// The image's name in its registry.
    ///
    /// # Errors
    /// Where it isn't one.
    pub fn reference(&self, tag: &str) -> Result<Reference, Failure> {
        let configuration = &self.configuration;
        let is_location = |name: &str| configuration.locations.contains_key(name);
        Reference::parse(tag, &configuration.default_location, is_location)
            .map_err(|error| Failure::bad(error.to_string()))
    }

    fn credentials(&self, session: &Session, reference: &Reference) -> Option<Credentials> {
        let location = reference.registry();
        let own = session.registries.get(location);
        let is_default = location == self.configuration.default_location;
        let default = || session.registries.get("default").filter(|_| is_default);
        own.or_else(default).cloned()
    }

    /// Refuses what is new where the disk is nearly full.
    fn must_have_space(&self) -> Result<(), Failure> {
        let found = rustix::fs::statvfs(&self.configuration.state).map_err(io::Error::from)?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free < self.configuration.limits.free {
            tracing::warn!(free, "nearly no space left: nothing new is begun");
            return Err(Failure::unavailable(
                "the gateway has no space left; try again later",
            ));
        }
        Ok(())
    }

    /// Refuses what would be one too many.
    pub(super) fn may_begin(&self, memory: &Memory, session: &Session) -> Result<(), Failure> {
        self.must_not_drain()?;
        self.must_have_space()?;
        let limits = &self.configuration.limits;
        let unfinished = || memory.pulls().filter(|pull| !pull.status.is_final());
        let own = unfinished().filter(|pull| pull.requester.uid == session.uid);
        if own.count() >= limits.pulls_per_user {
            return Err(Failure::too_many(format!(
                "you have {} pulls that aren't finished, which is as many as you may have",
                limits.pulls_per_user
            )));
        }
        if unfinished().count() >= limits.queued {
            return Err(Failure::unavailable(
                "too many pulls wait already; try again later",
            ));
        }
        Ok(())
    }
}

/// A request, and what there is to judge it by.
struct Request<'a> {
    session: &'a Session,
    is_admin: bool,
    access: Access,
    with_credentials: bool,
    update: Moment,
    now: Moment,
}

enum Decided {
    Stands(Answer),
    New(Vec<Change>, Box<Pull>),
}

impl Request<'_> {
    fn decide(&self, memory: &Memory, name: &Name, number: u64) -> Decided {
        let of = self.with_credentials.then_some(self.session.uid);
        let pull = memory.pull_of(name, of);
        if let Some(pull) = &pull
            && !self.is_stale(pull)
        {
            return Decided::Stands(Answer::Pull(Arc::clone(pull)));
        }
        let image = memory.named(name);
        let image = image.filter(|image| may_use(image, self.session));
        if let Some(image) = image
            && pull.is_none()
            && self.is_fresh(&image)
        {
            return Decided::Stands(Answer::Image(image));
        }
        let old = pull.map(|pull| Change::NoPull(pull.number));
        let new = Box::new(self.new_pull(name, number));
        Decided::New(old.into_iter().collect(), new)
    }

    /// Whether a pull that is there counts no more.
    fn is_stale(&self, pull: &Pull) -> bool {
        let age = self.now.saturating_sub(pull.last_pull);
        match pull.status {
            Status::Failure => age > self.update,
            _ => pull
                .last_heartbeat
                .is_some_and(|heard| self.now.saturating_sub(heard) > SILENT),
        }
    }

    /// Whether an image needs no pull.
    fn is_fresh(&self, image: &Image) -> bool {
        let age = self.now.saturating_sub(image.last_pull);
        let may_change = self.is_admin || image.owner == self.session.uid;
        let is_changed = image.private && may_change && !image.access.same(&self.access);
        age <= self.update && !(is_changed && age > SOON)
    }

    fn new_pull(&self, name: &Name, number: u64) -> Pull {
        Pull {
            number,
            name: name.clone(),
            requester: Requester {
                uid: self.session.uid,
                gid: self.session.gid,
                is_admin: self.is_admin,
            },
            with_credentials: self.with_credentials,
            access: self.access.clone(),
            import: None,
            status: Status::Init,
            message: None,
            last_pull: self.now,
            last_heartbeat: None,
            attempts: 0,
        }
    }
}
