//! One layer upon a tree, entry by entry.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use tar::{Entry, EntryType};

use super::bounds::{Leashed, Left};
use super::error::LayerError;
use super::fill::fill;
use super::name::{LONGEST, Name};
use super::time::{Seconds, nearest};
use super::upon::Upon;
use crate::pull::LeftOut;

/// What a name begins with that takes away what is called by its rest.
const WHITEOUT: &[u8] = b".wh.";
/// What takes away everything around it.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What other names of aufs's begin with, which mean nothing in an image.
const OF_AUFS: &[u8] = b".wh..wh.";

/// How much of a file is copied at once, bytes; a piece of zeros as long as this becomes a hole.
const PIECE: usize = 128 << 10;

static ZEROS: [u8; PIECE] = [0; PIECE];

/// What is done for every entry.
pub(super) struct Applying<'a, U> {
    pub(super) upon: &'a mut U,
    pub(super) left: Rc<Left>,
    pub(super) left_out: &'a mut LeftOut,
    /// Told how many bytes were read so far; whether to stop.
    pub(super) goes_on: &'a mut dyn FnMut(u64) -> bool,
    pub(super) buffer: Vec<u8>,
}

/// An entry, without its content.
struct Head {
    name: Name,
    mode: u32,
    time: Seconds,
}

impl<'a, U: Upon> Applying<'a, U> {
    pub(super) fn new(
        upon: &'a mut U,
        left: Rc<Left>,
        left_out: &'a mut LeftOut,
        goes_on: &'a mut dyn FnMut(u64) -> bool,
    ) -> Self {
        Self {
            upon,
            left,
            left_out,
            goes_on,
            buffer: vec![0; PIECE],
        }
    }

    /// Applies the archive in `layer`, and reads it to its very end.
    pub(super) fn layer(mut self, layer: impl Read) -> Result<(), LayerError> {
        self.upon.begin_layer();
        let left = Rc::clone(&self.left);
        let mut archive = tar::Archive::new(Leashed {
            inner: layer,
            left: Rc::clone(&left),
        });
        left.next_entry();
        let mut entries = archive.entries().map_err(|error| left.why(&error))?;
        loop {
            left.next_entry();
            let Some(entry) = entries.next() else { break };
            self.entry(entry.map_err(|error| left.why(&error))?)?;
            self.tell()?;
        }
        self.upon.end_layer()?;
        left.content();
        self.rest(archive.into_inner())
    }

    /// What is behind the archive's end has to be read for the layer's digest.
    fn rest(&mut self, mut layer: impl Read) -> Result<(), LayerError> {
        loop {
            match layer.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => self.tell()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.left.why(&error)),
            }
        }
    }

    fn tell(&mut self) -> Result<(), LayerError> {
        match (self.goes_on)(self.left.read()) {
            true => Ok(()),
            false => Err(LayerError::Stopped),
        }
    }

    fn entry<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), LayerError> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        self.left.entry()?;
        let head = self.head(&mut entry)?;
        if let Some((_, name)) = head.name.split()
            && self.whiteout(name.as_bytes(), &head)?
        {
            return Ok(());
        }
        match kind {
            EntryType::Regular | EntryType::Continuous if head.name.is_directory() => {
                self.directory(&head)
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(&head, entry)
            }
            EntryType::Directory => self.directory(&head),
            EntryType::Symlink => self.link(&head, &entry),
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = Name::parse(&target)?;
                self.upon.hard_link(&head.name, &target)
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => self.special(&head),
            _ => Err(LayerError::entry(
                &head.name.shown,
                "is of a kind that isn't known here",
            )),
        }
    }

    fn head<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<Head, LayerError> {
        let name = Name::parse(&entry.path_bytes())?;
        let broken = |error: io::Error| LayerError::Broken(error.to_string());
        let mode = entry.header().mode().map_err(broken)?;
        let mut time = entry.header().mtime().ok().map(u64::cast_signed);
        for record in entry
            .pax_extensions()
            .map_err(broken)?
            .into_iter()
            .flatten()
        {
            let record = record.map_err(broken)?;
            match record.key_bytes() {
                b"mtime" => time = seconds(record.value_bytes()).or(time),
                key if key.starts_with(b"SCHILY.xattr.") => self.left_out.attributes += 1,
                key if key.starts_with(b"LIBARCHIVE.xattr.") => self.left_out.attributes += 1,
                key if key.starts_with(b"GNU.sparse.") => {
                    let reason = "is a sparse file of a kind that no builder of images writes";
                    return Err(LayerError::entry(&name.shown, reason));
                }
                _ => {}
            }
        }
        if mode & 0o6000 != 0 {
            self.left_out.set_id += 1;
        }
        let time = nearest(time.unwrap_or(0));
        Ok(Head { name, mode, time })
    }

    /// Whether the entry was there to take something away.
    fn whiteout(&mut self, name: &[u8], head: &Head) -> Result<bool, LayerError> {
        if name == OPAQUE {
            self.upon.clear_around(&head.name)?;
            return Ok(true);
        }
        if name.starts_with(OF_AUFS) {
            return Ok(true);
        }
        let Some(hidden) = name.strip_prefix(WHITEOUT) else {
            return Ok(false);
        };
        if [&b""[..], b".", b".."].contains(&hidden) {
            let reason = "takes away what is no name in its directory";
            return Err(LayerError::entry(&head.name.shown, reason));
        }
        self.upon
            .clear_below(&head.name, OsStr::from_bytes(hidden))?;
        Ok(true)
    }

    fn directory(&mut self, head: &Head) -> Result<(), LayerError> {
        self.upon.directory(&head.name, head.mode, head.time)
    }

    fn file<R: Read>(&mut self, head: &Head, entry: Entry<'_, R>) -> Result<(), LayerError> {
        let shown = &head.name.shown;
        self.left.has_room(entry.size())?;
        let mut file = self.upon.begin_file(&head.name, entry.size())?;
        if entry.header().entry_type() != EntryType::GNUSparse {
            self.upon.comes_as_it_is(&file);
        }
        self.left.content();
        self.fill(head, entry, &mut file)?;
        self.upon
            .end_file(file, head.mode, head.time)
            .map_err(LayerError::io("write", shown))
    }

    fn fill<R: Read>(
        &mut self,
        head: &Head,
        mut entry: Entry<'_, R>,
        file: &mut U::File,
    ) -> Result<(), LayerError> {
        let failed = || LayerError::io("write", &head.name.shown);
        let is_sparse = entry.header().entry_type() == EntryType::GNUSparse;
        let before = self.left.read();
        let (size, mut written) = (entry.size(), 0);
        loop {
            let length = self.piece(&mut entry)?;
            let piece = self.buffer.get(..length).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            written += length as u64;
            // All at once: byte by byte takes ten times as long.
            let is_hole = piece == ZEROS;
            match is_hole {
                true => self.upon.put_zeros(file, PIECE as u64),
                false => self.upon.put(file, piece),
            }
            .map_err(failed())?;
            self.tell()?;
        }
        if written != size {
            return Err(LayerError::Broken("a file is cut off".to_owned()));
        }
        self.left.padding(match is_sparse {
            // The size of what is stored, not of what comes of it.
            true => entry.header().entry_size().unwrap_or(0),
            false => size,
        });
        if is_sparse {
            let read = self.left.read() - before;
            self.left.hole(size.saturating_sub(read))?;
        }
        Ok(())
    }

    /// Fills the buffer as far as the entry goes.
    fn piece<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<usize, LayerError> {
        match fill(entry, &mut self.buffer) {
            (length, Ok(())) => Ok(length),
            (_, Err(error)) => Err(self.left.why(&error)),
        }
    }

    fn link<R: Read>(&mut self, head: &Head, entry: &Entry<'_, R>) -> Result<(), LayerError> {
        let shown = &head.name.shown;
        let target = entry.link_name_bytes().unwrap_or_default();
        if target.is_empty() || target.len() > LONGEST || target.contains(&0) {
            let reason = "is a link to what no path can be";
            return Err(LayerError::entry(shown, reason));
        }
        self.upon.link(&head.name, &target, head.time)
    }

    /// A device or a pipe isn't made, but what was there before isn't there any more.
    fn special(&mut self, head: &Head) -> Result<(), LayerError> {
        self.left_out.special += 1;
        self.upon.clear(&head.name)
    }
}

/// The whole seconds of a pax time, `SECONDS[.FRACTION]`.
fn seconds(text: &[u8]) -> Option<i64> {
    let text = str::from_utf8(text).ok()?;
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    whole.parse().ok()
}
