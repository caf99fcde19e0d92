//! The records on disk: one embedded database. A set of changes is there whole or not at all, and on the disk when its
//! call returns.

use std::path::{Path, PathBuf};

use daemon::{DatabaseError, EmbeddedDatabase};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record::{Image, Lookup, Pull};

const FILE_NAME: &str = "images.redb";

const IMAGES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("images");
const PULLS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("pulls");
const LOOKUPS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("lookups");

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be opened, read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A record in it isn't one of this version.
    #[error("{}: a record of {table}", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// Where in it.
        table: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// One change of many that belong together.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new or changed image.
    Image(Box<Image>),
    /// An image that is no more: system and identifier.
    NoImage(String, String),
    /// A new or changed pull.
    Pull(Box<Pull>),
    /// A pull that is no more.
    NoPull(u64),
    /// A lookup, by its number.
    Lookup(u64, Box<Lookup>),
    /// A lookup that is forgotten.
    NoLookup(u64),
}

/// All records.
#[derive(Debug, Default)]
pub struct Records {
    /// Images.
    pub images: Vec<Image>,
    /// Pulls.
    pub pulls: Vec<Pull>,
    /// Lookups by number.
    pub lookups: Vec<(u64, Lookup)>,
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
        store.database.with("open", |database| {
            let transaction = database.begin_write()?;
            transaction.open_table(IMAGES)?;
            transaction.open_table(PULLS)?;
            transaction.open_table(LOOKUPS)?;
            transaction.commit()?;
            Ok(())
        })?;
        Ok(store)
    }

    /// Writes all of `changes`, or none.
    ///
    /// # Errors
    /// Where the disk doesn't take them; what was there is there still.
    pub fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        let packed = changes
            .iter()
            .map(|change| self.pack(change))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.database.with("write", |database| {
            let transaction = database.begin_write()?;
            {
                let mut images = transaction.open_table(IMAGES)?;
                let mut pulls = transaction.open_table(PULLS)?;
                let mut lookups = transaction.open_table(LOOKUPS)?;
                for (change, bytes) in changes.iter().zip(&packed) {
                    match change {
                        Change::Image(image) => {
                            images.insert(&*image_key(&image.system, &image.id), &**bytes)?;
                        }
                        Change::NoImage(system, id) => {
                            images.remove(&*image_key(system, id))?;
                        }
                        Change::Pull(pull) => {
                            pulls.insert(pull.number, &**bytes)?;
                        }
                        Change::NoPull(number) => {
                            pulls.remove(number)?;
                        }
                        Change::Lookup(number, _) => {
                            lookups.insert(number, &**bytes)?;
                        }
                        Change::NoLookup(number) => {
                            lookups.remove(number)?;
                        }
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })?)
    }

    /// Everything.
    ///
    /// # Errors
    /// Where it can't be read, or a record isn't one of this version: nothing is thrown away for that.
    pub fn all(&self) -> Result<Records, StoreError> {
        type Rows = Vec<(u64, Vec<u8>)>;
        let (images, pulls, lookups): (Vec<Vec<u8>>, Rows, Rows) =
            self.database.with("read", |database| {
                let transaction = database.begin_read()?;
                let numbered =
                    |table: TableDefinition<'_, u64, &'static [u8]>| -> Result<Rows, redb::Error> {
                        let table = transaction.open_table(table)?;
                        let mut rows = vec![];
                        for row in table.iter()? {
                            let (number, bytes) = row?;
                            rows.push((number.value(), bytes.value().to_owned()));
                        }
                        Ok(rows)
                    };
                let mut images = vec![];
                for row in transaction.open_table(IMAGES)?.iter()? {
                    images.push(row?.1.value().to_owned());
                }
                Ok((images, numbered(PULLS)?, numbered(LOOKUPS)?))
            })?;
        let mut records = Records::default();
        for bytes in images {
            records.images.push(self.parse("images", &bytes)?);
        }
        for (_, bytes) in pulls {
            records.pulls.push(self.parse("pulls", &bytes)?);
        }
        for (number, bytes) in lookups {
            records
                .lookups
                .push((number, self.parse("lookups", &bytes)?));
        }
        Ok(records)
    }

    fn pack(&self, change: &Change) -> Result<Vec<u8>, StoreError> {
        match change {
            Change::Image(image) => self.text("images", image),
            Change::Pull(pull) => self.text("pulls", pull),
            Change::Lookup(_, lookup) => self.text("lookups", lookup),
            Change::NoImage(..) | Change::NoPull(_) | Change::NoLookup(_) => Ok(vec![]),
        }
    }

    fn text(&self, table: &'static str, record: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(record).map_err(|source| self.unfit(table, source))
    }

    fn parse<T: DeserializeOwned>(
        &self,
        table: &'static str,
        bytes: &[u8],
    ) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|source| self.unfit(table, source))
    }

    fn unfit(&self, table: &'static str, source: serde_json::Error) -> StoreError {
        StoreError::Record {
            path: self.database.path().to_owned(),
            table,
            source,
        }
    }
}

/// No system's name has a slash in it.
fn image_key(system: &str, id: &str) -> String {
    format!("{system}/{id}")
}
