//! `imagemanager.json`: Shifter's keys, and ours beside them.
//!
//! Strict: what isn't known or isn't what it should be is refused, all of it at once, a line for each.

mod converter;
mod limits;
mod location;
mod platform;
mod section;
#[cfg(test)]
mod tests;
mod top;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bundles::shifter::trusted::{self, TrustError};
use image_files::convert::WriteOptions;
use nix::unistd::geteuid;

use crate::pull::Format;

pub use limits::Limits;
pub use location::{Location, Mirror};
pub use platform::{Access, Platform, Remote};

/// Where it is if nobody says otherwise.
pub const USUAL_PATH: &str = "/etc/shifter/imagemanager.json";

/// More than anybody writes by hand.
const MAX_SIZE: u64 = 1 << 20;

/// How connections are kept private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// With a certificate of our own making.
    Own,
    /// With the site's.
    Files {
        /// The chain, PEM.
        chain: PathBuf,
        /// Its private key, PEM.
        key: PathBuf,
    },
    /// Not at all.
    Off,
}

/// Who may import files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Importers {
    /// Nobody.
    Nobody,
    /// Everybody.
    Everybody,
    /// These users.
    Users(Vec<String>),
}

impl Importers {
    /// Whether the user of this name is one.
    pub fn include(&self, user: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Users(names) => names.iter().any(|name| name == user),
        }
    }
}

/// How callers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// By munge credentials.
    pub munge: bool,
    /// By tokens of the gateway's.
    pub tokens: bool,
    /// Whether a munge credential has to name the request that it is for.
    pub bound_only: bool,
}

/// The contents of the file.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The file.
    pub path: PathBuf,
    /// Address and port.
    pub listen: String,
    /// How connections are kept private.
    pub tls: Tls,
    /// Database, tokens, certificate, and what is being made.
    pub state: PathBuf,
    /// Blobs of registries.
    pub cache: PathBuf,
    /// Trees that images are unpacked to.
    pub expand: PathBuf,
    /// How callers prove who they are.
    pub authentication: Authentication,
    /// Pulls at once.
    pub workers: usize,
    /// How much the log tells.
    pub log_level: tracing::Level,
    /// The location of images that name none.
    pub default_location: String,
    /// What images are made to.
    pub format: Format,
    /// How image files are written.
    pub written: WriteOptions,
    /// How long a finished or failed pull stands before the next one.
    pub pull_update: Duration,
    /// How long an image is kept after it was last looked up.
    pub expiration: Option<Duration>,
    /// Whether lookups are recorded.
    pub metrics: bool,
    /// Who may import files.
    pub importers: Importers,
    /// The site's program that judges an unpacked image.
    pub examiner: Option<PathBuf>,
    /// Whose signatures images need.
    pub signature_policy: Option<PathBuf>,
    /// The systems that images are for.
    pub platforms: BTreeMap<String, Platform>,
    /// Registries, by the name that tags begin with.
    pub locations: BTreeMap<String, Location>,
    /// What users may take.
    pub limits: Limits,
    /// Keys without effect, and what is doubtful.
    pub warnings: Vec<String>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// It can't be read, or somebody else may have written it.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It isn't JSON.
    #[error("{}:{line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It says what it can't. A line for each fault.
    #[error("{}", faults.iter().map(|fault| format!("{}: {fault}", path.display())).collect::<Vec<_>>().join("\n"))]
    Faults {
        /// The file.
        path: PathBuf,
        /// Key and fault.
        faults: Vec<String>,
    },
}

impl Configuration {
    /// Reads the file at `path`, which only root and this process's user may have written.
    ///
    /// # Errors
    /// [`ConfigurationError`].
    pub fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let owners = [0, geteuid().as_raw()];
        let text = trusted::read(path, &owners, MAX_SIZE)?;
        Self::parse(&text, path)
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// Likewise.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, ConfigurationError> {
        let object = serde_json::from_slice(text).map_err(|error| {
            let message = error.to_string();
            let reason = message.split(" at line ").next().unwrap_or_default();
            ConfigurationError::Syntax {
                path: path.to_path_buf(),
                line: error.line().max(1),
                reason: reason.to_owned(),
            }
        })?;
        top::read(object, path)
    }
}
