//! Failures as containerd understands them: codes of gRPC, and words after which it looks.

use containerd_shim_protos::ttrpc::{Code, Status, get_status};

use crate::worker::{Failure, FailureKind};

/// `failure` as an answer.
pub fn status(failure: &Failure) -> Status {
    let (code, words) = match failure.kind {
        FailureKind::NotFound => (Code::NOT_FOUND, "not found"),
        FailureKind::AlreadyExists => (Code::ALREADY_EXISTS, "already exists"),
        FailureKind::FailedPrecondition => (Code::FAILED_PRECONDITION, "failed precondition"),
        FailureKind::InvalidArgument => (Code::INVALID_ARGUMENT, "invalid argument"),
        FailureKind::Unimplemented => (Code::UNIMPLEMENTED, "not implemented"),
        FailureKind::Unknown => return get_status(Code::UNKNOWN, failure),
    };
    get_status(code, format!("{failure}: {words}"))
}

/// There is no such task or process.
pub fn not_found(what: &str, id: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("{what} \"{id}\""))
}

/// There is one.
pub fn exists(what: &str, id: &str) -> Failure {
    Failure::new(FailureKind::AlreadyExists, format!("{what} \"{id}\""))
}

/// Not now.
pub fn precondition(text: impl Into<String>) -> Failure {
    Failure::new(FailureKind::FailedPrecondition, text)
}

/// The request makes no sense.
pub fn invalid(text: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InvalidArgument, text)
}
