//! The records in memory, as requests want them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Status;
use super::record::{Image, Name, Pull};
use super::store::Change;

/// All images and pulls.
#[derive(Debug, Default)]
pub struct Memory {
    images: BTreeMap<(String, String), Arc<Image>>,
    /// Which identifier a name has now.
    names: HashMap<Name, String>,
    pulls: BTreeMap<u64, Arc<Pull>>,
}

impl Memory {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Image(image) => self.put(image),
            Change::NoImage(system, id) => self.forget(system, id),
            Change::Pull(pull) => {
                self.pulls.insert(pull.number, Arc::new((**pull).clone()));
            }
            Change::NoPull(number) => {
                self.pulls.remove(number);
            }
            Change::Lookup(..) | Change::NoLookup(_) => {}
        }
    }

    fn put(&mut self, image: &Image) {
        self.forget(&image.system, &image.id);
        if image.status == Status::Ready {
            for name in names(image) {
                self.names.insert(name, image.id.clone());
            }
        }
        let key = (image.system.clone(), image.id.clone());
        self.images.insert(key, Arc::new(image.clone()));
    }

    fn forget(&mut self, system: &str, id: &str) {
        let key = (system.to_owned(), id.to_owned());
        if let Some(old) = self.images.remove(&key) {
            for name in names(&old) {
                if self.names.get(&name).is_some_and(|own| own == id) {
                    self.names.remove(&name);
                }
            }
        }
    }

    /// The image that is ready under this name.
    pub fn named(&self, name: &Name) -> Option<Arc<Image>> {
        let id = self.names.get(name)?;
        self.image(&name.system, id)
    }

    /// The image of this identifier, in whatever state.
    pub fn image(&self, system: &str, id: &str) -> Option<Arc<Image>> {
        // The map is searched by owned keys; an identifier is 64 bytes.
        let key = (system.to_owned(), id.to_owned());
        self.images.get(&key).cloned()
    }

    /// All images of a system.
    pub fn images<'a>(&'a self, system: &'a str) -> impl Iterator<Item = &'a Arc<Image>> + 'a {
        let of_system = move |image: &&Arc<Image>| image.system == system;
        self.images.values().filter(of_system)
    }

    /// All images.
    pub fn all_images(&self) -> impl Iterator<Item = &Arc<Image>> {
        self.images.values()
    }

    /// All pulls, the oldest first.
    pub fn pulls(&self) -> impl Iterator<Item = &Arc<Pull>> {
        self.pulls.values()
    }

    /// The pull of this number.
    pub fn pull(&self, number: u64) -> Option<Arc<Pull>> {
        self.pulls.get(&number).cloned()
    }

    /// The pull of this name that is `of` a user, or everybody's.
    pub fn pull_of(&self, name: &Name, of: Option<u32>) -> Option<Arc<Pull>> {
        let mut all = self.pulls.values();
        all.find(|pull| pull.name == *name && pull.only_of() == of)
            .cloned()
    }
}

fn names(image: &Image) -> impl Iterator<Item = Name> {
    image.tags.iter().map(|tag| Name {
        system: image.system.clone(),
        kind: image.kind,
        tag: tag.clone(),
    })
}
