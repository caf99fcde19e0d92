//! Files of a tar archive that isn't compressed: found once, then read where they are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use tar::EntryType;

use super::super::error::{PullError, malformed, too_much};
use super::Files;

/// The most entries: a file or two for each layer, and each blob of other images in it.
const MOST_ENTRIES: usize = 20_000;
/// The most links that lead from one to another.
const MOST_LINKS: usize = 8;
/// The most bytes of headers.
const MOST_HEADERS: u64 = 64 << 20;

/// An archive.
#[derive(Debug)]
pub(in crate::pull) struct Archive {
    path: PathBuf,
    file: File,
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    File {
        at: u64,
        size: u64,
    },
    /// A link to another entry, by its name.
    Link(String),
}

impl Archive {
    pub(in crate::pull) fn open(path: &Path) -> Result<Self, PullError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(CWD, path, flags, Mode::empty()).map_err(PullError::io("open", path))?;
        let file = File::from(file);
        let found = file.metadata();
        if !found.map_err(PullError::io("open", path))?.is_file() {
            return Err(malformed(&path.display().to_string(), "it is no file"));
        }
        let entries = entries(&file, path)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            entries,
        })
    }
}

fn entries(file: &File, path: &Path) -> Result<HashMap<String, Entry>, PullError> {
    let what = path.display().to_string();
    let broken = |error: io::Error| {
        let reason = format!("it is no tar archive, or compressed: {error}");
        malformed(&what, &reason)
    };
    let length = file
        .metadata()
        .map_err(PullError::io("look at", path))?
        .len();
    let mut entries = HashMap::new();
    let mut archive = tar::Archive::new(Headers {
        piece: Piece {
            file,
            at: 0,
            end: length,
        },
        left: MOST_HEADERS,
    });
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if entries.len() >= MOST_ENTRIES {
            return Err(too_much(&what, MOST_ENTRIES as u64, "entries"));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let target = entry.link_name_bytes();
        let target = target.map(|target| String::from_utf8_lossy(&target).into_owned());
        let found = match (entry.header().entry_type(), target) {
            (EntryType::Regular | EntryType::Continuous, _) => Entry::File {
                at: entry.raw_file_position(),
                size: entry.size(),
            },
            (EntryType::Symlink, Some(target)) => {
                let above = name.rsplit_once('/').map_or("", |(above, _)| above);
                Entry::Link(format!("{above}/{target}"))
            }
            (EntryType::Link, Some(target)) => Entry::Link(target),
            _ => continue,
        };
        entries.insert(plain(&name), found);
    }
    Ok(entries)
}

/// A name without `.` and `..`, none of which leads out of the archive: nothing else is looked for.
fn plain(name: &str) -> String {
    let mut parts = vec![];
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Files for Archive {
    fn open(&self, name: &str, from: u64) -> Result<(Box<dyn Read + '_>, u64), PullError> {
        let what = format!("{}: {name}", self.path.display());
        let mut name = plain(name);
        for _ in 0..=MOST_LINKS {
            match self.entries.get(&name) {
                Some(Entry::File { at, size }) => {
                    let piece = Piece {
                        file: &self.file,
                        at: at.saturating_add(from.min(*size)),
                        end: at.saturating_add(*size),
                    };
                    return Ok((Box::new(piece), *size));
                }
                Some(Entry::Link(target)) => name = plain(target),
                None => return Err(PullError::NotFound { image: what }),
            }
        }
        Err(malformed(&what, "it is behind too many links"))
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// A part of a file, whose own position doesn't matter.
#[derive(Debug)]
struct Piece<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Piece<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let length = self
            .file
            .read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// The same, for somebody who skips contents and reads headers, of which there are only so many.
#[derive(Debug)]
struct Headers<'a> {
    piece: Piece<'a>,
    left: u64,
}

impl Read for Headers<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.piece.read(buffer)?;
        let left = self.left.checked_sub(length as u64);
        self.left = left.ok_or_else(|| io::Error::other("its headers are too large"))?;
        Ok(length)
    }
}

impl io::Seek for Headers<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::Current(by) => self.piece.at.checked_add_signed(by),
            io::SeekFrom::End(by) => self.piece.end.checked_add_signed(by),
        };
        self.piece.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.piece.at)
    }
}
