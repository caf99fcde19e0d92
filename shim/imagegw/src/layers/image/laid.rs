//! Layers laid upon an image.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::FileType;

use super::{At, Filling, Image, Node, ROOT, What, directory};
use crate::layers::error::LayerError;
use crate::layers::name::Name;
use crate::layers::time::Seconds;
use crate::layers::upon::{Upon, instead_of_root};

impl Upon for Image {
    type File = Filling;

    fn begin_layer(&mut self) {
        self.ours.clear();
        if let Some(recording) = &self.recording {
            recording.borrow_mut().begin_layer();
        }
    }

    fn end_layer(&mut self) -> Result<(), LayerError> {
        Ok(())
    }

    fn directory(&mut self, name: &Name, mode: u32, time: Seconds) -> Result<(), LayerError> {
        let number = match self.place(name)? {
            None => ROOT,
            Some(at) => match self.child(at.directory, at.name) {
                Some(number) if self.children(number).is_some() => {
                    self.ours.insert(at.directory.into(), at.name);
                    number
                }
                _ => self.replace(at, Node::new(directory(), 0, 0), &name.shown)?,
            },
        };
        let node = self.node(number);
        let node = node.map_err(LayerError::io("make the directory", &name.shown))?;
        node.set(FileType::Directory, mode, time);
        Ok(())
    }

    fn begin_file(&mut self, name: &Name, size: u64) -> Result<Filling, LayerError> {
        let Some(at) = self.place(name)? else {
            return Err(instead_of_root(name, "is a file instead of the root"));
        };
        let node = self.replace(at, Node::new(What::Nothing, 0, 0), &name.shown)?;
        // What was there before has given its room back.
        let place = self.writer.take(size);
        let place = place.map_err(LayerError::io("make", &name.shown))?;
        Ok(Filling {
            node,
            place,
            done: 0,
        })
    }

    fn comes_as_it_is(&mut self, file: &Filling) {
        if let Some(recording) = &self.recording {
            let content = recording.borrow_mut().content(file.place.content());
            if let Some(node) = self.nodes.get_mut(file.node as usize) {
                node.content = content;
            }
        }
    }

    fn put(&mut self, file: &mut Filling, piece: &[u8]) -> io::Result<()> {
        self.writer.put(&file.place, file.done, piece)?;
        file.done += piece.len() as u64;
        Ok(())
    }

    fn put_zeros(&mut self, file: &mut Filling, count: u64) -> io::Result<()> {
        self.writer.leave_zeros(&file.place, file.done, count);
        file.done += count;
        Ok(())
    }

    fn end_file(&mut self, file: Filling, mode: u32, time: Seconds) -> io::Result<()> {
        let node = self.node(file.node)?;
        node.what = What::File(file.place);
        node.number = file.place.number();
        node.set(FileType::RegularFile, mode, time);
        let inode = node.inode();
        self.writer.put_inode(&file.place, inode)
    }

    fn link(&mut self, name: &Name, target: &[u8], time: Seconds) -> Result<(), LayerError> {
        let Some(at) = self.place(name)? else {
            return Err(instead_of_root(name, "is a link instead of the root"));
        };
        let node = Node::new(What::Link(target.into()), 0o777, time);
        self.replace(at, node, &name.shown).map(drop)
    }

    fn hard_link(&mut self, name: &Name, target: &Name) -> Result<(), LayerError> {
        let refuse = |reason| LayerError::entry(&name.shown, reason);
        let Some((above, last)) = target.split() else {
            return Err(refuse("is a hard link to a directory"));
        };
        let from = self.walk(above, &name.shown)?;
        let Some(number) = self.child(from, last) else {
            return Err(refuse("is a hard link to what isn't there"));
        };
        if self.children(number).is_some() {
            return Err(refuse("is a hard link to a directory"));
        }
        let Some(at) = self.place(name)? else {
            return Err(refuse("is a hard link instead of the root"));
        };
        self.ours.insert(at.directory.into(), at.name);
        if self.child(at.directory, at.name) == Some(number) {
            return Ok(());
        }
        let failed = LayerError::io("make the hard link", &name.shown);
        self.remove(at, false).map_err(failed)?;
        if self.child(from, last) != Some(number) {
            return Err(refuse("is a hard link to what is below itself"));
        }
        if let Ok(node) = self.node(number) {
            node.links += 1;
        }
        self.name(at, number)
    }

    fn clear(&mut self, name: &Name) -> Result<(), LayerError> {
        let Some(at) = self.place(name)? else {
            return Err(instead_of_root(name, "is a device instead of the root"));
        };
        let cleared = self.remove(at, false);
        cleared
            .map(drop)
            .map_err(LayerError::io("take away for", &name.shown))
    }

    fn clear_below(&mut self, name: &Name, hidden: &OsStr) -> Result<(), LayerError> {
        let Some(at) = self.place(name)? else {
            return Ok(());
        };
        let at = At { name: hidden, ..at };
        let cleared = self.remove(at, true);
        cleared
            .map(drop)
            .map_err(LayerError::io("take away for", &name.shown))
    }

    fn clear_around(&mut self, name: &Name) -> Result<(), LayerError> {
        let Some(At { directory, .. }) = self.place(name)? else {
            return Ok(());
        };
        let names = self.children(directory).into_iter().flatten();
        let names: Vec<Box<[u8]>> = names.map(|(name, _)| name.clone()).collect();
        for hidden in &names {
            let name_of = OsStr::from_bytes(hidden);
            let at = At {
                directory,
                name: name_of,
            };
            let cleared = self.remove(at, true);
            cleared.map_err(LayerError::io("take away for", &name.shown))?;
        }
        Ok(())
    }
}
