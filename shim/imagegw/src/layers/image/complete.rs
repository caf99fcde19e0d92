//! An image's end: its directories, which say where everything else is, and its links.

use std::collections::HashSet;
use std::io;

use image_files::erofs::{Entry, Whole, Writer, encode, length};

use super::{Image, Node, ROOT, What};
use crate::layers::time::Seconds;

impl Image {
    /// Completes the image, which isn't on the disk yet.
    ///
    /// # Errors
    /// Those of writing.
    pub(in crate::layers) fn complete(self) -> io::Result<Whole> {
        let Self {
            mut writer,
            mut nodes,
            ..
        } = self;
        let mut told = Told::default();
        let mut ahead = vec![(ROOT, ROOT)];
        let mut directories = vec![];
        while let Some((number, above)) = ahead.pop() {
            let children = entries(&nodes, number, above);
            let size = length(children.iter().map(|(name, _)| *name));
            let ids: Vec<u32> = children.iter().map(|(_, id)| *id).collect();
            let place = match number {
                ROOT => writer.take_for_root(size)?,
                _ => writer.take(size)?,
            };
            let mut below = 0_u32;
            for id in ids {
                let Some(node) = nodes.get_mut(id as usize) else {
                    continue;
                };
                match node.what {
                    What::Directory(_) if id != number && id != above => {
                        below += 1;
                        ahead.push((id, number));
                    }
                    _ => told.put(&mut writer, id, node)?,
                }
            }
            if let Some(node) = nodes.get_mut(number as usize) {
                node.number = place.number();
                node.links = below + 2;
                told.count(node.time);
            }
            directories.push((number, above, place));
        }
        for (number, above, place) in directories {
            let children = entries(&nodes, number, above);
            let named = children.iter().filter_map(|(name, id)| {
                let node = nodes.get(*id as usize)?;
                Some(Entry {
                    name,
                    number: node.number,
                    kind: node.kind(),
                })
            });
            writer.put(&place, 0, &encode(&named.collect::<Vec<_>>()))?;
            if let Some(node) = nodes.get(number as usize) {
                writer.put_inode(&place, node.inode())?;
            }
        }
        writer.finish(told.inodes, told.newest)
    }
}

/// What is in a directory, sorted as in the image, with itself and the one above it.
fn entries(nodes: &[Node], number: u32, above: u32) -> Vec<(&[u8], u32)> {
    let mut entries: Vec<(&[u8], u32)> = vec![(b".", number), (b"..", above)];
    if let Some(Node {
        what: What::Directory(children),
        ..
    }) = nodes.get(number as usize)
    {
        entries.extend(children.iter().map(|(name, id)| (&**name, *id)));
    }
    entries.sort_unstable();
    entries
}

/// What the superblock says.
#[derive(Debug, Default)]
struct Told {
    inodes: u64,
    newest: Seconds,
    /// Those with several names that were counted.
    counted: HashSet<u32>,
}

impl Told {
    fn count(&mut self, time: Seconds) {
        self.inodes += 1;
        self.newest = self.newest.max(time);
    }

    /// Completes what isn't a directory, the first time that it is named.
    fn put(&mut self, writer: &mut Writer, id: u32, node: &mut Node) -> io::Result<()> {
        if node.links > 1 && !self.counted.insert(id) {
            return Ok(());
        }
        match &node.what {
            What::Link(target) => {
                let place = writer.take(target.len() as u64)?;
                writer.put(&place, 0, target)?;
                writer.put_inode(&place, node.inode())?;
                node.number = place.number();
            }
            What::File(place) if node.links > 1 => writer.put_links(place, node.links)?,
            What::File(_) => {}
            // The directory itself and the one above, which are counted elsewhere.
            What::Directory(_) | What::Nothing => return Ok(()),
        }
        self.count(node.time);
        Ok(())
    }
}
