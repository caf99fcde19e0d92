//! Why a request is refused.

use crate::auth::{AuthError, TokensError};
use crate::state::StoreError;

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not what it should be.
    Bad,
    /// Nobody was recognised.
    Unauthenticated,
    /// Not for this user.
    Forbidden,
    /// Not there, or not for this user to know of.
    Unknown,
    /// Not as things stand.
    Conflict,
    /// Larger than allowed.
    TooLarge,
    /// More than allowed.
    TooMany,
    /// Later.
    Unavailable,
    /// Our fault.
    Ours,
}

/// A request that is refused: why, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl Failure {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// Not what it should be.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(Reason::Bad, message)
    }

    /// Not for this user.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Reason::Forbidden, message)
    }

    /// Not there, or not for this user to know of.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(Reason::Unknown, message)
    }

    /// Not as things stand.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Reason::Conflict, message)
    }

    /// Larger than allowed.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(Reason::TooLarge, message)
    }

    /// More than allowed.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(Reason::TooMany, message)
    }

    /// Later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Reason::Unavailable, message)
    }

    /// A fault that is ours: the caller is told that there was one, the log which.
    pub fn ours(error: &(dyn std::error::Error + 'static)) -> Self {
        let told = runtime::telling::line(error);
        tracing::error!(error = %told, "request failed");
        Self::new(Reason::Ours, "the gateway failed; its log says why")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::ours(&error)
    }
}

impl From<TokensError> for Failure {
    fn from(error: TokensError) -> Self {
        Self::ours(&error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::ours(&error)
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match &error {
            AuthError::Tokens(_) | AuthError::Munge(munge::Error::Garbled(_)) => Self::ours(&error),
            AuthError::Munge(munge::Error::Io { .. }) => {
                tracing::error!(%error, "munge doesn't answer");
                Self::unavailable("munge doesn't answer on the gateway's host; try again later")
            }
            _ => Self::new(Reason::Unauthenticated, error.to_string()),
        }
    }
}
