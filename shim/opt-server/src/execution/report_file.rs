//! The file that a report goes to: seen to before the command runs, written whole or not at all.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use daemon::WholeFile;
use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;
use serde::Serialize;

/// A place for a report. The arguments in it are nobody else's business.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
    file: WholeFile,
}

impl ReportFile {
    /// Opens the directory of `path`, and sees to it that a file can be put there.
    ///
    /// # Errors
    /// Where it can't; where something is there that is no regular file, such as a link.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().context("a report needs a file's name")?;
        let about = || format!("write the report {}", path.display());
        let file = WholeFile::at(path).with_context(about)?;
        match statat(file.directory(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                bail!("{} is there and no regular file", path.display());
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => {
                return Err(errno).with_context(|| format!("look at {}", path.display()));
            }
        }
        file.try_out().with_context(about)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
        })
    }

    /// Writes `report`: under another name, on the disk, and only then in its place.
    ///
    /// # Errors
    /// Where it can't be written; what was there before is then untouched.
    pub fn write(&self, report: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(report).context("write the report")?;
        text.push(b'\n');
        self.file
            .put(&text)
            .with_context(|| format!("write the report {}", self.path.display()))
    }
}
