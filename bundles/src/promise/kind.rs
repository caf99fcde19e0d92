//! Which promise a bundle makes, carried as an annotation of its `config.json`.

use std::path::Path;

use oci_spec::runtime::Spec;

/// Annotation whose value names the promise that a bundle makes. A bundle without it promises nothing.
pub const KIND_ANNOTATION: &str = "org.opt-runtime.sealed";

/// Prefix of the annotations that say why a path is in the sandbox: the path inside follows it.
pub const WHY_ANNOTATION: &str = "org.opt-runtime.why.";

/// The annotation key under which the reason for `destination` is kept.
pub fn why_key(destination: &Path) -> String {
    [WHY_ANNOTATION, &destination.to_string_lossy()].concat()
}

/// The kinds of promise. Each later one asks for all that the earlier ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Any sealed bundle: what both seeds ask for.
    Sealed,
    /// One Shifter container: the caller's identity, the host's network and IPC, and nothing that root would run.
    Shifter,
    /// One Opt-Server command line: nothing of the host's world is shared, and everything is bounded.
    OptServer,
}

/// A bundle names a promise that this version doesn't know; such a bundle must not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "annotation {KIND_ANNOTATION}: \"{0}\" is not a promise this version knows (sealed, shifter, opt-server)"
)]
pub struct UnknownKind(String);

impl Kind {
    /// The annotation's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Shifter => "shifter",
            Self::OptServer => "opt-server",
        }
    }

    /// The promise that `spec` makes, if it makes one.
    ///
    /// # Errors
    /// [`UnknownKind`] where the annotation holds anything else: guessing would weaken the promise.
    pub fn of(spec: &Spec) -> Result<Option<Self>, UnknownKind> {
        let value = spec
            .annotations()
            .as_ref()
            .and_then(|all| all.get(KIND_ANNOTATION));
        match value.map(String::as_str) {
            None => Ok(None),
            Some("sealed") => Ok(Some(Self::Sealed)),
            Some("shifter") => Ok(Some(Self::Shifter)),
            Some("opt-server") => Ok(Some(Self::OptServer)),
            Some(other) => Err(UnknownKind(other.to_owned())),
        }
    }
}
