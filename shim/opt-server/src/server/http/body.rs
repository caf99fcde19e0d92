//! Bodies of requests: into a file, within a size and a time.

use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::StreamExt;

use super::error::Failure;

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// In bytes.
    pub size: u64,
    /// All of it.
    pub time: Duration,
    /// Between two pieces.
    pub idle: Duration,
}

/// Writes a body into a new file at `path`: its length. What is there after a failure is the caller's to
/// remove, and to sync is what it keeps.
///
/// # Errors
/// 413 where it is too large, 408 where it takes too long, 400 where the client went away.
pub async fn receive(body: Body, path: &Path, allowance: Allowance) -> Result<u64, Failure> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(path)
        .await?;
    let deadline = Instant::now() + allowance.time;
    let mut pieces = body.into_data_stream();
    let mut length = 0u64;
    loop {
        let next = timeout_at(deadline, timeout(allowance.idle, pieces.next())).await;
        let piece = match next {
            Ok(Ok(Some(piece))) => piece,
            Ok(Ok(None)) => break,
            Ok(Err(_)) | Err(_) => {
                return Err(Failure::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body took too long",
                ));
            }
        };
        let piece = piece.map_err(|error| Failure::bad(format!("the body broke off: {error}")))?;
        length += piece.len() as u64;
        if length > allowance.size {
            return Err(too_large(allowance.size));
        }
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    Ok(length)
}

/// A body that is larger than it may be.
pub fn too_large(most: u64) -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("larger than the limit of {most} bytes"),
    )
}

/// What a request says of its body's length.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
