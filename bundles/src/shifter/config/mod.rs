//! `udiRoot.conf`, key by key, as Shifter reads it.
//!
//! [`Config::read`] takes the file only if it is root's and nobody else could have put it there. What it says that
//! has no effect, is deprecated or dangerous is in [`Config::findings`].

mod error;
mod findings;
mod keys;
mod modules;
#[cfg(test)]
mod tests;
mod values;

use std::path::{Path, PathBuf};

pub use error::{ConfigError, Problem};
pub use findings::{Finding, Weight};
pub use modules::Module;

use super::entries::{self, Entries, Entry};
use super::trusted;
use super::volumes::{PerNodeCache, Propagation, VolumeMap};
use crate::spelling::nearest;
use values::Value;

/// Where Shifter's packages put it.
pub const USUAL_PATH: &str = "/etc/shifter/udiRoot.conf";

/// The most that the file may hold, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// Variables that the site sets in every container, or a module in those that use it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteEnvironment {
    /// Set, whatever they were.
    pub set: Vec<(String, String)>,
    /// Added behind what is there, with a colon.
    pub append: Vec<(String, String)>,
    /// Added before what is there, with a colon.
    pub prepend: Vec<(String, String)>,
    /// Taken away.
    pub unset: Vec<String>,
}

/// What caches of their own on this node users may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheRules {
    /// Where their files are; without it there are none.
    pub path: Option<PathBuf>,
    /// Bytes of one; 0 is no limit.
    pub size_limit: u64,
    /// File systems; none named is any.
    pub allowed: Vec<String>,
}

impl CacheRules {
    /// Whether a user may have `cache`.
    ///
    /// # Errors
    /// Why not.
    pub fn allow(&self, cache: &PerNodeCache) -> Result<(), String> {
        if self.path.is_none() {
            return Err("the site has no perNodeCachePath".to_owned());
        }
        if self.size_limit > 0 && cache.size > self.size_limit {
            let (size, limit) = (cache.size, self.size_limit);
            return Err(format!(
                "{size} bytes are more than the site's limit of {limit}"
            ));
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|name| name == "xfs") {
            let allowed = self.allowed.join(", ");
            return Err(format!("it would be an xfs; the site allows {allowed}"));
        }
        Ok(())
    }
}

/// A site's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the file has just these switches"
)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// The directory on which containers are built; nobody but the container sees what is there.
    pub udi_mount: Option<PathBuf>,
    /// Images and their `.meta` files.
    pub image_path: PathBuf,
    /// Where Shifter itself is installed.
    pub udi_root_path: Option<PathBuf>,
    /// `passwd`, `group`, `nsswitch.conf` and what else is to be in `/etc`.
    pub etc_path: Option<PathBuf>,
    /// The program that makes a node's caches.
    pub mkfs_xfs: Option<PathBuf>,
    /// The directory that is `/opt/udiImage` inside.
    pub opt_udi_image: Option<PathBuf>,
    /// A script that root runs before the site's mounts.
    pub pre_mount_hook: Option<PathBuf>,
    /// A script that root runs after them.
    pub post_mount_hook: Option<PathBuf>,
    /// Mounts of every container.
    pub site_fs: Vec<VolumeMap>,
    /// Variables of every container.
    pub environment: SiteEnvironment,
    /// Users besides the caller in a `passwd` that is made.
    pub users_to_import: Vec<String>,
    /// Whether `passwd` and `group` are made instead of being taken from `etcPath`.
    pub populate_etc: bool,
    /// Whether users are looked up as the host does, not only in `etcPath`.
    pub allow_name_service: bool,
    /// In so many groups the user is a member by name; 0 is none.
    pub max_group_count: u32,
    /// Whether a user may name any directory of the host's as an image.
    pub allow_local_images: bool,
    /// Whether what isn't the image's may be written to in the container.
    pub root_writable: bool,
    /// Of mounts whose map says nothing else.
    pub propagation: Propagation,
    /// A node's caches.
    pub cache: CacheRules,
    /// Addresses of gateways.
    pub gateways: Vec<String>,
    /// Seconds; 0 is no limit.
    pub gateway_timeout: u32,
    /// This platform's name at the gateway.
    pub system: Option<String>,
    /// The type of an image that is named without one.
    pub default_image_type: Option<String>,
    /// Modules of a user who asks for none.
    pub default_modules: Vec<String>,
    /// Modules, in the order of the file.
    pub modules: Vec<Module>,
    /// The file's entries, for what there is to say of them.
    entries: Entries,
}

impl Config {
    /// Reads the file at `path`, which has to be one of `owners`'s with all that leads to it: [`trusted::ROOT`].
    ///
    /// # Errors
    /// [`ConfigError`]: one line naming the file, and the line and the key where there is one.
    pub fn read(path: &Path, owners: &[u32]) -> Result<Self, ConfigError> {
        let text = trusted::read(path, owners, MAX_SIZE)?;
        Self::parse(&text, path)
    }

    /// Reads the text of a file that is at `path`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, ConfigError> {
        let text = str::from_utf8(text).map_err(|error| ConfigError::NotText {
            path: path.to_path_buf(),
            line: 1 + text[..error.valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count(),
        })?;
        let mut config = Self {
            path: path.to_path_buf(),
            entries: entries::read(text, '='),
            ..Self::default()
        };
        for entry in config.entries.all.clone() {
            config
                .set(&entry)
                .map_err(|problem| config.invalid(&entry, problem))?;
        }
        config.judge()?;
        Ok(config)
    }

    fn set(&mut self, entry: &Entry) -> Result<(), Problem> {
        let value = Value(&entry.value);
        if entry.key.starts_with("module_") {
            return self.set_module(&entry.key, value);
        }
        match keys::find(&entry.key) {
            Some(key) => (key.set)(self, value),
            None if entry.key.is_empty() => Err(Problem::NoKey),
            None if entry.key.starts_with('#') => Err(Problem::IndentedComment),
            None => Err(Problem::UnknownKey {
                meant: nearest(&entry.key, keys::KEYS.iter().map(|key| key.name)),
            }),
        }
    }

    /// What only the whole file shows.
    fn judge(&self) -> Result<(), ConfigError> {
        let missing = |key, needed| ConfigError::Missing {
            path: self.path.clone(),
            key,
            needed,
        };
        if self.image_path.as_os_str().is_empty() {
            return Err(missing("imagePath", "where the images are"));
        }
        if self.etc_path.is_none() && !self.populate_etc {
            return Err(missing("etcPath", "where passwd and group are"));
        }
        for module in &self.modules {
            for other in &module.conflicts {
                let key = format!("module_{}_conflict", module.name);
                self.must_have_module(other)
                    .map_err(|problem| self.invalid(self.last(&key), problem))?;
            }
        }
        self.choose_modules(None)
            .map(drop)
            .map_err(|problem| self.invalid(self.last("defaultModules"), problem))
    }

    fn invalid(&self, entry: &Entry, problem: Problem) -> ConfigError {
        ConfigError::Invalid {
            path: self.path.clone(),
            line: entry.line,
            key: entry.key.clone(),
            problem: Box::new(problem),
        }
    }

    /// Where `key` is given: the file and its line; the last one that has `part` in its value, of those that have one.
    pub fn place(&self, key: &str, part: &str) -> Option<String> {
        let mut of_key = self
            .entries
            .all
            .iter()
            .rev()
            .filter(|entry| entry.key == key);
        let last = of_key.clone().next()?;
        let entry = of_key.find(|entry| entry.value.contains(part));
        let line = entry.unwrap_or(last).line;
        Some(format!("{}:{line}", self.path.display()))
    }

    /// The file, its line and `key`, for what is wrong with what that names: `udiRoot.conf:2: udiMount`.
    pub fn place_of(&self, key: &str) -> String {
        let place = self.place(key, "");
        let place = place.unwrap_or_else(|| self.path.display().to_string());
        format!("{place}: {key}")
    }

    /// The entry that has the last word on a key.
    fn last(&self, key: &str) -> &Entry {
        const NONE: &Entry = &Entry {
            line: 0,
            key: String::new(),
            value: String::new(),
        };
        let mut entries = self.entries.all.iter().rev();
        entries.find(|entry| entry.key == key).unwrap_or(NONE)
    }
}
