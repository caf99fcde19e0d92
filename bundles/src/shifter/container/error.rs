//! Why a request can't become a container.

use std::io;
use std::path::PathBuf;

use crate::shifter::Config;
use crate::shifter::accounts::CallerError;
use crate::shifter::trusted::TrustError;

/// Why a request can't become a container. One line, naming the volume or the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Who asks can't have one.
    #[error(transparent)]
    Caller(#[from] CallerError),
    /// Nobody knows the caller's name.
    #[error(
        "uid {uid} is not in {}; hint: the site's allowLibcPwdCalls=1 looks further", passwd.display()
    )]
    Unknown {
        /// The caller's uid.
        uid: u32,
        /// Where they were looked for.
        passwd: PathBuf,
    },
    /// A file of the site's, which others could have written.
    #[error("{key}: {source}")]
    Untrusted {
        /// The key that names it.
        key: String,
        /// What is wrong.
        source: TrustError,
    },
    /// A file of the site's or the host's.
    #[error("{key}: {}: {source}", path.display())]
    File {
        /// The key that names it.
        key: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// A script of the site's.
    #[error("{key}: {}: {reason}", script.display())]
    Hook {
        /// The key that names it.
        key: String,
        /// The script.
        script: PathBuf,
        /// How it ended, or why it can't be run.
        reason: String,
    },
    /// A mount of the site's.
    #[error("{key}: {map}: {reason}")]
    SiteMount {
        /// The key.
        key: String,
        /// The volume map.
        map: String,
        /// What is wrong.
        reason: String,
    },
    /// A volume of the user's.
    #[error("volume {map}: {reason}")]
    Volume {
        /// The volume map.
        map: String,
        /// What is wrong.
        reason: String,
    },
    /// The image itself.
    #[error("the image: {path}: {source}")]
    Image {
        /// The path in it.
        path: String,
        /// What is wrong.
        source: io::Error,
    },
    /// A user whose name would be something else in a configuration of sshd's.
    #[error(
        "there can be no sshd for the user {0:?}: their name has other characters than letters, digits, . _ and -"
    )]
    UserOfSshd(String),
    /// What one of the keys of `udiRoot.conf` names.
    #[error("{place}: {source}")]
    Configured {
        /// The file, and the line of the key.
        place: String,
        /// What is wrong; begins with the key.
        source: Box<Self>,
    },
    /// A path that can't be written in JSON.
    #[error("{}: a path that isn't UTF-8 can't be in a bundle", .0.display())]
    NotText(PathBuf),
}

impl ContainerError {
    /// The same, with the line of `config` that says it, where there is one.
    pub fn of(self, config: &Config) -> Self {
        let place = match &self {
            Self::Untrusted { key, .. } | Self::Hook { key, .. } => config.place(key, ""),
            Self::File { key, path, .. } => config.place(key, &path.display().to_string()),
            Self::SiteMount { key, map, .. } => {
                config.place(key, map.split(':').next().unwrap_or_default())
            }
            _ => None,
        };
        match place {
            Some(place) => Self::Configured {
                place,
                source: Box::new(self),
            },
            None => self,
        }
    }
}
