//! `keys.json`: read again whenever it changed, written whole under a lock.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use daemon::{FileError, WholeFile, read_json};
use rustix::fs::{FlockOperation, flock};

use super::{API_KEY, Caller, Digest, Key, Keys, MASTER_KEY, NewKey, NoRandom, fresh, random_text};

const FILE_NAME: &str = "keys.json";

const LOCK_NAME: &str = "keys.lock";

/// Why keys can't be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file says something else than keys.
    #[error(transparent)]
    File(#[from] FileError),
    /// It can't be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Two keys of a name could not be told apart.
    #[error("there is a key {0:?} already; hint: revoke it first")]
    Taken(String),
    /// Nothing to revoke.
    #[error("there is no key {0:?}")]
    Unknown(String),
    /// No secret could be made.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// What tells one content of the file from another.
type Version = (u64, i64, i64, u64);

/// The keys of a state directory.
#[derive(Debug)]
pub struct KeyFile {
    directory: PathBuf,
    known: Mutex<Option<(Version, Keys)>>,
}

impl KeyFile {
    /// Those of this state directory. Nothing is read yet.
    pub fn of(state: &Path) -> Self {
        Self {
            directory: state.to_owned(),
            known: Mutex::new(None),
        }
    }

    /// Whose secret this is.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn who(&self, secret: &str) -> Result<Option<Caller>, KeyFileError> {
        self.with(|keys| keys.who(secret))
    }

    /// Every key, sorted by function and name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn list(&self) -> Result<Vec<Key>, KeyFileError> {
        let mut keys = self.with(|keys| keys.keys.clone())?;
        keys.sort_by(|a, b| (&a.function, &a.name).cmp(&(&b.function, &b.name)));
        Ok(keys)
    }

    /// How many executions at once the key of this id may have; none for a key that is gone.
    pub fn most_parallel(&self, id: &str) -> usize {
        let found = self.with(|keys| keys.keys.iter().find(|key| key.id == id).cloned());
        match found {
            Ok(Some(key)) => key.limits.max_parallel_jobs.map_or(usize::MAX, |most| {
                usize::try_from(most.get()).unwrap_or(usize::MAX)
            }),
            // What it had begun goes on one by one.
            Ok(None) | Err(_) => 1,
        }
    }

    /// Whether there is a master key.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn has_master(&self) -> Result<bool, KeyFileError> {
        self.with(|keys| keys.master.is_some())
    }

    /// Makes a key and gives its secret, which is told nowhere else and never again.
    ///
    /// # Errors
    /// Where there is one of that name, or it can't be written.
    pub fn add(&self, new: NewKey) -> Result<String, KeyFileError> {
        let secret = fresh(API_KEY)?;
        let key = Key {
            id: random_text(16)?,
            name: new.name,
            user: new.user,
            function: new.function,
            commands: new.commands,
            metrics: new.metrics,
            limits: new.limits,
            created: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
            digest: Digest::of(&secret),
        };
        self.change(|keys| {
            let taken = |other: &Key| other.name == key.name && other.function == key.function;
            if keys.keys.iter().any(taken) {
                return Err(KeyFileError::Taken(key.name.to_string()));
            }
            keys.keys.push(key);
            Ok(())
        })?;
        Ok(secret)
    }

    /// Forgets the key of this name and function.
    ///
    /// # Errors
    /// Where there is none, or it can't be written.
    pub fn revoke(&self, name: &str, function: Option<&str>) -> Result<(), KeyFileError> {
        self.change(|keys| {
            let before = keys.keys.len();
            keys.keys.retain(|key| {
                key.name.as_str() != name
                    || key.function.as_ref().map(|only| only.as_str()) != function
            });
            if keys.keys.len() == before {
                return Err(KeyFileError::Unknown(name.to_owned()));
            }
            Ok(())
        })
    }

    /// Makes a master key in the place of the old one.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn renew_master(&self) -> Result<String, KeyFileError> {
        let secret = fresh(MASTER_KEY)?;
        self.change(|keys| {
            keys.master = Some(Digest::of(&secret));
            Ok(())
        })?;
        Ok(secret)
    }

    fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }

    /// Looks at the keys as they are now.
    fn with<T>(&self, look: impl FnOnce(&Keys) -> T) -> Result<T, KeyFileError> {
        let path = self.path();
        let Some(version) = version(&path) else {
            return Ok(look(&Keys::default()));
        };
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*known {
            Some((at, keys)) if *at == version => Ok(look(keys)),
            _ => {
                let keys = read_json(&path)?;
                let (_, keys) = known.insert((version, keys));
                Ok(look(keys))
            }
        }
    }

    /// Changes them; the server and `opt-server keys` may do so at the same time.
    fn change(
        &self,
        change: impl FnOnce(&mut Keys) -> Result<(), KeyFileError>,
    ) -> Result<(), KeyFileError> {
        let path = self.path();
        let failed = |source| KeyFileError::Write {
            path: path.clone(),
            source,
        };
        let lock = private(&self.directory.join(LOCK_NAME)).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(io::Error::from)
            .map_err(failed)?;
        let mut keys: Keys = if path.exists() {
            read_json(&path)?
        } else {
            Keys::default()
        };
        change(&mut keys)?;
        let text = serde_json::to_vec_pretty(&keys)
            .map_err(io::Error::other)
            .map_err(failed)?;
        WholeFile::at(&path)
            .and_then(|file| file.put(&text))
            .map_err(failed)
    }
}

fn version(path: &Path) -> Option<Version> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec(), found.len()))
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::functions::Name;

    fn named(name: &'static str, function: Option<&'static str>) -> NewKey {
        NewKey {
            name: Name::known(name),
            user: None,
            function: function.map(Name::known),
            commands: false,
            metrics: false,
            limits: super::super::KeyLimits::default(),
        }
    }

    fn name_of(caller: Option<Caller>) -> Option<String> {
        match caller? {
            Caller::Master => Some("master".to_owned()),
            Caller::Key(key) => Some(key.name.to_string()),
        }
    }

    #[test]
    fn a_key_is_known_until_it_is_revoked_also_by_another_process() {
        let state = tempfile::tempdir().unwrap();
        let server = KeyFile::of(state.path());
        assert!(server.who("").unwrap().is_none());
        let shell = KeyFile::of(state.path());
        let secret = shell.add(named("web", Some("tsp"))).unwrap();
        assert!(secret.starts_with("apikey_"));
        assert_eq!(
            name_of(server.who(&secret).unwrap()),
            Some("web".to_owned())
        );
        assert!(server.who(&secret[..secret.len() - 1]).unwrap().is_none());
        shell.revoke("web", None).unwrap_err();
        shell.revoke("web", Some("tsp")).unwrap();
        assert!(server.who(&secret).unwrap().is_none());
    }

    #[test]
    fn names_are_unique_among_the_keys_of_a_function() {
        let state = tempfile::tempdir().unwrap();
        let keys = KeyFile::of(state.path());
        keys.add(named("web", None)).unwrap();
        keys.add(named("web", Some("tsp"))).unwrap();
        let error = keys.add(named("web", None)).unwrap_err();
        assert!(error.to_string().contains("already"), "{error}");
        assert_eq!(keys.list().unwrap().len(), 2);
    }

    #[test]
    fn a_new_master_key_ends_the_old_one() {
        let state = tempfile::tempdir().unwrap();
        let keys = KeyFile::of(state.path());
        assert!(!keys.has_master().unwrap());
        let old = keys.renew_master().unwrap();
        assert_eq!(name_of(keys.who(&old).unwrap()), Some("master".to_owned()));
        let new = keys.renew_master().unwrap();
        assert!(new.starts_with("master") && keys.who(&old).unwrap().is_none());
        assert!(keys.who(&new).unwrap().is_some());
    }

    #[test]
    fn no_secret_is_in_the_file_and_nobody_else_reads_it() {
        let state = tempfile::tempdir().unwrap();
        let keys = KeyFile::of(state.path());
        let secret = keys.add(named("web", None)).unwrap();
        let path = state.path().join(FILE_NAME);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret[10..]), "{text}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(fs::read_dir(state.path()).unwrap().count() <= 2);
    }
}
