//! Writing it down.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;

use super::{BETWEEN, CONTENT, MOST, Part, ZEROS};

/// Bytes between contents that are held back.
const PIECE: usize = 64 << 10;

/// Zeros in a row that are only counted: an archive's headers are full of them.
const ROW: usize = 16;

/// What each content that is kept counts for besides its bytes, so that there aren't too many.
const ONE: u64 = 256;

/// Of all layers of an image. What fails only means that nothing is had from it later.
#[derive(Debug)]
pub(crate) struct Recording {
    journal: BufWriter<File>,
    /// Contents that layers took away.
    kept: File,
    /// How long both are.
    written: u64,
    kept_length: u64,
    layers: Vec<Layer>,
    /// Contents of all layers.
    contents: u32,
    /// What was read since the last content.
    between: Vec<u8>,
    /// Bytes of the content that is being read.
    coming: u64,
    is_broken: bool,
}

#[derive(Debug)]
struct Layer {
    /// Where its journal begins, and how many contents were there before.
    from: u64,
    first: u32,
    kept: Vec<Kept>,
    /// Bytes of it that were read.
    length: u64,
    /// Bytes that it may have yet.
    left: u64,
    is_too_large: bool,
}

/// A content that isn't in the image any more.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Which of its layer's.
    number: u32,
    at: u64,
    length: u64,
}

/// What was written down of a layer.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Bytes of it.
    pub(crate) length: u64,
    pub(crate) journal: Part,
    /// By number: contents that are kept apart, in ascending order.
    pub(crate) kept: Vec<(u32, Part)>,
}

impl Recording {
    /// One in two files, which are empty and nobody else's.
    pub(crate) fn new(journal: File, kept: File) -> Self {
        Self {
            journal: BufWriter::with_capacity(PIECE, journal),
            kept,
            written: 0,
            kept_length: 0,
            layers: vec![],
            contents: 0,
            between: vec![],
            coming: 0,
            is_broken: false,
        }
    }

    pub(in crate::layers) fn begin_layer(&mut self) {
        self.put_between();
        self.layers.push(Layer {
            from: self.written,
            first: self.contents,
            kept: vec![],
            length: 0,
            left: MOST,
            is_too_large: false,
        });
    }

    /// This was read of the layer.
    fn passes(&mut self, piece: &[u8]) {
        if let Some(layer) = self.layers.last_mut() {
            layer.length += piece.len() as u64;
        }
        let coming = usize::try_from(self.coming).unwrap_or(usize::MAX);
        let (of_content, between) = piece.split_at(coming.min(piece.len()));
        self.coming -= of_content.len() as u64;
        self.between.extend_from_slice(between);
        if self.between.len() >= PIECE {
            self.put_between();
        }
    }

    /// What comes is a content, which goes to these places of the image. What it is called from now on.
    pub(in crate::layers) fn content(&mut self, places: [(u64, u64); 2]) -> Option<NonZeroU32> {
        let [(_, first), (_, second)] = places;
        if first + second == 0 {
            return None;
        }
        self.put_between();
        self.coming = first + second;
        let mut token = vec![CONTENT];
        for (at, length) in places {
            token.extend([at, length].map(u64::to_le_bytes).concat());
        }
        self.put(&token);
        self.contents = self.contents.saturating_add(1);
        NonZeroU32::new(self.contents)
    }

    /// A content, which `get` reads, is about to be taken out of the image.
    pub(in crate::layers) fn goes(
        &mut self,
        content: NonZeroU32,
        length: u64,
        mut get: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    ) {
        let number = content.get() - 1;
        let layer = self.layers.partition_point(|layer| layer.first <= number);
        let layer = layer.checked_sub(1);
        let Some(layer) = layer.and_then(|layer| self.layers.get_mut(layer)) else {
            return;
        };
        if self.is_broken || !layer.takes(length + ONE) {
            return;
        }
        let mut copy = || -> io::Result<()> {
            let most = usize::try_from(length).unwrap_or(PIECE).min(PIECE);
            let (mut buffer, mut done) = (vec![0; most], 0);
            while done < length {
                let read = get(done, &mut buffer)?;
                let piece = buffer.get(..read).filter(|piece| !piece.is_empty());
                let piece = piece.ok_or_else(Part::broken)?;
                self.kept.write_all_at(piece, self.kept_length + done)?;
                done += read as u64;
            }
            Ok(())
        };
        self.is_broken = copy().is_err();
        layer.kept.push(Kept {
            number: number - layer.first,
            at: self.kept_length,
            length,
        });
        self.kept_length += length;
    }

    /// All are laid: what there is of each, if it isn't too much.
    pub(in crate::layers) fn finish(mut self) -> Vec<Option<Recorded>> {
        self.put_between();
        let Ok(journal) = self.journal.into_inner() else {
            return vec![];
        };
        if self.is_broken {
            return vec![];
        }
        let (journal, kept) = (Arc::new(journal), Arc::new(self.kept));
        let ends = self.layers.iter().skip(1).map(|layer| layer.from);
        let ends: Vec<u64> = ends.chain([self.written]).collect();
        let recorded = |(mut layer, end): (Layer, u64)| {
            layer.kept.sort_by_key(|kept| kept.number);
            let part = |kept: Kept, file| Part {
                file,
                at: kept.at,
                left: kept.length,
            };
            let of_it = layer.kept.into_iter();
            (!layer.is_too_large).then(|| Recorded {
                length: layer.length,
                journal: Part {
                    file: Arc::clone(&journal),
                    at: layer.from,
                    left: end - layer.from,
                },
                kept: of_it
                    .map(|one| (one.number, part(one, Arc::clone(&kept))))
                    .collect(),
            })
        };
        self.layers.into_iter().zip(ends).map(recorded).collect()
    }

    /// Writes what was read between two contents, zeros apart.
    fn put_between(&mut self) {
        let between = std::mem::take(&mut self.between);
        let mut rest = &*between;
        while !rest.is_empty() {
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            if zeros >= ROW {
                self.put(&[&[ZEROS][..], &(zeros as u64).to_le_bytes()].concat());
                rest = rest.get(zeros..).unwrap_or_default();
                continue;
            }
            let row = rest.windows(ROW).position(|row| row == [0; ROW]);
            let (bytes, behind) = rest.split_at(row.unwrap_or(rest.len()));
            self.put(&[&[BETWEEN][..], &(bytes.len() as u64).to_le_bytes(), bytes].concat());
            rest = behind;
        }
        self.between = between;
        self.between.clear();
    }

    fn put(&mut self, token: &[u8]) {
        let layer = self.layers.last_mut();
        if self.is_broken || !layer.is_some_and(|layer| layer.takes(token.len() as u64)) {
            return;
        }
        self.is_broken = self.journal.write_all(token).is_err();
        self.written += token.len() as u64;
    }
}

impl Layer {
    /// Whether so many bytes more can be kept of it, which are then.
    fn takes(&mut self, bytes: u64) -> bool {
        let left = self.left.checked_sub(bytes).filter(|_| !self.is_too_large);
        self.is_too_large = left.is_none();
        self.left = left.unwrap_or(0);
        !self.is_too_large
    }
}

/// A layer that is written down as it is read.
#[derive(Debug)]
pub(in crate::layers) struct Tap<R> {
    pub(in crate::layers) layer: R,
    pub(in crate::layers) recording: Option<Rc<RefCell<Recording>>>,
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.layer.read(buffer)?;
        if let Some(recording) = &self.recording {
            let piece = buffer.get(..length).unwrap_or_default();
            recording.borrow_mut().passes(piece);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_that_are_kept_are_bounded_in_number_too() {
        let recorded = |count: u64| {
            let file = || tempfile::tempfile().unwrap();
            let mut recording = Recording::new(file(), file());
            recording.begin_layer();
            for _ in 0..count {
                let content = recording.content([(0, 1), (0, 0)]).unwrap();
                recording.goes(content, 1, |_, piece| Ok(piece.len()));
            }
            recording.finish().remove(0)
        };
        assert_eq!(recorded(1000).unwrap().kept.len(), 1000);
        assert!(recorded(MOST / ONE).is_none());
    }
}
