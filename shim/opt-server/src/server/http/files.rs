//! Files as answers, piece by piece.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A file as an answer.
pub fn file_answer(file: std::fs::File, length: u64, kind: &'static str) -> Response {
    // What is appended meanwhile isn't told: the length was.
    let reader = tokio::fs::File::from_std(file).take(length);
    let pieces = pieces(reader);
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}

/// A reader's bytes, piece by piece.
fn pieces(
    mut reader: impl AsyncRead + Unpin + Send + 'static,
) -> impl tokio_stream::Stream<Item = std::io::Result<Vec<u8>>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            let mut piece = Vec::with_capacity(64 << 10);
            let read = reader.read_buf(&mut piece).await;
            let is_last = !matches!(read, Ok(1..));
            let item = read.map(|_| piece);
            if is_last && item.is_ok() {
                return;
            }
            // Nobody reads any more.
            if sender.send(item).await.is_err() || is_last {
                return;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}
