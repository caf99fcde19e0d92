//! Tokens of the gateway's, for sites without munge: `tokens.json` of the state directory, as digests. The gateway and
//! `shifter-imagegw token` both use that file, so a token that is revoked is dead at once.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use daemon::{Digest, FileError, NoRandom, WholeFile, fresh, read_json};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{Scope, Session};

const FILE_NAME: &str = "tokens.json";

/// What a token begins with.
const PREFIX: &str = "imagegw_";

/// Why tokens can't be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file says something else than tokens.
    #[error(transparent)]
    File(#[from] FileError),
    /// It can't be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// A name that is taken.
    #[error("there is a token {0:?} already")]
    Taken(String),
    /// None of this name.
    #[error("there is no token {0:?}")]
    Unknown(String),
}

/// A token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// For people; unique.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// His uid.
    pub uid: u32,
    /// His primary group.
    pub gid: u32,
    /// His other groups.
    #[serde(default)]
    pub groups: Vec<u32>,
    /// Whether it reads metrics, and does nothing else.
    #[serde(default)]
    pub metrics: bool,
    digest: Digest,
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// As above.
    pub name: String,
    /// As above.
    pub user: String,
    /// As above.
    pub uid: u32,
    /// As above.
    pub gid: u32,
    /// As above.
    pub groups: Vec<u32>,
    /// As above.
    pub metrics: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    tokens: Vec<Token>,
}

/// The file, and what it said when it was read last.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    read: Mutex<(Option<Stamp>, Contents)>,
}

type Stamp = (u64, i64, i64, u64);

impl Tokens {
    /// Those of a state directory.
    pub fn of(state: &Path) -> Self {
        Self {
            path: state.join(FILE_NAME),
            read: Mutex::default(),
        }
    }

    /// Whose `secret` is.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn session(&self, secret: &str) -> Result<Option<Session>, TokensError> {
        self.session_of(&Digest::of(secret))
    }

    /// Whose the secret of this digest is.
    ///
    /// # Errors
    /// Likewise.
    pub fn session_of(&self, digest: &Digest) -> Result<Option<Session>, TokensError> {
        let contents = self.contents()?;
        let mut tokens = contents.tokens.into_iter();
        let found = tokens.find(|token| token.digest.is(digest));
        Ok(found.map(|token| Session {
            user: token.user,
            uid: token.uid,
            gid: token.gid,
            groups: token.groups,
            scope: match token.metrics {
                true => Scope::Metrics,
                false => Scope::All,
            },
            token: Some(token.digest),
            ..Session::default()
        }))
    }

    /// All of them.
    ///
    /// # Errors
    /// Likewise.
    pub fn all(&self) -> Result<Vec<Token>, TokensError> {
        Ok(self.contents()?.tokens)
    }

    /// Makes a token: its secret, which is told once.
    ///
    /// # Errors
    /// Where its name is taken, or the file can't be written.
    pub fn add(&self, new: NewToken) -> Result<String, TokensError> {
        self.change(|tokens| {
            if tokens.iter().any(|token| token.name == new.name) {
                return Err(TokensError::Taken(new.name));
            }
            let secret = fresh(PREFIX)?;
            tokens.push(Token {
                name: new.name,
                user: new.user,
                uid: new.uid,
                gid: new.gid,
                groups: new.groups,
                metrics: new.metrics,
                digest: Digest::of(&secret),
            });
            Ok(secret)
        })
    }

    /// Takes a token away.
    ///
    /// # Errors
    /// Where there is none of this name, or the file can't be written.
    pub fn revoke(&self, name: &str) -> Result<(), TokensError> {
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.name != name);
            match tokens.len() == before {
                true => Err(TokensError::Unknown(name.to_owned())),
                false => Ok(()),
            }
        })
    }

    /// Reads, changes and writes them, while nobody else does.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<Token>) -> Result<T, TokensError>,
    ) -> Result<T, TokensError> {
        let failed = |source| TokensError::Write {
            path: self.path.clone(),
            source,
        };
        let place = WholeFile::at(&self.path).map_err(failed)?;
        flock(place.directory(), FlockOperation::LockExclusive)
            .map_err(|errno| failed(errno.into()))?;
        let mut contents = self.contents()?;
        let outcome = change(&mut contents.tokens)?;
        let mut text = serde_json::to_vec_pretty(&contents)
            .map_err(|error| failed(io::Error::other(error)))?;
        text.push(b'\n');
        place.put(&text).map_err(failed)?;
        Ok(outcome)
    }

    fn contents(&self) -> Result<Contents, TokensError> {
        let mut read = self
            .read
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let Ok(found) = fs::metadata(&self.path) else {
            return Ok(Contents::default());
        };
        let stamp = (found.ino(), found.mtime(), found.mtime_nsec(), found.size());
        if read.0 != Some(stamp) {
            *read = (Some(stamp), read_json(&self.path)?);
        }
        Ok(read.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann(name: &str) -> NewToken {
        NewToken {
            name: name.to_owned(),
            user: "ann".to_owned(),
            uid: 1000,
            gid: 1000,
            groups: vec![27],
            metrics: false,
        }
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(directory.path());
        let secret = tokens.add(ann("laptop")).unwrap();
        let session = tokens.session(&secret).unwrap().unwrap();
        assert_eq!((session.user.as_str(), session.uid), ("ann", 1000));
        assert!(tokens.session("imagegw_other").unwrap().is_none());
        assert!(matches!(
            tokens.add(ann("laptop")),
            Err(TokensError::Taken(_))
        ));
        // Another process revokes it.
        Tokens::of(directory.path()).revoke("laptop").unwrap();
        assert!(tokens.session(&secret).unwrap().is_none());
        let text = fs::read_to_string(directory.path().join(FILE_NAME)).unwrap();
        assert!(!text.contains(&secret));
    }

    #[test]
    fn tokens_that_are_made_at_once_are_all_there() {
        let directory = tempfile::tempdir().unwrap();
        let add = |thread: usize| {
            // As another process has it.
            let tokens = Tokens::of(directory.path());
            for number in 0..8 {
                tokens.add(ann(&format!("{thread}-{number}"))).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || add(thread));
            }
        });
        assert_eq!(Tokens::of(directory.path()).all().unwrap().len(), 64);
    }
}
