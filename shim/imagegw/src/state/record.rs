//! What the gateway knows of images and of pulls.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Access, Status};
use crate::pull::Format;

/// Milliseconds since 1970.
pub type Moment = u64;

/// Now.
pub fn now() -> Moment {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(Moment::MAX)
}

/// Where an image is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A registry.
    Docker,
    /// A file that was imported.
    Custom,
}

impl Kind {
    /// As paths have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Custom => "custom",
        }
    }

    /// The one of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Docker, Self::Custom]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// What users call an image on a system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    /// The system.
    pub system: String,
    /// Where it is from.
    pub kind: Kind,
    /// `repository:tag`.
    pub tag: String,
}

/// What an image says of how it is run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `NAME=VALUE`.
    #[serde(default)]
    pub environment: Vec<String>,
    /// What is run with what is given.
    #[serde(default)]
    pub entry_point: Option<Vec<String>>,
    /// What is run where nothing is given.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// Where it is run.
    #[serde(default)]
    pub working_directory: Option<String>,
    /// What its maker says of it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// An image on a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The system.
    pub system: String,
    /// The name of its file there.
    pub id: String,
    /// Where it is from.
    pub kind: Kind,
    /// What it is called.
    pub tags: Vec<String>,
    /// READY, EXPIRING or EXPIRED.
    pub status: Status,
    /// What its file holds.
    pub format: Format,
    /// Length of its file, bytes.
    pub size: u64,
    /// SHA-256 of its file, `sha256:…`: of images that older versions made.
    #[serde(default)]
    pub file_digest: Option<String>,
    /// Its fs-verity digest, `sha256:…`: blocks of 4096 bytes, no salt. None of images that the oldest versions made.
    #[serde(default)]
    pub verity_digest: Option<String>,
    /// Digest of what it was made of, `sha256:…`.
    pub digest: String,
    /// Whether it took credentials to have it, or it was imported for some.
    pub private: bool,
    /// Who may use it, where it is private.
    pub access: Access,
    /// Who had it pulled first.
    pub owner: u32,
    /// How it is run.
    pub settings: Settings,
    /// When it was pulled last.
    pub last_pull: Moment,
    /// When it expires; never, where there is none.
    pub expiration: Option<Moment>,
}

/// Who asked for a pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// His uid.
    pub uid: u32,
    /// His primary group.
    pub gid: u32,
    /// Whether he was an administrator of the system's.
    pub is_admin: bool,
}

/// A pull or an import that isn't finished, or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its number: later ones are larger.
    pub number: u64,
    /// What it will be called.
    pub name: Name,
    /// Who asked first.
    pub requester: Requester,
    /// Whether it is done with credentials of the requester's, and so is nobody else's. The credentials are in memory
    /// only.
    pub with_credentials: bool,
    /// Who is to use the image.
    pub access: Access,
    /// The file to import, in the gateway's own directory.
    pub import: Option<String>,
    /// How it stands.
    pub status: Status,
    /// More of that, for people.
    pub message: Option<String>,
    /// When it was asked for.
    pub last_pull: Moment,
    /// When its worker was heard of last.
    pub last_heartbeat: Option<Moment>,
    /// How often a worker took it.
    pub attempts: u32,
}

impl Pull {
    /// Whose it is, where it isn't everybody's.
    pub fn only_of(&self) -> Option<u32> {
        let is_ones_own = self.with_credentials || self.import.is_some();
        is_ones_own.then_some(self.requester.uid)
    }
}

/// A lookup, for who wants to know what is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// Who.
    pub user: String,
    /// His uid.
    pub uid: u32,
    /// On which system.
    pub system: String,
    /// Where the image is from.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// As it was asked for.
    pub tag: String,
    /// What was found.
    pub id: String,
    /// When, seconds since 1970.
    pub time: f64,
}
