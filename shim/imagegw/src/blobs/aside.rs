//! A digest that is computed on a thread of its own, while whoever reads goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::digest::{Algorithm, Digest, Hasher};

/// How many pieces may wait to be hashed: that, and no more, is in memory.
const WAITING: usize = 4;

/// The digest of pieces.
#[derive(Debug)]
pub(crate) struct Aside<'scope> {
    to: SyncSender<Arc<Vec<u8>>>,
    hashing: ScopedJoinHandle<'scope, Digest>,
}

impl<'scope> Aside<'scope> {
    /// Of none yet. Its thread ends when this does.
    pub(crate) fn begin<'env>(scope: &'scope Scope<'scope, 'env>, algorithm: Algorithm) -> Self {
        let (to, pieces) = sync_channel::<Arc<Vec<u8>>>(WAITING);
        let hashing = scope.spawn(move || {
            let mut hasher = Hasher::new(algorithm);
            pieces.iter().for_each(|piece| hasher.update(&piece));
            hasher.finish()
        });
        Self { to, hashing }
    }

    /// Adds one.
    pub(crate) fn update(&self, piece: Arc<Vec<u8>>) {
        // It takes all, unless it has panicked.
        let _ = self.to.send(piece);
    }

    /// Of all of them.
    pub(crate) fn finish(self) -> Digest {
        drop(self.to);
        let digest = self.hashing.join();
        digest.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Memory for pieces that several look at, used again once nobody does.
#[derive(Debug)]
pub(crate) struct Pieces {
    size: usize,
    shared: VecDeque<Arc<Vec<u8>>>,
}

impl Pieces {
    /// More than this at once are made anew each time.
    const MOST: usize = 16;

    /// For pieces of so many bytes.
    pub(crate) fn new(size: usize) -> Self {
        let shared = VecDeque::new();
        Self { size, shared }
    }

    /// Room for one: whatever is in it.
    pub(crate) fn room(&mut self) -> Vec<u8> {
        let unused = self
            .shared
            .pop_front_if(|oldest| Arc::get_mut(oldest).is_some());
        let mut room = unused.and_then(Arc::into_inner).unwrap_or_default();
        room.resize(self.size, 0);
        room
    }

    /// One that is there.
    pub(crate) fn share(&mut self, piece: Vec<u8>) -> Arc<Vec<u8>> {
        let piece = Arc::new(piece);
        self.shared.push_back(Arc::clone(&piece));
        if self.shared.len() > Self::MOST {
            self.shared.pop_front();
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_pieces_are_hashed_and_none_is_written_over_before() {
        let mut pieces = Pieces::new(1000);
        let mut all = vec![];
        let digest = thread::scope(|scope| {
            let aside = Aside::begin(scope, Algorithm::Sha256);
            for number in 0..500_u32 {
                let mut room = pieces.room();
                room.fill(number.to_le_bytes()[0]);
                room.truncate(1000 - number as usize);
                all.extend_from_slice(&room);
                aside.update(pieces.share(room));
            }
            aside.finish()
        });
        assert_eq!(digest, Digest::of(&all));
        assert!(pieces.shared.len() <= Pieces::MOST);
    }

    #[test]
    fn memory_is_used_again() {
        let mut pieces = Pieces::new(10);
        let room = pieces.room();
        let first = room.as_ptr();
        let piece = pieces.share(room);
        let other = pieces.room();
        assert_ne!(other.as_ptr(), first);
        drop(piece);
        let again = pieces.room();
        assert_eq!(again.as_ptr(), first);
    }
}
