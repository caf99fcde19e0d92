//! Layers that images have which were made before: how each was laid, and where its contents are, by who showed it and what
//! it is.
//!
//! What is found here needs no trust, for a layer that is put together again is compared with its digest as one that is
//! fetched is (see [`crate::layers`]); so nothing has to be on the disk, and whatever is left of a pull that was killed, or
//! of an image that was removed or written to, is only of no use. But who may have a layer is the registry's to say, each
//! time anew: see [`Earlier::layers`].

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use super::error::PullError;
use super::origin::Origin;
use super::scratch::number;
use super::unpacking::Layer;
use crate::blobs::Digest;
use crate::layers::{Part, Recorded, Recording, Replay};

/// What a record begins with: what is in it, and its version.
const MAGIC: [u8; 8] = *b"layer 1\n";

/// What the names of files begin with that aren't records yet.
const NEW: &str = "new-";

/// So long, an image may be on its way to where it stays.
const WAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The records, in a directory.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    directory: PathBuf,
}

/// A layer's record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    path: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The image's file, and how long it is.
    image: PathBuf,
    size: u64,
    /// Bytes of the layer, unpacked.
    length: u64,
    /// Bytes of what follows: the journal, and behind it, by number, contents that the image hasn't got.
    journal: u64,
    kept: Vec<(u32, u64)>,
}

impl Earlier {
    /// Those in `directory`, which is there.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The layers, each with its record if it can be taken from there.
    ///
    /// A digest is no secret, and whoever has written a manifest can have put any into it. So the registry is asked, as
    /// whoever wants the image, whether it shows the layer in this repository; only what it has shown itself, as the same
    /// blob, counts; and nothing of an image that no registry has shown.
    pub(super) fn layers<'a>(&self, origin: &dyn Origin, layers: &[Layer<'a>]) -> Vec<Layer<'a>> {
        let find = |layer: &Layer<'a>| {
            let record = self.record(origin, layer);
            let record = record.filter(|record| record.open().is_ok());
            Layer {
                earlier: record.filter(|_| origin.shows(layer.digest)),
                ..*layer
            }
        };
        layers.iter().map(find).collect()
    }

    fn record(&self, origin: &dyn Origin, layer: &Layer<'_>) -> Option<Record> {
        let registry = origin.registry()?;
        let Layer { digest, meant, .. } = layer;
        let key = Digest::of(format!("{registry}\n{digest}\n{meant}").as_bytes());
        let path = self.directory.join(key.hex());
        Some(Record { path })
    }

    /// What an image is written down with, if there is room for it.
    pub(super) fn recording(&self) -> Option<Recording> {
        let file = || -> io::Result<File> {
            let path = self.directory.join(format!("{NEW}{}", number()));
            let mut options = File::options();
            let file = options
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        };
        Some(Recording::new(file().ok()?, file().ok()?))
    }

    /// Keeps what was written down of layers, for an image of so many bytes that stays at `image`.
    pub(super) fn keep(
        &self,
        origin: &dyn Origin,
        layers: &[Layer<'_>],
        recorded: Vec<Option<Recorded>>,
        image: &Path,
        size: u64,
    ) {
        for (layer, recorded) in layers.iter().zip(recorded) {
            let (Some(recorded), Some(record)) = (recorded, self.record(origin, layer)) else {
                continue;
            };
            let new = self.directory.join(format!("{NEW}{}", number()));
            let written = write(&new, recorded, image, size);
            if written
                .and_then(|()| fs::rename(&new, &record.path))
                .is_err()
            {
                let _ = fs::remove_file(&new);
            }
        }
    }

    /// Takes away records whose image is gone, and what was left of killed ones.
    pub(super) fn sweep(&self) -> Result<(), PullError> {
        let failed = || PullError::io("read", &self.directory);
        for entry in fs::read_dir(&self.directory).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let written = fs::symlink_metadata(&path).and_then(|found| found.modified());
            let age = written.map(|written| written.elapsed().unwrap_or_default());
            let record = Record { path };
            if age.is_ok_and(|age| age > WAY) && record.open().is_err() {
                record.remove();
            }
        }
        Ok(())
    }
}

impl Record {
    /// Of no use: it is written anew.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }

    /// The layer, unpacked, as it is found.
    ///
    /// # Errors
    /// Where the record is none, or the image isn't there.
    pub(super) fn open(&self) -> io::Result<Replay> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let file = open(&self.path)?;
        let mut from = BufReader::new(&file);
        let (mut magic, mut length) = ([0; 8], [0; 4]);
        from.read_exact(&mut magic)?;
        from.read_exact(&mut length)?;
        if magic != MAGIC {
            return Err(broken());
        }
        let length = u32::from_le_bytes(length).into();
        let head: Head = serde_json::from_reader((&mut from).take(length))?;
        let image = open(&head.image)?;
        if image.metadata()?.len() != head.size {
            return Err(broken());
        }
        let file = Arc::new(file);
        let mut at = (magic.len() + size_of::<u32>()) as u64 + length;
        let mut part = |left: u64| {
            let part = Part {
                file: Arc::clone(&file),
                at,
                left,
            };
            at = at.saturating_add(left);
            part
        };
        let journal = part(head.journal);
        let kept = head
            .kept
            .iter()
            .map(|(number, length)| (*number, part(*length)));
        let kept = kept.collect();
        Ok(Replay::new(head.length, journal, Arc::new(image), kept))
    }
}

/// A file that is one, and no link.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn write(path: &Path, recorded: Recorded, image: &Path, size: u64) -> io::Result<()> {
    let Recorded {
        length: bytes,
        mut journal,
        kept,
    } = recorded;
    let head = serde_json::to_vec(&Head {
        image: image.to_path_buf(),
        size,
        length: bytes,
        journal: journal.left,
        kept: kept
            .iter()
            .map(|(number, part)| (*number, part.left))
            .collect(),
    })?;
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    let mut options = File::options();
    let mut to = BufWriter::new(options.write(true).create_new(true).open(path)?);
    to.write_all(&MAGIC)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&head)?;
    io::copy(&mut journal, &mut to)?;
    for (_, mut part) in kept {
        io::copy(&mut part, &mut to)?;
    }
    to.flush()
}

#[cfg(test)]
mod tests;
