//! A server's embedded database: one file, that one process has open.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::Database;

/// Why a database can't be opened, read or written. One line.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}", path.display())]
pub struct DatabaseError {
    operation: &'static str,
    path: PathBuf,
    source: Box<redb::Error>,
}

/// A database that is opened when it is used first. After an error of the disk it is opened anew: redb refuses to go on
/// otherwise.
#[derive(Debug)]
pub struct EmbeddedDatabase {
    path: PathBuf,
    open: Mutex<Option<Database>>,
}

impl EmbeddedDatabase {
    /// The one in this file, which is made where there is none.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            open: Mutex::new(None),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has `act` do something with it, which is called `operation`.
    ///
    /// # Errors
    /// Where it can't be; also where another process has the database open.
    pub fn with<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, DatabaseError> {
        let failed = |source: redb::Error| DatabaseError {
            operation,
            path: self.path.clone(),
            source: Box::new(source),
        };
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let database = match open.take() {
            Some(database) => database,
            None => Database::create(&self.path).map_err(|error| failed(error.into()))?,
        };
        let done = act(&database);
        if done.is_ok() {
            *open = Some(database);
        }
        done.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn two_can_not_have_the_same_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.redb");
        let (first, second) = (
            EmbeddedDatabase::at(path.clone()),
            EmbeddedDatabase::at(path),
        );
        first.with("open", |_| Ok(())).unwrap();
        let error = second.with("open", |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("open /"), "{error}");
        // What fails lets go of it.
        let broken = || redb::Error::Io(io::Error::other("the disk"));
        first.with("write", |_| Err::<(), _>(broken())).unwrap_err();
        second.with("open", |_| Ok(())).unwrap();
    }
}
