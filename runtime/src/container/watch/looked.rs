//! What a command opens, executes and looks for, seen by the listener of its filter.
//!
//! The calls are told before they are made, and are then made as if nobody had looked. What is read of a
//! process's memory here may have changed by the time the kernel reads it, so nothing is decided by it: the filter
//! lets these calls pass anyway.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use crate::kernel_file;
use bundles::seccomp::{Call, syscall_name};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};

/// The calls to observe.
pub(super) const OBSERVED: &[&str] = &[
    "access",
    "execve",
    "execveat",
    "faccessat",
    "faccessat2",
    "lstat",
    "newfstatat",
    "open",
    "openat",
    "readlink",
    "readlinkat",
    "stat",
    "statx",
];

/// Different paths that are remembered; a command can make up any number of them.
const REMEMBERED: usize = 20_000;

const PATH_MAX: usize = 4096;

/// What a command wants of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// To know whether it is there, and what it is.
    ToKnow,
    /// To open it.
    ToOpen,
    /// To execute it.
    ToExecute,
}

/// A path that a command looked for, opened or executed, or tried to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// As it asked for it, made absolute; inside.
    pub path: PathBuf,
    /// Where that leads to, with every link followed; absent where nothing is there.
    pub found: Option<PathBuf>,
    /// Whether that is a directory.
    pub is_directory: bool,
    /// What for.
    pub wanted: Wanted,
    /// Whether it was only to be written.
    pub is_written: bool,
    /// The name of the first process that asked.
    pub process: String,
    /// When it last asked, in the order of all these.
    pub order: u64,
    /// How often.
    pub count: u64,
}

/// What was looked for so far.
#[derive(Debug, Default)]
pub(super) struct AllLooked {
    by_path: BTreeMap<(PathBuf, Wanted), Looked>,
    asked: u64,
}

impl AllLooked {
    /// Notes what the thread `thread` asks for with `call`, if it is one of the observed calls; `is_waiting` says
    /// whether it still waits for the answer.
    pub(super) fn note(&mut self, thread: u32, call: &Call, is_waiting: impl Fn() -> bool) {
        // Whoever can't be looked at isn't told of.
        if let Ok(Some(looked)) = look(thread, call)
            && is_waiting()
        {
            self.add(looked);
        }
    }

    fn add(&mut self, mut looked: Looked) {
        self.asked += 1;
        looked.order = self.asked;
        let is_full = self.by_path.len() >= REMEMBERED;
        let key = (looked.path.clone(), looked.wanted);
        match self.by_path.get_mut(&key) {
            Some(known) => {
                known.count += 1;
                known.order = looked.order;
                known.is_written &= looked.is_written;
                if looked.found.is_some() {
                    known.found = looked.found;
                    known.is_directory = looked.is_directory;
                }
            }
            None if is_full => {}
            None => {
                self.by_path.insert(key, looked);
            }
        }
    }

    /// All of it, the latest last.
    pub(super) fn told(&self) -> Vec<Looked> {
        let mut all: Vec<Looked> = self.by_path.values().cloned().collect();
        all.sort_by_key(|looked| looked.order);
        all
    }
}

/// Where a call's arguments name a file.
struct Named {
    /// A directory's descriptor, where there is one.
    directory: Option<u64>,
    path: u64,
    flags: i32,
    wanted: Wanted,
}

fn named(call: &Call) -> Option<Named> {
    let [first, second, third, ..] = call.args;
    let flags = |argument: u64| ((argument & 0xffff_ffff) as u32).cast_signed();
    let named = |directory, path, flags, wanted| Named {
        directory,
        path,
        flags,
        wanted,
    };
    Some(match syscall_name(call.nr.into())? {
        "open" => named(None, first, flags(second), Wanted::ToOpen),
        "openat" => named(Some(first), second, flags(third), Wanted::ToOpen),
        "execve" => named(None, first, 0, Wanted::ToExecute),
        "execveat" => named(Some(first), second, 0, Wanted::ToExecute),
        "access" | "lstat" | "readlink" | "stat" => named(None, first, 0, Wanted::ToKnow),
        "faccessat" | "faccessat2" | "newfstatat" | "readlinkat" | "statx" => {
            named(Some(first), second, 0, Wanted::ToKnow)
        }
        _ => return None,
    })
}

fn look(thread: u32, call: &Call) -> io::Result<Option<Looked>> {
    let Some(named) = named(call) else {
        return Ok(None);
    };
    let process = Path::new("/proc").join(thread.to_string());
    let text = read_string(&process, named.path)?;
    if text.is_empty() {
        // The descriptor itself, which was told when it was opened.
        return Ok(None);
    }
    let path = absolute(&process, named.directory, &text)?;
    let (found, is_directory) = match find(&process, &path)? {
        Some((found, is_directory)) => (Some(found), is_directory),
        None => (None, false),
    };
    let access = named.flags & libc::O_ACCMODE;
    let name = kernel_file::read(process.join("comm"))?;
    Ok(Some(Looked {
        path,
        found,
        is_directory,
        wanted: named.wanted,
        is_written: access == libc::O_WRONLY || named.flags & libc::O_CREAT != 0,
        process: name.trim_end().to_owned(),
        order: 0,
        count: 1,
    }))
}

fn read_string(process: &Path, address: u64) -> io::Result<Vec<u8>> {
    let memory = File::open(process.join("mem"))?;
    let mut text = vec![];
    let mut piece = [0; 256];
    while text.len() < PATH_MAX {
        // Not across a page's end more than has to be: the next one may not be there.
        let at = address + text.len() as u64;
        let left_in_page = 4096 - usize::try_from(at % 4096).unwrap_or(0);
        let piece = piece.get_mut(..left_in_page.min(256)).unwrap_or_default();
        let length = memory.read_at(piece, at)?;
        let piece = piece.get(..length).unwrap_or_default();
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend(piece.iter().take(end));
            return Ok(text);
        }
        if length == 0 {
            break;
        }
        text.extend(piece);
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// The path that `text` means to the process, without `.` and `..` where these are no links' business.
fn absolute(process: &Path, directory: Option<u64>, text: &[u8]) -> io::Result<PathBuf> {
    let path = Path::new(OsStr::from_bytes(text));
    if path.is_absolute() {
        return Ok(plain(path));
    }
    // An int: the upper half of the register is none of the kernel's business.
    let number = directory.map(|number| ((number & 0xffff_ffff) as u32).cast_signed());
    let base = match number {
        Some(number) if number != libc::AT_FDCWD => {
            fs::read_link(process.join("fd").join(number.to_string()))?
        }
        _ => fs::read_link(process.join("cwd"))?,
    };
    Ok(plain(&base.join(path)))
}

fn plain(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.collect()
}

/// Where `path` leads to in the process's root, and whether that is a directory.
fn find(process: &Path, path: &Path) -> io::Result<Option<(PathBuf, bool)>> {
    let root = open(
        process.join("root"),
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let opened: OwnedFd = match openat2(
        &root,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    ) {
        Ok(opened) => opened,
        // Not there, or in a form that isn't followed here.
        Err(_) => return Ok(None),
    };
    let is_directory = FileType::from_raw_mode(fstat(&opened)?.st_mode) == FileType::Directory;
    let canonical = fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))?;
    Ok(Some((canonical, is_directory)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn call(name: &str, args: [u64; 6]) -> Call {
        Call {
            arch: bundles::seccomp::native_audit_arch().unwrap(),
            nr: u32::try_from(bundles::seccomp::syscall_number(name).unwrap()).unwrap(),
            args,
        }
    }

    fn note(all: &mut AllLooked, call: &Call, is_waiting: bool) {
        all.note(std::process::id(), call, || is_waiting);
    }

    #[test]
    fn paths_are_read_from_memory_and_made_absolute() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        fs::write(place.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", place.join("link")).unwrap();
        let directory = File::open(&place).unwrap();
        let text = |text: &str| std::ffi::CString::new(text).unwrap();
        let (link, nothing) = (text("./link"), text("nothing"));
        let number = |path: &std::ffi::CString| path.as_ptr() as u64;
        let at = u64::from(directory.as_fd().as_raw_fd().cast_unsigned());
        let mut all = AllLooked::default();
        let garbage = 7 << 32;
        note(
            &mut all,
            &call("openat", [at | garbage, number(&link), 0, 0, 0, 0]),
            true,
        );
        let create = u64::from(libc::O_CREAT.cast_unsigned());
        note(
            &mut all,
            &call("openat", [at, number(&nothing), create, 0, 0, 0]),
            true,
        );
        note(
            &mut all,
            &call("openat", [at, number(&link), 0, 0, 0, 0]),
            true,
        );
        note(
            &mut all,
            &call("openat", [at, number(&nothing), 0, 0, 0, 0]),
            false,
        );
        note(&mut all, &call("openat", [at, 16, 0, 0, 0, 0]), true);
        note(
            &mut all,
            &call("close", [at, number(&link), 0, 0, 0, 0]),
            true,
        );
        let told = all.told();
        let [second, first] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!(first.path, place.join("link"));
        assert_eq!(first.found, Some(place.join("file")));
        assert_eq!(
            (first.count, first.is_written, first.is_directory),
            (2, false, false)
        );
        assert_eq!(second.path, place.join("nothing"));
        assert_eq!((&second.found, second.is_written), (&None, true));
    }
}
