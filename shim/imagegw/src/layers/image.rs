//! An EROFS that layers are laid upon: names in memory, content in the image as soon as it is read.
//!
//! What becomes of entries is what becomes of them in a [directory](super::tree), and the same tests see to it. Here
//! nothing is reached by any path of the host's: there is none.

mod complete;
mod laid;
mod walk;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use image_files::convert::harmless;
use image_files::erofs::{Inode, Kind, Place, Writer};
use rustix::fs::FileType;

use super::error::LayerError;
use super::journal::Recording;
use super::name::Name;
use super::ours::Ours;
use super::time::Seconds;

/// The number of the root in [`Image::nodes`].
const ROOT: u32 = 0;

/// What a tree may take of memory, besides a little for each entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Bytes of names and of links' targets.
    pub(super) names: u64,
    /// Directories that entries imply, of which there can be hundreds for each.
    pub(super) implied: u64,
}

impl Memory {
    const USUAL: Self = Self {
        names: 512 << 20,
        implied: 1 << 20,
    };
}

/// An image's tree.
#[derive(Debug)]
pub(super) struct Image {
    writer: Writer,
    /// All that there ever was; nothing is taken out, so that a number always means the same.
    nodes: Vec<Node>,
    ours: Ours,
    left: Memory,
    most: Memory,
    /// What is written down of it for later images.
    recording: Option<Rc<RefCell<Recording>>>,
}

#[derive(Debug)]
struct Node {
    what: What,
    /// How directories name it; 0 as long as it has no place.
    number: u64,
    mode: u16,
    time: Seconds,
    links: u32,
    /// Which content of all that were recorded is its own.
    content: Option<NonZeroU32>,
}

#[derive(Debug)]
enum What {
    Directory(BTreeMap<Box<[u8]>, u32>),
    File(Place),
    Link(Box<[u8]>),
    /// It was taken away.
    Nothing,
}

/// A file that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    node: u32,
    place: Place,
    done: u64,
}

/// A directory, and a name in it.
#[derive(Clone, Copy)]
struct At<'a> {
    directory: u32,
    name: &'a OsStr,
}

impl Image {
    /// An empty one in `file`, which is empty.
    pub(super) fn new(file: File) -> Self {
        Self::within(Memory::USUAL, file)
    }

    pub(super) fn within(most: Memory, file: File) -> Self {
        let mut image = Self {
            writer: Writer::new(file),
            nodes: vec![],
            ours: Ours::default(),
            left: most,
            most,
            recording: None,
        };
        // Until an entry says something else.
        image.nodes.push(Node::new(directory(), 0o755, 0));
        image
    }

    /// Has what is laid upon it written down there.
    pub(super) fn record(&mut self, recording: Option<Rc<RefCell<Recording>>>) {
        self.recording = recording;
    }

    fn place<'a>(&mut self, name: &'a Name) -> Result<Option<At<'a>>, LayerError> {
        let Some((above, last)) = name.split() else {
            return Ok(None);
        };
        let directory = self.walk(above, &name.shown)?;
        Ok(Some(At {
            directory,
            name: last,
        }))
    }

    fn children(&self, directory: u32) -> Option<&BTreeMap<Box<[u8]>, u32>> {
        match &self.nodes.get(directory as usize)?.what {
            What::Directory(children) => Some(children),
            _ => None,
        }
    }

    fn child(&self, directory: u32, name: &OsStr) -> Option<u32> {
        self.children(directory)?.get(name.as_bytes()).copied()
    }

    fn node(&mut self, number: u32) -> io::Result<&mut Node> {
        let node = self.nodes.get_mut(number as usize);
        node.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Puts what is new at a place where nothing is.
    fn make(&mut self, at: At<'_>, node: Node) -> Result<u32, LayerError> {
        if let What::Link(target) = &node.what {
            self.remember(target.len())?;
        }
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(node);
        self.name(at, number)?;
        Ok(number)
    }

    /// A directory that entries imply.
    fn imply(&mut self, at: At<'_>) -> Result<u32, LayerError> {
        let left = self.left.implied.checked_sub(1);
        self.left.implied = left.ok_or(LayerError::TooMuch {
            most: self.most.implied,
            unit: "directories that have no entry",
        })?;
        self.make(at, Node::new(directory(), 0o755, 0))
    }

    fn remember(&mut self, bytes: usize) -> Result<(), LayerError> {
        let left = self.left.names.checked_sub(bytes as u64);
        self.left.names = left.ok_or(LayerError::TooMuch {
            most: self.most.names,
            unit: "bytes of names and links",
        })?;
        Ok(())
    }

    /// Gives something a name where nothing is.
    fn name(&mut self, at: At<'_>, number: u32) -> Result<(), LayerError> {
        let name = at.name.as_bytes();
        self.remember(name.len())?;
        if let Ok(Node {
            what: What::Directory(children),
            ..
        }) = self.node(at.directory)
        {
            children.insert(name.into(), number);
        }
        Ok(())
    }

    /// Puts something new at a place, instead of what is there.
    fn replace(&mut self, at: At<'_>, node: Node, shown: &[u8]) -> Result<u32, LayerError> {
        self.remove(at, false)
            .map_err(LayerError::io("take away for", shown))?;
        self.ours.insert(at.directory.into(), at.name);
        self.make(at, node)
    }

    /// Takes away what is at a place with all below it; but for what the layer at hand has put there and the directories
    /// above that, if that `is_kept`. Whether it is gone. No deeper than names are.
    fn remove(&mut self, at: At<'_>, is_kept: bool) -> io::Result<bool> {
        let stays = is_kept && self.ours.contains(at.directory.into(), at.name);
        let Some(number) = self.child(at.directory, at.name) else {
            return Ok(true);
        };
        if let Some(children) = self.children(number) {
            let names: Vec<Box<[u8]>> = children.keys().cloned().collect();
            let mut is_empty = true;
            for name in &names {
                let at = At {
                    directory: number,
                    name: OsStr::from_bytes(name),
                };
                is_empty &= self.remove(at, is_kept)?;
            }
            if !is_empty || stays {
                return Ok(false);
            }
        } else if stays {
            return Ok(false);
        }
        if let What::Directory(children) = &mut self.node(at.directory)?.what {
            children.remove(at.name.as_bytes());
        }
        let node = self.node(number)?;
        node.links -= 1;
        let content = node.content;
        if node.links == 0
            && let What::File(place) = std::mem::replace(&mut node.what, What::Nothing)
        {
            if let (Some(recording), Some(content)) = (&self.recording, content) {
                let get = |at, piece: &mut [u8]| self.writer.get(&place, at, piece);
                recording.borrow_mut().goes(content, place.size(), get);
            }
            self.writer.give_back(&place)?;
        }
        Ok(true)
    }
}

impl Node {
    fn new(what: What, mode: u32, time: Seconds) -> Self {
        Self {
            what,
            number: 0,
            mode: u16::try_from(mode & 0o7777).unwrap_or(0),
            time,
            links: 1,
            content: None,
        }
    }

    fn kind(&self) -> Kind {
        match self.what {
            What::Directory(_) => Kind::Directory,
            What::Link(_) => Kind::Link,
            What::File(_) | What::Nothing => Kind::File,
        }
    }

    fn inode(&self) -> Inode {
        Inode {
            kind: self.kind(),
            mode: self.mode,
            time: self.time,
            links: self.links,
        }
    }

    fn set(&mut self, kind: FileType, mode: u32, time: Seconds) {
        let mode = harmless(kind.as_raw_mode() | mode & 0o7777).as_raw_mode();
        self.mode = u16::try_from(mode & 0o7777).unwrap_or(0);
        self.time = time;
    }
}

fn directory() -> What {
    What::Directory(BTreeMap::new())
}
