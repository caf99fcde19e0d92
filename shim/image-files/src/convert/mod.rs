//! An image made of another: unpacked, made harmless, and written whole or not at all.
//!
//! File systems are read and written by their own programs, as the user who asks, beside the destination.

mod clean;
mod copy;
mod error;
mod tool;
mod write;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fsync, openat, renameat_with};

pub use clean::{Cleaned, clean, harmless};
pub use error::ConvertError;
pub use tool::Watch;
pub use write::{write_erofs, write_squashfs};

use crate::superblock::{FileSystem, Kind};
use tool::{Tool, Untroubled};

/// What a conversion's working directory is called, beside the destination.
const SCRATCH: &str = ".shifter-convert-";

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A squashfs, compressed with zstd.
    Squashfs,
    /// An EROFS that isn't compressed: the soonest to start from.
    Erofs,
    /// A directory.
    Directory,
}

/// What an image is made of.
#[derive(Debug)]
enum Source {
    File(File, Kind),
    Directory,
}

/// A conversion.
#[derive(Debug)]
pub struct Conversion<'a> {
    /// An image, or a directory.
    pub source: &'a Path,
    /// What isn't there yet.
    pub destination: &'a Path,
    /// What is to be there.
    pub target: Target,
    /// Whether what is there may be replaced; never a directory.
    pub replace: bool,
}

impl Conversion<'_> {
    /// Does it, telling `watch` of each step.
    ///
    /// # Errors
    /// [`ConvertError`]; the destination is as it was then, and nothing is beside it.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Cleaned, ConvertError> {
        let source = self.look()?;
        self.must_be_free()?;
        let above = match self.destination.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        let scratch = Scratch::new(above)?;
        let (tree, image) = (scratch.path.join("tree"), scratch.path.join("image"));
        self.unpack(source, &tree, watch)?;
        watch.step("clean");
        let cleaned = clean::clean(&tree)?;
        let made = match self.target {
            Target::Directory => tree,
            Target::Erofs => {
                write_erofs(&tree, &image, cleaned.newest, watch)?;
                image
            }
            Target::Squashfs => {
                write_squashfs(&tree, &image, watch)?;
                image
            }
        };
        watch.step("put it in its place");
        self.put(&made, above)?;
        Ok(cleaned)
    }

    fn look(&self) -> Result<Source, ConvertError> {
        let path = self.source;
        let failed = ConvertError::io("open", path);
        let file = File::open(path).map_err(failed)?;
        let is_directory = file
            .metadata()
            .map_err(ConvertError::io("look at", path))?
            .is_dir();
        if is_directory {
            if path.join("oci-layout").exists() {
                return Err(ConvertError::OciLayout(path.to_path_buf()));
            }
            return Ok(Source::Directory);
        }
        let kind = FileSystem::of(&file).map_err(|source| ConvertError::NotAnImage {
            path: path.to_path_buf(),
            source,
        })?;
        match kind.kind {
            kind @ (Kind::Squashfs | Kind::Erofs) => Ok(Source::File(file, kind)),
            kind => Err(ConvertError::KernelOnly {
                path: path.to_path_buf(),
                name: kind.name(),
            }),
        }
    }

    fn must_be_free(&self) -> Result<(), ConvertError> {
        let path = self.destination;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ConvertError::io("look at", path)(error)),
            Ok(found) if self.replace && !found.is_dir() => Ok(()),
            Ok(_) => Err(ConvertError::Exists(path.to_path_buf())),
        }
    }

    fn unpack(
        &self,
        source: Source,
        tree: &Path,
        watch: &mut dyn Watch,
    ) -> Result<(), ConvertError> {
        match source {
            Source::Directory => {
                watch.step("copy");
                copy::copy(self.source, tree)
            }
            Source::File(file, kind) => {
                watch.step("unpack");
                unpacker(kind, tree).input(file).run(watch, None)
            }
        }
    }

    /// Moves what was made to its place, once it is on the disk.
    fn put(&self, made: &Path, above: &Path) -> Result<(), ConvertError> {
        sync(made)?;
        let flags = match self.replace {
            true => RenameFlags::empty(),
            false => RenameFlags::NOREPLACE,
        };
        let destination = self.destination;
        match renameat_with(CWD, made, CWD, destination, flags) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => {
                return Err(ConvertError::Exists(destination.to_path_buf()));
            }
            Err(errno) => return Err(ConvertError::io("rename to", destination)(errno)),
        }
        sync(above)
    }
}

fn sync(path: &Path) -> Result<(), ConvertError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .and_then(fsync)
        .map_err(ConvertError::io("write to the disk", path))
}

fn unpacker(kind: Kind, tree: &Path) -> Tool {
    // The image is its standard input: what was looked at is what is unpacked.
    let own = "/proc/self/fd/0";
    match kind {
        Kind::Erofs => {
            let mut extract = std::ffi::OsString::from("--extract=");
            extract.push(tree);
            Tool::new("fsck.erofs", "erofs-utils").arg(extract).args([
                "--preserve-perms",
                "--no-preserve-owner",
                own,
            ])
        }
        _ => Tool::new("unsquashfs", "squashfs-tools")
            .args(["-no-progress", "-no-xattrs", "-d"])
            .arg(tree)
            .arg(own)
            // It makes no device for a user, says so and ends with 2. They would be left out anyway.
            .untroubled_by(Untroubled {
                code: 2,
                lines_with: "because you're not superuser",
            }),
    }
}

/// A directory that nobody else gets into, and that vanishes.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(above: &Path) -> Result<Self, ConvertError> {
        let path = above.join(format!("{SCRATCH}{}", std::process::id()));
        rustix::fs::mkdir(&path, Mode::RWXU).map_err(ConvertError::io("make", &path))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // An unpacked directory may be closed even to its owner.
        let _ = clean::clean(&self.path);
        let _ = fs::remove_dir_all(&self.path);
    }
}
