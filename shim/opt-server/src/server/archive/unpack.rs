//! Unpacking, entry by entry, from the project's descriptor down.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, symlinkat};
use rustix::io::Errno;
use tar::EntryType;

use super::leash::Leashed;
use super::{ArchiveError, Bounds};

const LONGEST_PATH: usize = 1024;
const DEEPEST: usize = 32;

const PERMISSIONS: u32 = 0o755;

/// The most bytes that are read for one entry of a tar archive besides a file's content.
const HEADERS: u64 = 1 << 20;

/// The most that a zip archive's directory may have for each entry: ten times what most have.
const DIRECTORY_ENTRY: u64 = 512;

/// Where entries go.
#[derive(Debug)]
pub struct Target {
    root: OwnedFd,
    bounds: Bounds,
    size: u64,
    entries: usize,
}

impl Target {
    /// The directory, still empty.
    pub fn new(directory: &Path, bounds: Bounds) -> Result<Self, ArchiveError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, directory, flags, Mode::empty())
            .map_err(|errno| ArchiveError::Io(errno.into()))?;
        Ok(Self {
            root,
            bounds,
            size: 0,
            entries: 0,
        })
    }

    /// Counts one more entry.
    fn count(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > self.bounds.entries {
            return Err(ArchiveError::TooMuch(format!(
                "{} entries",
                self.bounds.entries
            )));
        }
        Ok(())
    }

    /// Makes a directory with those above it, unless they are there.
    fn directory(&self, path: &Path) -> Result<OwnedFd, ArchiveError> {
        let mut directory = self.root.try_clone().map_err(ArchiveError::Io)?;
        for part in path.components() {
            let name = Path::new(part.as_os_str());
            match mkdirat(&directory, name, Mode::from_raw_mode(PERMISSIONS)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(path, errno)),
            }
            directory = open_directory(&directory, name).map_err(|errno| failed(path, errno))?;
        }
        Ok(directory)
    }

    /// Makes a file and fills it.
    fn file(
        &mut self,
        path: &Path,
        is_executable: bool,
        content: &mut impl Read,
    ) -> Result<(), ArchiveError> {
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        let mode = if is_executable { 0o755 } else { 0o644 };
        let file = openat2(
            &parent,
            Path::new(path.file_name().unwrap_or_default()),
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC,
            Mode::from_raw_mode(mode),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        )
        .map_err(|errno| failed(path, errno))?;
        let left = self.bounds.size - self.size;
        // One byte more shows that there was more, whatever the entry's header said.
        let copied = copy(content, &mut File::from(file), left + 1)?;
        if copied > left {
            return Err(ArchiveError::TooMuch(format!("{} bytes", self.bounds.size)));
        }
        self.size += copied;
        Ok(())
    }

    /// Makes a link that leads to a place in the project.
    fn link(&self, path: &Path, target: &Path) -> Result<(), ArchiveError> {
        if !stays_inside(path, target) {
            return Err(entry(path, "is a link that leads out of the project"));
        }
        let parent = self.directory(path.parent().unwrap_or(Path::new("")))?;
        let name = Path::new(path.file_name().unwrap_or_default());
        symlinkat(target, &parent, name).map_err(|errno| failed(path, errno))
    }
}

fn open_directory(at: &OwnedFd, name: &Path) -> Result<OwnedFd, Errno> {
    openat2(
        at,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )
}

fn copy(from: &mut impl Read, to: &mut File, most: u64) -> Result<u64, ArchiveError> {
    let mut reading = Told {
        inner: from,
        failure: None,
    };
    let copied = io::copy(&mut (&mut reading).take(most), to);
    match (reading.failure, copied) {
        (Some(broken), _) => Err(ArchiveError::Broken(broken)),
        (None, copied) => copied.map_err(ArchiveError::Io),
    }
}

/// A reader that remembers its failure, to tell a broken archive from a full disk.
struct Told<'a, R> {
    inner: &'a mut R,
    failure: Option<String>,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failure = Some(error.to_string());
            }
        })
    }
}

fn failed(path: &Path, errno: Errno) -> ArchiveError {
    match errno {
        Errno::EXIST => entry(path, "is there twice"),
        Errno::LOOP | Errno::NOTDIR | Errno::XDEV => entry(path, "lies below a link or a file"),
        Errno::NAMETOOLONG => entry(path, "has too long a name"),
        other => ArchiveError::Io(other.into()),
    }
}

fn entry(path: &Path, reason: &'static str) -> ArchiveError {
    ArchiveError::Entry {
        name: path.to_string_lossy().chars().take(200).collect(),
        reason,
    }
}

/// An entry's name as a plain path below the project; none for the project itself.
fn plain(name: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let mut path = PathBuf::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err(entry(name, "has \"..\" in its path")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(entry(name, "has an absolute path"));
            }
        }
    }
    if path.as_os_str().len() > LONGEST_PATH || path.components().count() > DEEPEST {
        return Err(entry(name, "has too long or too deep a path"));
    }
    if path.to_str().is_none_or(|text| text.contains(['\0', '\\'])) {
        return Err(entry(name, "has a name that isn't plain UTF-8"));
    }
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

/// Whether a link at `path` leads to a place in the project, as far as its words say. Links on its way could
/// lead it elsewhere, which is why nothing of ours ever follows one.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    !target.as_os_str().is_empty()
}

/// Unpacks a tar archive.
pub fn tar(archive: impl Read, mut target: Target) -> Result<(), ArchiveError> {
    let broken = |error: io::Error| ArchiveError::Broken(error.to_string());
    let (archive, leash) = Leashed::new(archive);
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(broken)?;
    loop {
        // Long names and extended headers come into memory whole, and what nobody reads of an entry is skipped.
        leash.set(HEADERS);
        let Some(found) = entries.next() else {
            break;
        };
        let mut found = found.map_err(broken)?;
        // What is written is counted by the target.
        leash.set(u64::MAX);
        target.count()?;
        let name = found.path().map_err(broken)?.into_owned();
        let kind = found.header().entry_type();
        let Some(path) = plain(&name)? else {
            continue;
        };
        match kind {
            EntryType::Directory => {
                target.directory(&path)?;
            }
            EntryType::Regular | EntryType::Continuous => {
                let is_executable = found.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
                target.file(&path, is_executable, &mut found)?;
            }
            EntryType::Symlink => {
                let link = found.link_name().map_err(broken)?;
                target.link(&path, &link.unwrap_or_default())?;
            }
            EntryType::Link => return Err(entry(&path, "is a hard link")),
            EntryType::Char | EntryType::Block => return Err(entry(&path, "is a device")),
            EntryType::XGlobalHeader => {}
            _ => return Err(entry(&path, "is neither a file, a directory nor a link")),
        }
    }
    Ok(())
}

/// Unpacks a zip archive.
pub fn zip(archive: impl Read + Seek, mut target: Target) -> Result<(), ArchiveError> {
    let broken = |error: zip::result::ZipError| ArchiveError::Broken(error.to_string());
    let directory = HEADERS + DIRECTORY_ENTRY.saturating_mul(target.bounds.entries as u64);
    let (archive, leash) = Leashed::new(archive);
    leash.set(directory);
    let opened = zip::ZipArchive::new(archive);
    if leash.get() == 0 {
        return Err(ArchiveError::TooMuch(format!("{directory} bytes of names")));
    }
    let mut archive = opened.map_err(broken)?;
    leash.set(u64::MAX);
    for index in 0..archive.len() {
        let mut found = archive.by_index(index).map_err(broken)?;
        target.count()?;
        let name = PathBuf::from(found.name());
        let Some(path) = plain(&name)? else {
            continue;
        };
        let mode = found.unix_mode();
        match mode.map(|mode| mode & 0o170_000) {
            _ if found.is_dir() => {
                target.directory(&path)?;
            }
            Some(0o120_000) => {
                let mut text = String::new();
                (&mut found)
                    .take(LONGEST_PATH as u64)
                    .read_to_string(&mut text)
                    .map_err(|error| ArchiveError::Broken(error.to_string()))?;
                target.link(&path, Path::new(&text))?;
            }
            None | Some(0 | 0o100_000) => {
                let is_executable = mode.is_some_and(|mode| mode & 0o100 != 0);
                target.file(&path, is_executable, &mut found)?;
            }
            Some(_) => return Err(entry(&path, "is neither a file, a directory nor a link")),
        }
    }
    Ok(())
}
