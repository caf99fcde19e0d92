//! The file that a report goes to: seen to before the command runs, written whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use serde::Serialize;

/// A place for a report.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
    directory: OwnedFd,
    name: std::ffi::OsString,
}

impl ReportFile {
    /// Opens the directory of `path`, and sees to it that a file can be put there: one is, and taken away again.
    ///
    /// # Errors
    /// Where it can't; where something is there that is no regular file, such as a link.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().context("a report needs a file's name")?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(parent, flags, Mode::empty())
            .with_context(|| format!("open {}", parent.display()))?;
        match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                bail!("{} is there and no regular file", path.display());
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => {
                return Err(errno).with_context(|| format!("look at {}", path.display()));
            }
        }
        let file = Self {
            path: path.to_path_buf(),
            directory,
            name: name.to_owned(),
        };
        // Nothing but trying tells: root may write anywhere, and not in /proc.
        file.make_other()
            .and_then(|(name, _)| Ok(unlinkat(&file.directory, &name, AtFlags::empty())?))
            .with_context(|| format!("write into {}", parent.display()))?;
        Ok(file)
    }

    /// Writes `report`: under another name, on the disk, and only then in its place.
    ///
    /// # Errors
    /// Where it can't be written; what was there before is then untouched.
    pub fn write(&self, report: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(report).context("write the report")?;
        text.push(b'\n');
        self.put(&text)
            .with_context(|| format!("write the report {}", self.path.display()))
    }

    fn put(&self, text: &[u8]) -> io::Result<()> {
        let (other, mut file) = self.make_other()?;
        let written = file
            .write_all(text)
            .and_then(|()| file.sync_all())
            .and_then(|()| {
                Ok(renameat(
                    &self.directory,
                    &other,
                    &self.directory,
                    &self.name,
                )?)
            });
        if written.is_err() {
            let _ = unlinkat(&self.directory, &other, AtFlags::empty());
        }
        written?;
        rustix::fs::fsync(&self.directory).map_err(io::Error::from)
    }

    /// A new file under another name.
    fn make_other(&self) -> io::Result<(String, File)> {
        let name = format!(".opt-server-report-{}", std::process::id());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // The arguments are nobody else's business.
        let mode = Mode::RUSR | Mode::WUSR;
        let file = match openat(&self.directory, &name, flags, mode) {
            // Of a process that had this number, and was killed just then.
            Err(Errno::EXIST) => {
                unlinkat(&self.directory, &name, AtFlags::empty())?;
                openat(&self.directory, &name, flags, mode)?
            }
            opened => opened?,
        };
        Ok((name, file.into()))
    }
}
