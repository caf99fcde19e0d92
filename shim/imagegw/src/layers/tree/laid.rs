//! Layers laid upon a directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rustix::fs::FileType;

use super::{Tree, set};
use crate::layers::error::LayerError;
use crate::layers::name::Name;
use crate::layers::time::Seconds;
use crate::layers::upon::{Upon, instead_of_root};

/// A file that is being filled.
#[derive(Debug)]
pub(in crate::layers) struct Filling {
    file: File,
    /// Whether it isn't as long yet as it should be.
    ends_with_hole: bool,
}

impl Upon for Tree {
    type File = Filling;

    fn begin_layer(&mut self) {
        self.ours.clear();
    }

    fn end_layer(&mut self) -> Result<(), LayerError> {
        self.leave()
    }

    fn directory(&mut self, name: &Name, mode: u32, time: Seconds) -> Result<(), LayerError> {
        match self.place(name)? {
            Some(place) => place.directory(mode, time),
            None => set(&self.root, FileType::Directory, mode, time),
        }
        .map_err(LayerError::io("make the directory", &name.shown))
    }

    fn begin_file(&mut self, name: &Name, _: u64) -> Result<Filling, LayerError> {
        let Some(mut place) = self.place(name)? else {
            return Err(instead_of_root(name, "is a file instead of the root"));
        };
        let file = place.file().map_err(LayerError::io("make", &name.shown))?;
        Ok(Filling {
            file: file.into(),
            ends_with_hole: false,
        })
    }

    fn put(&mut self, file: &mut Filling, piece: &[u8]) -> io::Result<()> {
        file.ends_with_hole = false;
        file.file.write_all(piece)
    }

    fn put_zeros(&mut self, file: &mut Filling, count: u64) -> io::Result<()> {
        file.ends_with_hole = true;
        let count = i64::try_from(count).map_err(io::Error::other)?;
        file.file.seek(SeekFrom::Current(count)).map(drop)
    }

    fn end_file(&mut self, mut file: Filling, mode: u32, time: Seconds) -> io::Result<()> {
        if file.ends_with_hole {
            let length = file.file.stream_position()?;
            file.file.set_len(length)?;
        }
        set(&file.file, FileType::RegularFile, mode, time).map_err(io::Error::from)
    }

    fn link(&mut self, name: &Name, target: &[u8], time: Seconds) -> Result<(), LayerError> {
        let Some(place) = self.place(name)? else {
            return Err(instead_of_root(name, "is a link instead of the root"));
        };
        let made = place.link(target, time);
        made.map_err(LayerError::io("make the link", &name.shown))
    }

    fn hard_link(&mut self, name: &Name, target: &Name) -> Result<(), LayerError> {
        self.put_hard_link(name, target)
    }

    fn clear(&mut self, name: &Name) -> Result<(), LayerError> {
        let Some(place) = self.place(name)? else {
            return Err(instead_of_root(name, "is a device instead of the root"));
        };
        let cleared = place.clear();
        cleared.map_err(LayerError::io("take away for", &name.shown))
    }

    fn clear_below(&mut self, name: &Name, hidden: &OsStr) -> Result<(), LayerError> {
        let Some(mut place) = self.place(name)? else {
            return Ok(());
        };
        place.name = hidden;
        let cleared = place.clear_below();
        cleared.map_err(LayerError::io("take away for", &name.shown))
    }

    fn clear_around(&mut self, name: &Name) -> Result<(), LayerError> {
        let Some(place) = self.place(name)? else {
            return Ok(());
        };
        let cleared = place.clear_around();
        cleared.map_err(LayerError::io("take away for", &name.shown))
    }
}
