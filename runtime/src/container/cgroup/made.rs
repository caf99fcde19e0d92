//! Which directories were made for a container: they, and nothing else, are removed with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::super::{Error, Result};
use super::tree;

/// How long processes killed in a cgroup may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// How long a process may take to go that finds its maker gone.
const GONE_BY_ITSELF_WITHIN: Duration = Duration::from_millis(200);

/// What was made for one container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The container's own directory in each hierarchy where it wasn't there before.
    own: Vec<PathBuf>,
    /// Directories above them, the topmost first: removed when empty.
    above: Vec<PathBuf>,
    /// Directories that weren't there when they were to be made, the topmost first, as long as it isn't known
    /// which of them were: all that is left to go by when the maker is killed on its way.
    #[serde(default)]
    intended: Vec<PathBuf>,
}

/// Why a directory can't be the container's.
#[derive(Debug)]
pub(super) enum Unavailable {
    /// Others' processes are in it, and the container would change their limits.
    InUse(PathBuf),
    /// It is frozen: the first process would never come out of it.
    Frozen(PathBuf),
    /// It can't be made.
    Failed(PathBuf, io::Error),
}

/// A directory on the way from a hierarchy's mount point to a container's cgroup.
#[derive(Debug)]
pub(super) struct OnTheWay<'a> {
    pub directory: &'a Path,
    /// Whether it is the container's own, the last.
    pub is_own: bool,
    /// Whether it was made just now.
    pub is_new: bool,
}

impl Made {
    /// Notes which directories [`Self::make`] would make for `directory`, below `mount_point`. To be saved
    /// before anything is made.
    pub(super) fn intend(&mut self, mount_point: &Path, directory: &Path) {
        let on_the_way = directory
            .ancestors()
            .take_while(|path| path.starts_with(mount_point) && *path != mount_point);
        let mut absent: Vec<PathBuf> = on_the_way
            .filter(|path| !path.exists())
            .map(Path::to_path_buf)
            .collect();
        absent.reverse();
        self.intended.extend(absent);
    }

    /// Notes `directory` alone, which is nobody else's, as one that [`Self::make`] would make.
    pub(super) fn intend_own(&mut self, directory: &Path) {
        self.intended.push(directory.to_path_buf());
    }

    /// All is made, and noted: nothing else of what was intended is the container's.
    pub(super) fn settle(&mut self) {
        self.intended.clear();
    }

    /// Removes what was intended and may have been made. No process of the container's can be in it but the first one, which
    /// may have been born there and goes when it finds its maker gone; so whatever stays in use, or has a cgroup below it, is
    /// another's who came for the same name, and stays.
    pub(super) fn remove_intended(&self) {
        let deadline = Instant::now() + GONE_BY_ITSELF_WITHIN;
        for directory in self.intended.iter().rev() {
            while fs::remove_dir(directory).is_err_and(|error| is_busy(&error))
                && Instant::now() < deadline
            {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Makes the cgroup `path` below `mount_point`, calling `prepare` for each directory on the way that is
    /// there now, from the mount point on. What is there already is another's, and stays; `may_be_in_use`
    /// where systemd has just made it for us.
    ///
    /// # Errors
    /// Where it can't be made, or is there with processes in it. What was made is noted, not removed.
    pub(super) fn make(
        &mut self,
        mount_point: &Path,
        path: &Path,
        may_be_in_use: bool,
        mut prepare: impl FnMut(&OnTheWay<'_>) -> io::Result<()>,
    ) -> Result<(), Unavailable> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let mut directory = mount_point.to_path_buf();
        let mut prepare = |directory: &Path, is_own, is_new| {
            let here = OnTheWay {
                directory,
                is_own,
                is_new,
            };
            prepare(&here).map_err(|error| Unavailable::Failed(directory.to_path_buf(), error))
        };
        prepare(&directory, false, false)?;
        let mut names = relative.components().peekable();
        while let Some(name) = names.next() {
            directory.push(name);
            let is_own = names.peek().is_none();
            let made = fs::create_dir(&directory);
            let is_new = made.is_ok();
            match made {
                Ok(()) => {
                    let list = if is_own {
                        &mut self.own
                    } else {
                        &mut self.above
                    };
                    list.push(directory.clone());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if is_own && !may_be_in_use && tree::is_populated(&directory) {
                        return Err(Unavailable::InUse(directory));
                    }
                    if is_own && tree::is_frozen(&directory) {
                        return Err(Unavailable::Frozen(directory));
                    }
                }
                Err(error) => return Err(Unavailable::Failed(directory, error)),
            }
            prepare(&directory, is_own, is_new)?;
        }
        Ok(())
    }

    /// Removes it. `with_processes`: kills every process in it and in its children first; otherwise those
    /// that are there are another container's, and it stays for them.
    ///
    /// # Errors
    /// Where killed processes don't go or a directory stays.
    pub(super) fn remove(&self, with_processes: bool) -> Result<()> {
        for directory in &self.own {
            remove(directory, with_processes)?;
        }
        for directory in self.above.iter().rev() {
            // Another container may have come to use it; then it is that one's to keep.
            let _ = fs::remove_dir(directory);
        }
        Ok(())
    }

    /// Whether every hierarchy had it already, or there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.intended.is_empty()
    }

    /// Whether `directory` was made for the container.
    pub(super) fn has(&self, directory: &Path) -> bool {
        self.own.iter().any(|own| own == directory)
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBUSY)
}

/// Removes one directory and those below it; see [`Made::remove`].
///
/// # Errors
/// As there.
pub(super) fn remove(directory: &Path, with_processes: bool) -> Result<()> {
    // Mostly all have gone by now: nobody is to be looked for then.
    if tree::remove_one(directory).is_ok() {
        return Ok(());
    }
    let deadline = Instant::now() + GONE_WITHIN;
    loop {
        if with_processes {
            tree::signal_all(directory, Signal::SIGKILL)?;
        }
        let Err(error) = tree::remove(directory) else {
            return Ok(());
        };
        let is_busy = is_busy(&error);
        let is_late = Instant::now() > deadline;
        if is_busy && !with_processes && (is_late || tree::is_populated(directory)) {
            return Ok(());
        }
        if !is_busy || is_late {
            return Err(Error::io("remove cgroup", directory)(error));
        }
        // A process that has ended leaves its cgroup only when it is reaped.
        std::thread::sleep(Duration::from_millis(1));
    }
}
