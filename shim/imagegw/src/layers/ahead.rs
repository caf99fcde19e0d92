//! A layer's bytes, unpacked on a thread of their own and hashed on another, while what came before is written.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::fill::fill;
use super::unpacked::{Unpacked, unpacked};
use crate::blobs::{Algorithm, Aside, Digest, Pieces};

/// Bytes that are handed over at once.
const PIECE: usize = 256 << 10;

/// How many pieces may wait: that, and no more, is in memory.
const WAITING: usize = 8;

/// Has `work` read `layer`, unpacked, to its end or until it gives up: what comes of it, and the digest of what was read,
/// if there is an algorithm for one.
pub(super) fn ahead<T>(
    layer: impl Read + Send,
    algorithm: Option<Algorithm>,
    work: impl FnOnce(&mut Ahead) -> T,
) -> (T, Option<Digest>) {
    thread::scope(|scope| {
        let (to, pieces) = sync_channel(WAITING);
        let aside = algorithm.map(|algorithm| Aside::begin(scope, algorithm));
        let reading = scope.spawn(move || read(layer, aside, &to));
        let mut ahead = Ahead {
            pieces,
            piece: Arc::default(),
            taken: 0,
        };
        let outcome = work(&mut ahead);
        // The threads end at once where nobody wants what is left.
        drop(ahead);
        match reading.join() {
            Ok(digest) => (outcome, digest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

type Piece = io::Result<Arc<Vec<u8>>>;

/// Reads until the end, the first error, or nobody takes the pieces.
fn read(layer: impl Read, aside: Option<Aside<'_>>, to: &SyncSender<Piece>) -> Option<Digest> {
    let hand_over = || -> io::Result<()> {
        let Unpacked { mut from, is_plain } = unpacked(layer)?;
        if aside.is_none() && !is_plain {
            let told = "it is compressed, which its digest doesn't say";
            return Err(io::Error::other(told));
        }
        let mut pieces = Pieces::new(PIECE);
        loop {
            let mut piece = pieces.room();
            let (length, read) = fill(&mut from, &mut piece);
            piece.truncate(length);
            let piece = pieces.share(piece);
            if let Some(aside) = &aside {
                aside.update(Arc::clone(&piece));
            }
            let is_end = length == 0 && read.is_ok();
            // What was there before an error is told before it.
            if is_end || to.send(Ok(piece)).is_err() {
                return Ok(());
            }
            read?;
        }
    };
    if let Err(error) = hand_over() {
        // Whoever has given up has a reason of its own.
        let _ = to.send(Err(error));
    }
    aside.map(Aside::finish)
}

/// What was read, in order.
#[derive(Debug)]
pub(super) struct Ahead {
    pieces: Receiver<Piece>,
    piece: Arc<Vec<u8>>,
    taken: usize,
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.piece, self.taken) = (piece?, 0),
                // The thread has ended, all of it was read.
                Err(_) => return Ok(0),
            }
        }
        let mut rest = self.piece.get(self.taken..).unwrap_or_default();
        let length = rest.read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many bytes as there are, and an error behind them if it shall be one.
    struct Source {
        left: usize,
        breaks: bool,
    }

    impl Read for Source {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 && self.breaks {
                return Err(io::Error::other("broken"));
            }
            let length = buffer.len().min(self.left).min(1000);
            buffer[..length].fill(7);
            self.left -= length;
            Ok(length)
        }
    }

    #[test]
    fn all_of_it_comes_in_order_and_is_hashed() {
        for length in [0, 1, PIECE, PIECE * 20 + 5] {
            let source = Source {
                left: length,
                breaks: false,
            };
            let (content, digest) = ahead(source, Some(Algorithm::Sha256), |ahead| {
                let mut content = vec![];
                ahead.read_to_end(&mut content).map(|_| content).unwrap()
            });
            assert!(content == vec![7; length], "{length}");
            assert_eq!(digest, Some(Digest::of(&content)), "{length}");
        }
    }

    #[test]
    fn an_error_comes_behind_what_was_there_before_it() {
        let source = Source {
            left: PIECE + 5,
            breaks: true,
        };
        let (outcome, _) = ahead(source, Some(Algorithm::Sha256), |ahead| {
            let mut content = vec![];
            let error = ahead.read_to_end(&mut content).unwrap_err();
            (content.len(), error.to_string())
        });
        assert_eq!(outcome, (PIECE + 5, "broken".to_owned()));
    }

    #[test]
    fn what_has_to_be_as_it_was_fetched_is_not_unpacked() {
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, b"content").unwrap();
        let gzip = gzip.finish().unwrap();
        let read = |layer: &[u8]| {
            let (read, digest) = ahead(layer, None, |ahead| ahead.read_to_end(&mut vec![]));
            assert_eq!(digest, None);
            read.map_err(|error| error.to_string())
        };
        assert_eq!(read(b"content"), Ok(7));
        assert!(read(&gzip).unwrap_err().contains("compressed"));
    }

    #[test]
    fn whoever_gives_up_ends_it() {
        let source = Source {
            left: usize::MAX,
            breaks: false,
        };
        let (first, _) = ahead(source, Some(Algorithm::Sha256), |ahead| {
            let mut first = [0; 5];
            ahead.read_exact(&mut first).map(|()| first).unwrap()
        });
        assert_eq!(first, [7; 5]);
    }
}
