//! A copy of a directory: its files, directories and links, without attributes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, futimens, linkat, mkdir,
    mkdirat, openat, readlinkat, statat, symlinkat, utimensat,
};

use super::clean::{harmless, open_below};
use super::error::ConvertError;

/// Copies what is in `source` to `tree`, which is made. Devices, pipes and sockets are left out.
///
/// # Errors
/// [`ConvertError::Io`].
pub(super) fn copy(source: &Path, tree: &Path) -> Result<(), ConvertError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| {
        openat(CWD, path, flags, Mode::empty()).map_err(ConvertError::io("open", path))
    };
    mkdir(tree, Mode::RWXU).map_err(ConvertError::io("make", tree))?;
    let (from, to) = (open(source)?, open(tree)?);
    let mut links = HashMap::new();
    let mut ahead = vec![PathBuf::from(".")];
    // Times last: what is put into a directory changes its own.
    let mut times = vec![];
    while let Some(relative) = ahead.pop() {
        let failed = |operation| ConvertError::io(operation, &source.join(&relative));
        let directory = open_below(&from, &relative).map_err(failed("open"))?;
        let copy = open_below(&to, &relative).map_err(failed("open the copy of"))?;
        let status = rustix::fs::fstat(&directory).map_err(failed("look at"))?;
        times.push((relative.clone(), times_of(&status)));
        for entry in Dir::read_from(&directory).map_err(failed("read"))? {
            let entry = entry.map_err(failed("read"))?;
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            if name == Path::new(".") || name == Path::new("..") {
                continue;
            }
            let here = relative.join(name);
            let mut copying = Copying {
                from: &directory,
                to: &copy,
                tree: &to,
                name,
                here: &here,
                links: &mut links,
            };
            let failed = ConvertError::io("copy", &source.join(&here));
            if copying.entry().map_err(failed)? {
                ahead.push(here);
            }
        }
    }
    for (relative, times) in times.iter().rev() {
        let failed = ConvertError::io("set the times of", &tree.join(relative));
        open_below(&to, relative)
            .and_then(|directory| futimens(&directory, times))
            .map_err(failed)?;
    }
    Ok(())
}

/// One entry of a directory.
struct Copying<'a> {
    from: &'a OwnedFd,
    to: &'a OwnedFd,
    tree: &'a OwnedFd,
    name: &'a Path,
    here: &'a Path,
    /// Where the files are that have several names.
    links: &'a mut HashMap<(u64, u64), PathBuf>,
}

impl Copying<'_> {
    /// Whether it is a directory, whose entries are still to be copied.
    fn entry(&mut self) -> io::Result<bool> {
        let status = statat(self.from, self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => {
                // Closed ones are opened to everybody anyway.
                mkdirat(self.to, self.name, Mode::RWXU)?;
                rustix::fs::chmodat(
                    self.to,
                    self.name,
                    harmless(status.st_mode),
                    AtFlags::empty(),
                )?;
                return Ok(true);
            }
            FileType::Symlink => {
                let target = readlinkat(self.from, self.name, vec![])?;
                symlinkat(target, self.to, self.name)?;
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                utimensat(self.to, self.name, &times_of(&status), flags)?;
            }
            FileType::RegularFile => self.file(&status)?,
            _ => {}
        }
        Ok(false)
    }

    fn file(&mut self, status: &Stat) -> io::Result<()> {
        let identity = (status.st_dev, status.st_ino);
        if let Some(first) = self.links.get(&identity) {
            return Ok(linkat(
                self.tree,
                first,
                self.to,
                self.name,
                AtFlags::empty(),
            )?);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut from = File::from(openat(self.from, self.name, flags, Mode::empty())?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut to = File::from(openat(self.to, self.name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(&mut from, &mut to)?;
        // With its setuid bit, to be counted; nobody else gets into this tree.
        rustix::fs::fchmod(&to, Mode::from_raw_mode(status.st_mode & 0o7777))?;
        futimens(&to, &times_of(status))?;
        if status.st_nlink > 1 {
            self.links.insert(identity, self.here.to_path_buf());
        }
        Ok(())
    }
}

fn times_of(status: &Stat) -> Timestamps {
    let modified = Timespec {
        tv_sec: status.st_mtime,
        tv_nsec: status.st_mtime_nsec.cast_signed(),
    };
    Timestamps {
        last_access: modified,
        last_modification: modified,
    }
}
