//! API keys and the master key: who may call what, and with which limits.
//!
//! They lie in `keys.json` of the state directory, as digests. The server and `opt-server keys` both read
//! and write that file, so a key that is revoked on the machine is dead at once, without a restart.

mod file;
mod user;

use std::num::NonZeroU64;

use bundles::opt_server::config;
use daemon::{Digest, NoRandom, fresh, random_text};
use serde::{Deserialize, Serialize};

use super::functions::{Limits, Name};
pub use file::{KeyFile, KeyFileError};
pub use user::User;

/// What an API key begins with, as PIFOP's do.
pub const API_KEY: &str = "apikey_";

/// What the master key begins with.
pub const MASTER_KEY: &str = "master_";

/// One API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// What executions remember their owner by: a new key of an old name is another one.
    pub id: String,
    /// For people; unique among the keys of the same function.
    pub name: Name,
    /// Whose it is; the user of the key's name, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The one function that it calls; any, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Name>,
    /// Whether it may call commands too.
    #[serde(default)]
    pub commands: bool,
    /// Whether it reads metrics, and does nothing else.
    #[serde(default)]
    pub metrics: bool,
    /// Its limits.
    #[serde(default)]
    pub limits: KeyLimits,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    digest: Digest,
}

/// A key's limits, named as in the Functions API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLimits {
    /// In megabytes (2^20 bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<NonZeroU64>,
    /// In minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time: Option<NonZeroU64>,
    /// Executions at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_jobs: Option<NonZeroU64>,
}

impl KeyLimits {
    /// What holds where a user group's do too: of each limit, the smaller value.
    #[must_use]
    pub fn narrowed(self, group: &config::Limits) -> Self {
        let least = |own: Option<NonZeroU64>, group: Option<u64>| {
            let group = group.and_then(NonZeroU64::new);
            [own, group].into_iter().flatten().min()
        };
        let minutes = group.wall_time().map(|time| time.as_secs().div_ceil(60));
        Self {
            max_memory: least(self.max_memory, group.max_memory),
            max_time: least(self.max_time, minutes),
            max_parallel_jobs: least(self.max_parallel_jobs, group.max_parallel_processes),
        }
    }

    /// Those of each execution.
    pub fn of_each(self) -> Limits {
        Limits {
            max_memory: self.max_memory,
            max_time: self.max_time,
        }
    }
}

impl Key {
    /// The user whose key it is, as `user-groups` of `config.json` names users.
    pub fn user(&self) -> &str {
        self.user.as_ref().map_or(self.name.as_str(), User::as_str)
    }

    /// Whether it has the rights of its user's group. One that was made for one thing does that alone.
    pub fn has_rights(&self) -> bool {
        self.function.is_none() && !self.metrics
    }

    /// Whether it may call the function `name`.
    pub fn calls(&self, name: &str) -> bool {
        !self.metrics
            && self
                .function
                .as_ref()
                .is_none_or(|only| only.as_str() == name)
    }
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// See [`Key`].
    pub name: Name,
    /// See [`Key`].
    pub user: Option<User>,
    /// See [`Key`].
    pub function: Option<Name>,
    /// See [`Key`].
    pub commands: bool,
    /// See [`Key`].
    pub metrics: bool,
    /// See [`Key`].
    pub limits: KeyLimits,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Whoever has the master key.
    Master,
    /// Whoever has an API key.
    Key(Box<Key>),
}

/// Everything in `keys.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    master: Option<Digest>,
    #[serde(default)]
    keys: Vec<Key>,
}

impl Keys {
    /// Looks at every key, whichever fits: the time doesn't tell which one did.
    fn who(&self, secret: &str) -> Option<Caller> {
        let digest = Digest::of(secret);
        let mut found = None;
        if self
            .master
            .as_ref()
            .is_some_and(|master| master.is(&digest))
        {
            found = Some(Caller::Master);
        }
        for key in &self.keys {
            if key.digest.is(&digest) {
                found = Some(Caller::Key(Box::new(key.clone())));
            }
        }
        found
    }
}
