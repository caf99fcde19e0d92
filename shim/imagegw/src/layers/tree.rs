//! The tree that layers are laid upon, reached through its root's descriptor only and through no link.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use image_files::convert::harmless;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fchmod, fstat, futimens, linkat,
    mkdirat, openat, openat2, readlinkat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

mod laid;

use super::error::LayerError;
use super::name::Name;
use super::ours::Ours;
use super::time::{Seconds, of, times};
use super::way::{Found, follow};

/// An image's tree.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    here: Option<Here>,
    ours: Ours,
}

/// The directory that entries are put into at the moment. What is put into it changes its time, which is put right once
/// it is left.
#[derive(Debug)]
struct Here {
    parts: Vec<OsString>,
    directory: OwnedFd,
    inode: u64,
    time: Seconds,
}

impl Here {
    fn leave(self) -> Result<(), Errno> {
        futimens(&self.directory, &times(self.time))
    }
}

/// A place in the tree for an entry: a directory of it, and a name in there.
#[derive(Debug)]
struct Place<'a> {
    directory: &'a OwnedFd,
    name: &'a OsStr,
    inode: u64,
    ours: &'a mut Ours,
}

impl Tree {
    /// That below an empty directory.
    ///
    /// # Errors
    /// [`LayerError::Io`].
    pub(super) fn new(path: &Path) -> Result<Self, LayerError> {
        let failed = |operation| LayerError::io(operation, path.as_os_str().as_bytes());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(CWD, path, flags, Mode::empty()).map_err(failed("open"))?;
        // Until an entry says something else.
        fchmod(&root, Mode::from_raw_mode(0o755)).map_err(failed("chmod"))?;
        futimens(&root, &times(0)).map_err(failed("set the time of"))?;
        Ok(Self {
            root,
            here: None,
            ours: Ours::default(),
        })
    }

    /// All is done for now.
    ///
    /// # Errors
    /// [`LayerError::Io`].
    fn leave(&mut self) -> Result<(), LayerError> {
        match self.here.take() {
            Some(here) => here
                .leave()
                .map_err(LayerError::io("set the time of the directory of", b".")),
            None => Ok(()),
        }
    }

    /// The place for `name` below directories that are made if they aren't there; none for the root.
    ///
    /// # Errors
    /// [`LayerError`].
    fn place<'a>(&'a mut self, name: &'a Name) -> Result<Option<Place<'a>>, LayerError> {
        let Some((above, last)) = name.split() else {
            self.leave()?;
            return Ok(None);
        };
        if self.here.as_ref().is_none_or(|here| here.parts != above) {
            self.leave()?;
            let directory = self.directory(above, &name.shown)?;
            let status = fstat(&directory).map_err(LayerError::io("look at", &name.shown))?;
            self.here = Some(Here {
                parts: above.to_vec(),
                directory,
                inode: status.st_ino,
                time: of(&status),
            });
        }
        let here = self.here.as_ref();
        Ok(here.map(|here| Place {
            directory: &here.directory,
            name: last,
            inode: here.inode,
            ours: &mut self.ours,
        }))
    }

    /// Puts a hard link to `target` at `name`.
    ///
    /// # Errors
    /// [`LayerError`].
    fn put_hard_link(&mut self, name: &Name, target: &Name) -> Result<(), LayerError> {
        let refuse = |reason| LayerError::entry(&name.shown, reason);
        let Some((above, last)) = target.split() else {
            return Err(refuse("is a hard link to a directory"));
        };
        // First, since it may have to make directories, and `place` puts their times right.
        self.leave()?;
        let from = self.directory(above, &name.shown)?;
        let status = match statat(&from, last, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Err(refuse("is a hard link to what isn't there")),
            found => found.map_err(LayerError::io("look at the target of", &name.shown))?,
        };
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            return Err(refuse("is a hard link to a directory"));
        }
        let Some(mut place) = self.place(name)? else {
            return Err(refuse("is a hard link instead of the root"));
        };
        let is_same = statat(place.directory, place.name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|there| there.st_ino == status.st_ino);
        place.is_ours();
        if is_same {
            return Ok(());
        }
        place
            .replace(|place| linkat(&from, last, place.directory, place.name, AtFlags::empty()))
            .map_err(|errno| match errno {
                Errno::NOENT => refuse("is a hard link to what is below itself"),
                errno => LayerError::io("make the hard link", &name.shown)(errno),
            })
    }

    /// The directory with these parts, made if it isn't there.
    fn directory(&self, parts: &[OsString], shown: &[u8]) -> Result<OwnedFd, LayerError> {
        let path: PathBuf = parts.iter().collect();
        match open_directory(&self.root, &path) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
            opened => return opened.map_err(LayerError::io("open the directory of", shown)),
        }
        let real = self.walk(parts, shown)?;
        open_directory(&self.root, &real).map_err(LayerError::io("open the directory of", shown))
    }

    /// Where these parts really lead, without leaving the tree to the kernel for a moment. What is missing is made.
    fn walk(&self, parts: &[OsString], shown: &[u8]) -> Result<PathBuf, LayerError> {
        let failed = |operation| LayerError::io(operation, shown);
        let way = follow(parts, shown, |way, part| {
            let real: PathBuf = way.directories().collect();
            let above = open_directory(&self.root, &real).map_err(failed("open a directory of"))?;
            let status = match statat(&above, part, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {
                    make_directory(&above, part).map_err(failed("make a directory of"))?;
                    return Ok(Found::Directory(part.to_owned()));
                }
                found => found.map_err(failed("look at a directory of"))?,
            };
            Ok(match FileType::from_raw_mode(status.st_mode) {
                FileType::Directory => Found::Directory(part.to_owned()),
                FileType::Symlink => {
                    let target = readlinkat(&above, part, vec![]);
                    Found::Link(target.map_err(failed("read a link to"))?.into_bytes())
                }
                _ => Found::Other,
            })
        })?;
        Ok(way.directories().collect())
    }
}

impl Place<'_> {
    /// Keeps the name from what this layer takes away.
    fn is_ours(&mut self) {
        self.ours.insert(self.inode, self.name);
    }

    /// Makes a directory, or takes the one that is there, and gives it its mode and time.
    fn directory(mut self, mode: u32, time: Seconds) -> Result<(), Errno> {
        let found = statat(self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW);
        let is_there = found.is_ok_and(|found| is_directory(&found));
        if !is_there {
            self.replace(|place| mkdirat(place.directory, place.name, Mode::RWXU))?;
        }
        let directory = open_directory(self.directory, self.name)?;
        self.is_ours();
        set(&directory, FileType::Directory, mode, time)
    }

    /// Makes a file, which is still to be filled.
    fn file(&mut self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let flags = flags | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = self.replace(|place| openat(place.directory, place.name, flags, mode))?;
        self.is_ours();
        Ok(file)
    }

    /// Makes a symbolic link. Where it leads to is the business of who has the image as its root: here, nobody follows it.
    fn link(mut self, target: &[u8], time: Seconds) -> Result<(), Errno> {
        self.replace(|place| symlinkat(target, place.directory, place.name))?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        self.is_ours();
        utimensat(self.directory, self.name, &times(time), flags)
    }

    /// Takes away what is there, all of it.
    fn clear(&self) -> Result<(), Errno> {
        remove(self.directory, self.name, &|_, _| false).map(drop)
    }

    /// Takes away what layers below have put there.
    fn clear_below(&self) -> Result<(), Errno> {
        let is_kept = |directory, name: &OsStr| self.ours.contains(directory, name);
        remove(self.directory, self.name, &is_kept).map(drop)
    }

    /// Takes away what layers below have put into the directory that this is a place of.
    fn clear_around(&self) -> Result<(), Errno> {
        let is_kept = |directory, name: &OsStr| self.ours.contains(directory, name);
        for name in names(self.directory)? {
            remove(self.directory, &name, &is_kept)?;
        }
        Ok(())
    }

    /// Makes something, where need be instead of what is there.
    fn replace<T>(&self, make: impl Fn(&Self) -> Result<T, Errno>) -> Result<T, Errno> {
        match make(self) {
            Err(Errno::EXIST) => {
                self.clear()?;
                make(self)
            }
            made => made,
        }
    }
}

/// Gives what an entry has made its mode and time.
fn set(made: impl AsFd, kind: FileType, mode: u32, time: Seconds) -> Result<(), Errno> {
    fchmod(&made, harmless(kind.as_raw_mode() | mode & 0o7777))?;
    futimens(&made, &times(time))
}

/// A directory below another, through no link.
fn open_directory(at: &OwnedFd, path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    let path = match path.as_ref() {
        empty if empty.as_os_str().is_empty() => Path::new("."),
        path => path,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    openat2(at, path, flags, Mode::empty(), resolve)
}

/// A directory that an archive implies: of a time and a mode that are the same whenever it is unpacked.
fn make_directory(above: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    let time = of(&fstat(above)?);
    mkdirat(above, name, Mode::RWXU)?;
    set(open_directory(above, name)?, FileType::Directory, 0o755, 0)?;
    futimens(above, &times(time))
}

fn is_directory(status: &Stat) -> bool {
    FileType::from_raw_mode(status.st_mode) == FileType::Directory
}

fn names(directory: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = vec![];
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

/// Says of a name in a directory, which is given by its inode number, whether it stays.
type IsKept<'a> = dyn Fn(u64, &OsStr) -> bool + 'a;

/// Takes `name` away with all below it but what is to be kept and the directories above that. Whether it is gone. No
/// deeper than trees are made here.
fn remove(at: &OwnedFd, name: &OsStr, is_kept: &IsKept<'_>) -> Result<bool, Errno> {
    let stays = is_kept(fstat(at)?.st_ino, name);
    let status = match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(true),
        found => found?,
    };
    if !is_directory(&status) {
        if stays {
            return Ok(false);
        }
        unlinkat(at, name, AtFlags::empty())?;
        return Ok(true);
    }
    let directory = open_directory(at, name)?;
    let mut is_empty = true;
    for name in names(&directory)? {
        is_empty &= remove(&directory, &name, is_kept)?;
    }
    if is_empty && !stays {
        unlinkat(at, name, AtFlags::REMOVEDIR)?;
        return Ok(true);
    }
    futimens(&directory, &times(of(&status)))?;
    Ok(false)
}
