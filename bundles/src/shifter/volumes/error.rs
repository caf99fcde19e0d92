//! Why a volume map is refused.

/// Why a volume map is refused. One line, naming the map and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("volume {map:?}: {problem}")]
pub struct VolumeError {
    /// The map as it was written.
    pub map: String,
    /// The rule that it breaks.
    pub problem: VolumeProblem,
}

/// The rule that a volume map breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum VolumeProblem {
    #[error("must be FROM:TO, with paths on both sides of the colon")]
    NoPath,
    #[error("{path:?} must be an absolute path")]
    Relative { path: String },
    #[error("{path:?} must not have \"..\" in it")]
    Parent { path: String },
    #[error(
        "{path:?} has {character:?} in it: paths here have letters, digits and _ : . + - / only; hint: several maps are separated by ;"
    )]
    Character { path: String, character: char },
    #[error("unknown flag {flag:?}; known are {known}")]
    UnknownFlag { flag: String, known: &'static str },
    #[error("the flag {flag} takes no value")]
    NoValue { flag: &'static str },
    #[error("the flag {flag} is the site's to give, not a user's")]
    NotForUsers { flag: &'static str },
    #[error("the flag {flag} is given twice")]
    Twice { flag: &'static str },
    #[error("slave and private exclude each other")]
    Contradiction,
    #[error("perNodeCache: {reason}")]
    Cache { reason: String },
    #[error("nothing can be mounted on {target}: {reason}")]
    Reserved {
        target: String,
        reason: &'static str,
    },
}

impl VolumeProblem {
    /// What Shifter's parser returns for it: 1 for a path, 2 for a flag that isn't allowed, 3 for one given twice, 4
    /// for two that exclude each other. It has no number for a flag that it can't read.
    pub fn code(&self) -> Option<u8> {
        match self {
            Self::NoPath
            | Self::Relative { .. }
            | Self::Parent { .. }
            | Self::Character { .. }
            | Self::Reserved { .. } => Some(1),
            Self::NotForUsers { .. } => Some(2),
            Self::Twice { .. } => Some(3),
            Self::Contradiction => Some(4),
            Self::UnknownFlag { .. } | Self::NoValue { .. } | Self::Cache { .. } => None,
        }
    }
}
