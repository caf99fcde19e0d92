//! A file's fs-verity digest, by spans that are read, and hashed, each by itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Builder};

use super::verity::{BLOCK, Hash, SPAN, Tree, hash_of_span, of_block};

/// How many spans' hashes are in memory at once.
const WINDOW: u64 = 1024;

/// So many spans are worth a thread.
const WORTH_ONE: u64 = 8;

/// The digest of `file`, which has `length` bytes, by at most so many `threads` at once. Spans that are `known`, by their
/// numbers, aren't read.
///
/// # Errors
/// Those of reading; a file that is shorter.
pub(super) fn digest(
    file: &File,
    length: u64,
    threads: u64,
    known: impl Fn(u64) -> Option<Hash> + Sync,
) -> io::Result<Hash> {
    if length <= BLOCK as u64 {
        let mut block = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut block, 0)?;
        return Ok(of_block(&block));
    }
    let mut tree = Tree::default();
    let count = length.div_ceil(SPAN as u64);
    let mut from = 0;
    while from < count {
        let to = count.min(from + WINDOW);
        let window = Window {
            file,
            length,
            to,
            next: AtomicU64::new(from),
        };
        let unknown = (from..to).filter(|number| known(*number).is_none()).count();
        let threads = threads.min(unknown as u64 / WORTH_ONE).max(1);
        let hashes = window.hashes(threads, &known)?;
        hashes.into_iter().for_each(|(_, hash)| tree.add(hash));
        from = to;
    }
    Ok(tree.finish(length))
}

/// Spans that are read by whoever comes first.
struct Window<'a> {
    file: &'a File,
    length: u64,
    to: u64,
    next: AtomicU64,
}

impl Window<'_> {
    /// All of them, in order.
    fn hashes(
        &self,
        threads: u64,
        known: &(impl Fn(u64) -> Option<Hash> + Sync),
    ) -> io::Result<Vec<(u64, Hash)>> {
        let mut hashes = thread::scope(|scope| {
            let help = |_| Builder::new().spawn_scoped(scope, || self.some(known));
            // Where there can't be another, this one does it.
            let others: Vec<_> = (1..threads).filter_map(|one| help(one).ok()).collect();
            let mut hashes = self.some(known)?;
            for other in others {
                let found = other.join();
                hashes.extend(found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            io::Result::Ok(hashes)
        })?;
        hashes.sort_unstable();
        Ok(hashes)
    }

    /// Those that this thread comes first to.
    fn some(&self, known: &impl Fn(u64) -> Option<Hash>) -> io::Result<Vec<(u64, Hash)>> {
        let (mut buffer, mut hashes) = (vec![], vec![]);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.to {
                return Ok(hashes);
            }
            let hash = match known(number) {
                Some(hash) => hash,
                None => self.read(number, &mut buffer)?,
            };
            hashes.push((number, hash));
        }
    }

    fn read(&self, number: u64, buffer: &mut Vec<u8>) -> io::Result<Hash> {
        let at = number * SPAN as u64;
        let length = usize::try_from(self.length - at).unwrap_or(SPAN);
        buffer.resize(length.min(SPAN), 0);
        self.file.read_exact_at(buffer, at)?;
        Ok(hash_of_span(buffer))
    }
}
