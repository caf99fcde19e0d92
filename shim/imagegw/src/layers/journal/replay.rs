//! A layer, put together again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use super::{BETWEEN, CONTENT, Part, ZEROS};

/// A layer's bytes, unpacked, as they are found now: whoever reads them sees whether they are the right ones.
#[derive(Debug)]
pub(crate) struct Replay {
    journal: BufReader<Part>,
    /// The image that has its contents.
    image: Arc<File>,
    /// Those that it hasn't any more.
    kept: HashMap<u32, Part>,
    /// How many contents were met.
    met: u32,
    /// Bytes of it that are still to come: a journal that is damaged doesn't go on for ever.
    left: u64,
    now: Now,
}

/// What is being read.
#[derive(Debug)]
enum Now {
    Between(u64),
    Zeros(u64),
    Content([Part; 2]),
}

impl Replay {
    /// One of so many bytes.
    pub(crate) fn new(
        length: u64,
        journal: Part,
        image: Arc<File>,
        kept: HashMap<u32, Part>,
    ) -> Self {
        Self {
            journal: BufReader::with_capacity(64 << 10, journal),
            image,
            kept,
            met: 0,
            left: length,
            now: Now::Between(0),
        }
    }

    /// What comes next; nothing at the journal's end.
    fn next(&mut self) -> io::Result<Option<Now>> {
        let mut kind = [0];
        if self.journal.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let (next, length) = match kind {
            [BETWEEN] => {
                let length = self.number()?;
                (Now::Between(length), length)
            }
            [ZEROS] => {
                let length = self.number()?;
                (Now::Zeros(length), length)
            }
            [CONTENT] => {
                let parts = self.content()?;
                let lengths = parts.iter().map(|part| part.left);
                let length = lengths.fold(0, u64::saturating_add);
                (Now::Content(parts), length)
            }
            _ => return Err(broken()),
        };
        self.left = self.left.checked_sub(length).ok_or_else(broken)?;
        Ok(Some(next))
    }

    fn content(&mut self) -> io::Result<[Part; 2]> {
        let mut place = || -> io::Result<Part> {
            Ok(Part {
                file: Arc::clone(&self.image),
                at: number(&mut self.journal)?,
                left: number(&mut self.journal)?,
            })
        };
        let [first, second] = [place()?, place()?];
        let number = self.met;
        self.met = number.saturating_add(1);
        let Some(kept) = self.kept.get(&number) else {
            return Ok([first, second]);
        };
        let nothing = Part { left: 0, ..second };
        Ok([kept.clone(), nothing])
    }

    fn number(&mut self) -> io::Result<u64> {
        number(&mut self.journal)
    }
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

impl Read for Replay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let most = |left: u64| {
            usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len())
        };
        loop {
            match &mut self.now {
                Now::Between(left @ 1..) => {
                    let piece = buffer.get_mut(..most(*left)).unwrap_or_default();
                    let length = self.journal.read(piece)?;
                    if length == 0 {
                        return Err(Part::broken());
                    }
                    *left -= length as u64;
                    return Ok(length);
                }
                Now::Zeros(left @ 1..) => {
                    let length = most(*left);
                    buffer.get_mut(..length).unwrap_or_default().fill(0);
                    *left -= length as u64;
                    return Ok(length);
                }
                Now::Content(parts) => {
                    if let Some(part) = parts.iter_mut().find(|part| part.left > 0) {
                        return part.read(buffer);
                    }
                }
                Now::Between(0) | Now::Zeros(0) => {}
            }
            match self.next()? {
                Some(next) => self.now = next,
                None => return Ok(0),
            }
        }
    }
}
