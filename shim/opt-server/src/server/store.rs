//! The executions on disk: one embedded database, `executions.redb`. Each change is on the disk when its
//! call returns.

use std::path::{Path, PathBuf};

use daemon::{DatabaseError, EmbeddedDatabase};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::execution::Execution;

const FILE_NAME: &str = "executions.redb";

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("executions");

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be opened, read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A record in it isn't one of this version.
    #[error("{}: record {id:?}", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// Its key.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The database.
#[derive(Debug)]
pub struct Store {
    database: EmbeddedDatabase,
}

impl Store {
    /// Opens or makes that of a state directory.
    ///
    /// # Errors
    /// Where it can't be; also where another process has it open.
    pub fn open(state: &Path) -> Result<Self, StoreError> {
        let store = Self {
            database: EmbeddedDatabase::at(state.join(FILE_NAME)),
        };
        store.database.with("open", |_| Ok(()))?;
        Ok(store)
    }

    /// Writes an execution.
    ///
    /// # Errors
    /// Where the disk doesn't take it; what was there is there still.
    pub fn put(&self, execution: &Execution) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(execution).map_err(|source| StoreError::Record {
            path: self.database.path().to_owned(),
            id: execution.id.clone(),
            source,
        })?;
        Ok(self.database.with("write", |database| {
            let transaction = database.begin_write()?;
            transaction
                .open_table(TABLE)?
                .insert(&*execution.id, &*bytes)?;
            transaction.commit()?;
            Ok(())
        })?)
    }

    /// Removes an execution.
    ///
    /// # Errors
    /// Likewise.
    pub fn remove(&self, id: &str) -> Result<(), StoreError> {
        Ok(self.database.with("write", |database| {
            let transaction = database.begin_write()?;
            transaction.open_table(TABLE)?.remove(id)?;
            transaction.commit()?;
            Ok(())
        })?)
    }

    /// Every execution.
    ///
    /// # Errors
    /// Where it can't be read, or a record isn't one of this version: nothing is thrown away for that.
    pub fn all(&self) -> Result<Vec<Execution>, StoreError> {
        let records: Vec<(String, Vec<u8>)> = self.database.with("read", |database| {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(TABLE) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(vec![]),
                other => other?,
            };
            let mut records = vec![];
            for entry in table.iter()? {
                let (id, bytes) = entry?;
                records.push((id.value().to_owned(), bytes.value().to_owned()));
            }
            Ok(records)
        })?;
        let parse = |(id, bytes): (String, Vec<u8>)| {
            serde_json::from_slice(&bytes).map_err(|source| StoreError::Record {
                path: self.database.path().to_owned(),
                id,
                source,
            })
        };
        records.into_iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::execution::{Owner, State, Work};
    use super::super::functions::Limits;
    use super::*;

    fn execution(id: &str) -> Execution {
        let work = Work::Command {
            name: "solve".to_owned(),
            arguments: vec!["-m".to_owned()],
        };
        let owner = Owner {
            key: "k",
            name: "web",
            user: "web",
        };
        Execution::new(id.to_owned(), owner, work, Limits::default())
    }

    #[test]
    fn what_was_put_is_there_after_the_next_opening() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::open(state.path()).unwrap();
        assert!(store.all().unwrap().is_empty());
        store.put(&execution("a")).unwrap();
        let mut b = execution("b");
        store.put(&b).unwrap();
        b.state = State::Lost;
        store.put(&b).unwrap();
        store.remove("a").unwrap();
        drop(store);
        let store = Store::open(state.path()).unwrap();
        let all = store.all().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].id.as_str(), all[0].state), ("b", State::Lost));
    }
}
