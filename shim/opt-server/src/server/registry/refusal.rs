//! Why the registry refuses.

use crate::server::execution::State;
use crate::server::store::StoreError;

/// Why an execution can't be taken or changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is none, or it is somebody else's: both look the same.
    #[error("there is no execution {0:?}")]
    Unknown(String),
    /// It is past that.
    #[error("the execution is {}: {wanted}", state.as_str())]
    WrongState {
        /// Where it stands.
        state: State,
        /// What would be right.
        wanted: &'static str,
    },
    /// The caller's own limit.
    #[error("{0}")]
    TooMany(String),
    /// What was uploaded, all together.
    #[error("larger than the limit of {0} bytes")]
    TooLarge(u64),
    /// The server's limit.
    #[error("the queue is full: {0} executions wait; try again later")]
    Full(usize),
    /// The disk, with the record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk, with a file.
    #[error(transparent)]
    File(#[from] std::io::Error),
}
