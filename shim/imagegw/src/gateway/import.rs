//! Images that users built: off unless the site wants it, for the users that it names.
//!
//! The file is read with the rights of who asks: our own client sends it, opened as him. Where Shifter's client names a
//! path instead, the file has to belong to him: the gateway may be able to read what he may not.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

use super::{Failure, Gateway};
use crate::auth::Session;
use crate::state::{Access, Change, Kind, Name, Pull, Requester, Status, now};

/// A file that is to become an image.
#[derive(Debug, Clone)]
pub struct Import {
    /// Who is to use it.
    pub access: Access,
}

impl Gateway {
    /// Where imported files wait.
    pub fn imports(&self) -> PathBuf {
        self.configuration.state.join("imports")
    }

    /// The name that an import of `session`'s would have.
    ///
    /// # Errors
    /// Where he may not import, or the name is somebody else's.
    pub fn may_import(
        &self,
        session: &Session,
        system: &str,
        kind: &str,
        tag: &str,
    ) -> Result<Name, Failure> {
        self.must_not_drain()?;
        let name = self.name(system, kind, tag)?;
        if name.kind != Kind::Custom {
            return Err(Failure::bad("what is imported is of type custom"));
        }
        if !self.configuration.importers.include(&session.user) {
            return Err(Failure::forbidden(
                "importing images isn't allowed here, or not to you (ImportUsers)",
            ));
        }
        let taken = self.state.see(|memory| memory.named(&name));
        if taken.is_some_and(|image| image.owner != session.uid) && !self.is_admin(session, system)
        {
            return Err(Failure::conflict("this name is somebody else's"));
        }
        Ok(name)
    }

    /// Begins an import of the file `waiting`, which is in [`Gateway::imports`].
    ///
    /// # Errors
    /// Where `session` has asked for too much.
    pub fn import(
        &self,
        session: &Session,
        name: &Name,
        import: Import,
        waiting: &str,
    ) -> Result<Arc<Pull>, Failure> {
        let now = now();
        let is_admin = self.is_admin(session, &name.system);
        let begun = self.state.change(|memory, number| {
            if let Err(failure) = self.may_begin(memory, session) {
                return (vec![], Err(failure));
            }
            let old = memory
                .pull_of(name, Some(session.uid))
                .filter(|pull| pull.status.is_final());
            let pull = Pull {
                number,
                name: name.clone(),
                requester: Requester {
                    uid: session.uid,
                    gid: session.gid,
                    is_admin,
                },
                with_credentials: false,
                access: import.access.with_self(session.uid, session.gid),
                import: Some(waiting.to_owned()),
                status: Status::Init,
                message: None,
                last_pull: now,
                last_heartbeat: None,
                attempts: 0,
            };
            let mut changes: Vec<Change> =
                old.iter().map(|pull| Change::NoPull(pull.number)).collect();
            changes.push(Change::Pull(Box::new(pull.clone())));
            (changes, Ok(pull))
        })?;
        self.begin(&begun?, None)
    }

    /// Copies the file at `path`, which has to be `session`'s own, to where imports wait: its name there.
    ///
    /// # Errors
    /// Where it isn't his, isn't a file or is too large.
    pub fn take_file(&self, session: &Session, path: &Path) -> Result<String, Failure> {
        let file = open_own(path, session.uid)?;
        let most = self.configuration.limits.import_size;
        if file.metadata()?.len() > most {
            return Err(Failure::too_large(format!(
                "{} is larger than {most} bytes",
                path.display()
            )));
        }
        let (name, mut waiting) = self.new_import()?;
        let copied = io::copy(&mut io::Read::take(file, most + 1), &mut waiting)
            .and_then(|_| waiting.sync_all());
        if let Err(error) = copied {
            self.drop_import(&name);
            return Err(error.into());
        }
        Ok(name)
    }

    /// A new file where imports wait, and its name.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn new_import(&self) -> Result<(String, File), Failure> {
        let name = daemon::random_text(24).map_err(|error| Failure::ours(&error))?;
        let mut options = File::options();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        let file = options.open(self.imports().join(&name))?;
        Ok((name, file))
    }

    /// Removes a file that waited.
    pub fn drop_import(&self, name: &str) {
        // What is left by a failure is removed at the next start.
        let _ = fs::remove_file(self.imports().join(name));
    }
}

/// The regular file at `path` that belongs to `uid`.
fn open_own(path: &Path, uid: u32) -> Result<File, Failure> {
    let refused = |why: &str| Failure::bad(format!("{}: {why}", path.display()));
    if !path.is_absolute() {
        return Err(refused("must begin with /"));
    }
    // Not as a device or a fifo, and not by way of somebody's /proc.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS);
    // What the gateway alone could tell of a path isn't told.
    let unreadable = || {
        refused("isn't a file of yours that the gateway can read; hint: shifterimg import sends it")
    };
    let file = File::from(opened.map_err(|_| unreadable())?);
    let found = file.metadata()?;
    match found.is_file() && found.uid() == uid {
        true => Ok(file),
        false => Err(unreadable()),
    }
}
