//! File systems that strangers made: no kernel mounts them. A program reads them, in a [`Sandbox`].

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};

use super::clean::open_below;
use super::error::ConvertError;
use super::tool::Watch;
use super::unpacker;
use crate::sandbox::Sandbox;
use crate::superblock::{FileSystem, Kind};

/// As much of a tree as somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Bytes of files, holes included.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

/// Unpacks the squashfs or EROFS in `image` to `tree`, which isn't there yet and whose directory has nothing else in it.
/// It is still to be cleaned ([`super::clean`]).
///
/// # Errors
/// [`ConvertError`]; what is in the directory then is to be thrown away.
pub fn unpack_untrusted(
    image: File,
    path: &Path,
    tree: &Path,
    most: Most,
    watch: &mut dyn Watch,
) -> Result<(), ConvertError> {
    let not_an_image = |source| ConvertError::NotAnImage {
        path: path.to_path_buf(),
        source,
    };
    let kind = match FileSystem::of(&image).map_err(not_an_image)?.kind {
        kind @ (Kind::Squashfs | Kind::Erofs) => kind,
        kind => {
            return Err(ConvertError::KernelOnly {
                path: path.to_path_buf(),
                name: kind.name(),
            });
        }
    };
    let above = tree.parent().unwrap_or(tree);
    let sandbox = Sandbox::new(&image, above, most.bytes)?;
    let mut bounded = Bounded {
        tree,
        most,
        watch,
        next: Instant::now(),
        is_too_much: false,
    };
    let unpacked = unpacker(kind, tree)
        .input(image)
        .confined_to(sandbox)
        .run(&mut bounded, None);
    if !bounded.is_too_much {
        unpacked?;
    }
    // Once more when all of it is there.
    match bounded.is_too_much || !holds(tree, most)? {
        true => Err(ConvertError::TooMuch {
            path: path.to_path_buf(),
            bytes: most.bytes,
            entries: most.entries,
        }),
        false => Ok(()),
    }
}

/// Looks now and then how much there is already.
struct Bounded<'a> {
    tree: &'a Path,
    most: Most,
    watch: &'a mut dyn Watch,
    next: Instant,
    is_too_much: bool,
}

impl Watch for Bounded<'_> {
    fn step(&mut self, name: &'static str) {
        self.watch.step(name);
    }

    fn goes_on(&mut self, bytes: Option<u64>) {
        self.watch.goes_on(bytes);
    }

    fn should_stop(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.next {
            // What can't be read now is looked at in the end.
            self.is_too_much = !holds(self.tree, self.most).unwrap_or(true);
            // Large trees take a while, which shall not be most of the time.
            self.next = Instant::now() + now.elapsed() * 10 + Duration::from_millis(500);
        }
        self.is_too_much || self.watch.should_stop()
    }

    fn minds_signals(&self) -> bool {
        self.watch.minds_signals()
    }
}

/// Whether `tree` has no more than `most`. What vanishes in the meantime isn't counted.
fn holds(tree: &Path, most: Most) -> Result<bool, ConvertError> {
    let failed = |operation| ConvertError::io(operation, tree);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = openat(CWD, tree, flags, Mode::empty()).map_err(failed("open"))?;
    let (mut bytes, mut entries) = (0_u64, 0_u64);
    let mut ahead = vec![Path::new(".").to_path_buf()];
    while let Some(relative) = ahead.pop() {
        let Ok(directory) = open_below(&root, &relative) else {
            continue;
        };
        for entry in Dir::read_from(&directory).map_err(failed("read"))? {
            let entry = entry.map_err(failed("read"))?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let Ok(status) = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            entries += 1;
            match FileType::from_raw_mode(status.st_mode) {
                FileType::Directory => {
                    let name = std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes());
                    let name: &std::ffi::OsStr = name;
                    ahead.push(relative.join(name));
                }
                FileType::RegularFile => {
                    bytes = bytes.saturating_add(u64::try_from(status.st_size).unwrap_or(0));
                }
                _ => {}
            }
            if bytes > most.bytes || entries > most.entries {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
