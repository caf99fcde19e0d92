//! Everything that the gateway knows, in memory and on disk.
//!
//! What is on disk is what holds: a change is written first, all of it or nothing, and seen by others afterwards.

mod access;
mod lookups;
mod memory;
mod record;
mod status;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, RwLock};

pub use access::Access;
use lookups::Lookups;
pub use memory::Memory;
pub use record::{Image, Kind, Lookup, Moment, Name, Pull, Requester, Settings, now};
pub use status::Status;
use store::Store;
pub use store::{Change, StoreError};

/// Images, pulls and lookups.
#[derive(Debug)]
pub struct State {
    store: Store,
    memory: RwLock<Memory>,
    /// Held from looking at what is there until its change is seen.
    changing: Mutex<Next>,
    lookups: Mutex<Lookups>,
    /// Expirations that were moved since they were last written.
    moved: Mutex<HashMap<(String, String), Moment>>,
}

#[derive(Debug)]
struct Next {
    number: u64,
}

impl State {
    /// Opens or makes that of a state directory.
    ///
    /// # Errors
    /// Where it can't be read, or another process has it.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let store = Store::open(directory)?;
        let records = store.all()?;
        let mut memory = Memory::default();
        let number = 1 + records
            .pulls
            .iter()
            .map(|pull| pull.number)
            .max()
            .unwrap_or(0);
        for image in records.images {
            memory.apply(&Change::Image(Box::new(image)));
        }
        for pull in records.pulls {
            memory.apply(&Change::Pull(Box::new(pull)));
        }
        Ok(Self {
            store,
            memory: RwLock::new(memory),
            changing: Mutex::new(Next { number }),
            lookups: Mutex::new(Lookups::new(records.lookups)),
            moved: Mutex::default(),
        })
    }

    /// What `look` sees. Changes wait for it.
    pub fn see<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        let memory = self
            .memory
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        look(&memory)
    }

    /// Makes the changes that `decide` wants when it sees what is there and the number of the next pull. Nothing else
    /// changes meanwhile.
    ///
    /// # Errors
    /// Where they can't be written: then nothing has changed.
    pub fn change<T>(
        &self,
        decide: impl FnOnce(&Memory, u64) -> (Vec<Change>, T),
    ) -> Result<T, StoreError> {
        let mut next = lock(&self.changing);
        let (changes, outcome) = self.see(|memory| decide(memory, next.number));
        if changes.is_empty() {
            return Ok(outcome);
        }
        self.store.write(&changes)?;
        let mut memory = self
            .memory
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        for change in &changes {
            if let Change::Pull(pull) = change {
                next.number = next.number.max(pull.number + 1);
            }
            memory.apply(change);
        }
        Ok(outcome)
    }

    /// Changes one pull, if it is still there: what it became.
    ///
    /// # Errors
    /// Likewise.
    pub fn change_pull(
        &self,
        number: u64,
        alter: impl FnOnce(&mut Pull),
    ) -> Result<Option<Pull>, StoreError> {
        self.change(|memory, _| match memory.pull(number) {
            None => (vec![], None),
            Some(pull) => {
                let mut pull = (*pull).clone();
                alter(&mut pull);
                (vec![Change::Pull(Box::new(pull.clone()))], Some(pull))
            }
        })
    }

    /// Moves an image's expiration. It is on the disk after the next [`State::save`]: a lookup shall not wait for a disk.
    pub fn move_expiration(&self, image: &Image, to: Moment) {
        let key = (image.system.clone(), image.id.clone());
        lock(&self.moved).insert(key, to);
    }

    /// When an image expires.
    pub fn expiration(&self, image: &Image) -> Option<Moment> {
        let key = (image.system.clone(), image.id.clone());
        lock(&self.moved).get(&key).copied().or(image.expiration)
    }

    /// Remembers a lookup, on the disk after the next [`State::save`].
    pub fn remember(&self, lookup: Lookup) {
        lock(&self.lookups).push(lookup);
    }

    /// The last lookups on a system, the newest last.
    pub fn last_lookups(&self, system: &str, most: usize) -> Vec<Lookup> {
        lock(&self.lookups).last(system, most)
    }

    /// Writes expirations and lookups that aren't on the disk yet.
    ///
    /// # Errors
    /// Where the disk doesn't take them; they are tried again next time.
    pub fn save(&self) -> Result<(), StoreError> {
        let lookups = lock(&self.lookups).unsaved();
        let moved = lock(&self.moved).clone();
        self.change(|memory, _| {
            let images = moved.iter().filter_map(|((system, id), expiration)| {
                let mut image = (*memory.image(system, id)?).clone();
                image.expiration = Some(*expiration);
                Some(Change::Image(Box::new(image)))
            });
            (images.chain(lookups.clone()).collect(), ())
        })?;
        lock(&self.lookups).saved(&lookups);
        // What was moved again meanwhile stays for the next time.
        lock(&self.moved).retain(|key, expiration| moved.get(key) != Some(expiration));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
