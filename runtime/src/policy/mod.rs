//! The site's policy: what happens to a bundle that comes from elsewhere and promises nothing.
//!
//! Off, it runs as the OCI spec says. Else it must keep the promise of a sealed bundle: by itself, or after it
//! was sealed. It may ask by annotation to keep something of what sealing takes away; whether it gets
//! that, only the site's file says. The same holds for bundles that are sealed already.

mod config;
mod trusted_file;

use std::io;
use std::path::{Path, PathBuf};

use bundles::promise::{self, KIND_ANNOTATION, Kind, RunAs, UnknownException, exceptions, seal_as};
use oci_spec::runtime::{Process, Spec};
use serde::Deserialize;

use crate::container::Bundle;
use config::{AllowedException, Config};

pub use config::parse_run_as;

/// Where the site's settings are.
pub const DEFAULT_FILE: &str = "/etc/opt-runtime/config.toml";

/// The annotation in a container's state that names the policy which changed or checked its bundle.
pub const POLICY_ANNOTATION: &str = "org.opt-runtime.policy";

/// The annotation in a container's state that holds what the policy changed, joined by `"; "`.
pub const CHANGES_ANNOTATION: &str = "org.opt-runtime.policy.changes";

/// The result of an operation on the site's policy.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a bundle can't be run under the site's policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file can't be read.
    #[error("read policy {}", path.display())]
    Read {
        /// The file, or a directory above it.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file was named that isn't there.
    #[error("policy {}: no such file; hint: off, check, seal or a file", .0.display())]
    Missing(PathBuf),
    /// Somebody but the administrator could have written the file.
    #[error("policy: {} {reason}; hint: it and all directories above it must be root's, and nobody else's to write", path.display())]
    Untrusted {
        /// The file, or a directory above it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file isn't what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line in it, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The bundle breaks the promise, and mayn't.
    #[error("policy {policy}: the bundle is not sealed: {summary}{}", hint_for(summary, *can_change_identity))]
    NotSealed {
        /// Its mode, and where it comes from.
        policy: String,
        /// Every broken row.
        summary: String,
        /// Whether the site says who runs what would be root.
        can_change_identity: bool,
    },
    /// The bundle asks for an exception that the site doesn't allow it.
    #[error("the bundle asks for the exception \"{exception}\", which {origin} doesn't allow it")]
    NotAllowed {
        /// As it stands in the annotation.
        exception: String,
        /// Where exceptions would be allowed.
        origin: String,
    },
    /// The bundle asks for an exception that doesn't exist.
    #[error("annotations")]
    UnknownException(#[from] UnknownException),
}

fn hint_for(summary: &str, can_change_identity: bool) -> &'static str {
    if summary.contains("is 0 on the host") && !can_change_identity {
        "; hint: seal.run-as in config.toml, or another user in the image"
    } else {
        ""
    }
}

/// What happens to a bundle that promises nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It runs as the OCI spec says.
    #[default]
    Off,
    /// It is refused unless it keeps the promise all the same.
    Check,
    /// It is sealed.
    Seal,
}

/// What reads an image that a user made and the site didn't.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsersImages {
    /// A program of the user's, in a user namespace.
    #[default]
    Fuse,
    /// The kernel, which trusts what it mounts.
    Kernel,
    /// Nothing.
    None,
}

/// When an image's file is compared with the digest that is written down beside it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyImages {
    /// Never.
    Never,
    /// Where the kernel knows the file's: that costs nothing.
    #[default]
    FsVerity,
    /// Where the kernel doesn't, all of it is read, once on each node.
    Once,
    /// Likewise, and an image of which no digest is known is refused.
    Required,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Check => "check",
            Self::Seal => "seal",
        })
    }
}

impl Mode {
    fn of_word(word: &str) -> Option<Self> {
        [Self::Off, Self::Check, Self::Seal]
            .into_iter()
            .find(|mode| mode.to_string() == word)
    }
}

/// The site's policy, as one command uses it.
#[derive(Debug)]
pub struct Policy {
    mode: Mode,
    run_as: Option<RunAs>,
    users_images: UsersImages,
    verify_images: VerifyImages,
    exceptions: Vec<AllowedException>,
    /// The file that it comes from, or would.
    origin: String,
    is_there: bool,
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mode, origin, .. } = self;
        match self.is_there {
            true => write!(f, "{mode} ({origin})"),
            false => write!(f, "{mode} (there is no {origin})"),
        }
    }
}

impl Policy {
    /// The policy that `asked` (`--policy`) names: `off`, `check`, `seal`, or a file. A word stands in for the
    /// one in the site's file, whose other settings hold. Without `asked`, the site's file says.
    ///
    /// # Errors
    /// Where a file isn't to be trusted or isn't right; no bundle may be run then.
    pub fn load(asked: Option<&str>) -> Result<Self> {
        Self::load_from(asked, Path::new(DEFAULT_FILE))
    }

    fn load_from(asked: Option<&str>, default: &Path) -> Result<Self> {
        let word = asked.and_then(Mode::of_word);
        let named = asked.filter(|_| word.is_none());
        let path = named.map_or(default, Path::new);
        let path = std::path::absolute(path).map_err(|source| Error::Read {
            path: path.to_path_buf(),
            source,
        })?;
        let (config, is_there) = match trusted_file::read(&path)? {
            Some(text) => (config::parse(&text, &path)?, true),
            None if named.is_some() => return Err(Error::Missing(path)),
            None => (Config::default(), false),
        };
        Ok(Self {
            mode: word.unwrap_or(config.policy),
            run_as: config.seal.run_as,
            users_images: config.shifter.users_images,
            verify_images: config.shifter.verify_images,
            exceptions: config.exception,
            origin: path.display().to_string(),
            is_there,
        })
    }

    /// What reads an image that a user made and the site didn't.
    pub fn users_images(&self) -> UsersImages {
        self.users_images
    }

    /// When an image's file is compared with its digest.
    pub fn verify_images(&self) -> VerifyImages {
        self.verify_images
    }

    /// Brings `bundle` under the policy, and gives what was changed, one sentence each.
    ///
    /// # Errors
    /// [`Error::NotSealed`] and [`Error::NotAllowed`].
    pub fn apply(&self, bundle: &mut Bundle) -> Result<Vec<String>> {
        forget_claims(bundle);
        if bundle.kind.is_none() && self.mode == Mode::Off {
            return Ok(vec![]);
        }
        self.allow_exceptions(bundle)?;
        if bundle.kind.is_some() {
            return Ok(vec![]);
        }
        let changes = match self.mode {
            Mode::Seal => seal_as(&mut bundle.spec, Kind::Sealed, self.run_as),
            Mode::Check | Mode::Off => vec![],
        };
        let report = promise::check(&bundle.spec, Kind::Sealed);
        if !report.is_kept() {
            return Err(Error::NotSealed {
                policy: self.to_string(),
                summary: report.summary(),
                can_change_identity: self.mode == Mode::Seal && self.run_as.is_some(),
            });
        }
        bundle.kind = Some(Kind::Sealed);
        self.record(bundle, &changes);
        Ok(changes)
    }

    /// The start gate and exec read the promise from the container's own spec, whoever made it.
    fn record(&self, bundle: &mut Bundle, changes: &[String]) {
        let annotations = bundle.spec.annotations_mut().get_or_insert_default();
        let mut set = |key: &str, value: String| annotations.insert(key.to_owned(), value);
        set(KIND_ANNOTATION, Kind::Sealed.as_str().to_owned());
        set(POLICY_ANNOTATION, self.to_string());
        if !changes.is_empty() {
            set(CHANGES_ANNOTATION, changes.join("; "));
        }
    }

    fn allow_exceptions(&self, bundle: &mut Bundle) -> Result<()> {
        let asked = exceptions(&bundle.spec)?;
        for exception in &asked {
            let covers = |one: &AllowedException| one.covers(exception, &bundle.directory);
            if !self.exceptions.iter().any(covers) {
                return Err(Error::NotAllowed {
                    exception: exception.to_string(),
                    origin: self.origin.clone(),
                });
            }
        }
        bundle.granted = asked;
        Ok(())
    }
}

/// Seals the process that `exec` was asked for, where a policy has sealed the container: an engine asks for
/// the same user and capabilities as it did for the container. What was root's is the container's own user's.
pub(crate) fn seal_exec(container: &Spec, asked: &mut Spec) {
    let annotations = container.annotations().as_ref();
    let policy = annotations.and_then(|all| all.get(POLICY_ANNOTATION));
    let sealed_by_policy = policy.is_some_and(|policy| policy.starts_with("seal "));
    let (Ok(Some(kind)), true) = (Kind::of(container), sealed_by_policy) else {
        return;
    };
    let user = container.process().as_ref().map(Process::user);
    let run_as = user.map(|user| RunAs {
        uid: user.uid(),
        gid: user.gid(),
    });
    let changes = seal_as(asked, kind, run_as);
    if !changes.is_empty() {
        tracing::info!("process sealed by policy: {}", changes.join("; "));
    }
}

/// A bundle's own word for what a policy did to it is worth nothing.
fn forget_claims(bundle: &mut Bundle) {
    if let Some(annotations) = bundle.spec.annotations_mut() {
        annotations.remove(POLICY_ANNOTATION);
        annotations.remove(CHANGES_ANNOTATION);
    }
}

#[cfg(test)]
mod tests;
