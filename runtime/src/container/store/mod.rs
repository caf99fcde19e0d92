//! Where containers are kept between commands: one directory an id, locked by the command that changes it.

mod container;
mod lock;
mod runs;

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::Spec;
use rustix::fs::FlockOperation;

use super::cgroup::Placement;
use super::ownership::{self, StateDirectory};
use super::process::kill_if_alive;
use super::remove_tree::remove_tree;
use super::snapshot::Snapshot;
use super::{Error, HostOptions, Result, lend};
use container::read_spec;
use lock::{is_held, lock};
use runs::RUNS_PREFIX;

pub use container::Container;

/// How long `delete --force` waits for another command to let go of a container.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long after that it may take until nobody holds it.
const LIMIT: Duration = Duration::from_secs(10);

/// Begins the name of a directory for what is made for one run only; no id can hold it.
const SCRATCH_PREFIX: char = '@';

/// Begins the name of what tasks of one program find each other by; no id can hold it.
pub const TASKS_PREFIX: char = '&';

/// The directory that holds one directory a container.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store below `root`, or the default one.
    pub fn at(root: Option<PathBuf>) -> Self {
        let root = root.unwrap_or_else(Self::default_root);
        // Only an empty path has no absolute form, and nothing can be made there.
        let root = std::path::absolute(&root).unwrap_or(root);
        Self { root }
    }

    /// Its directory, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `/run/opt-runtime` for root; for others, and for the root of a user namespace, a directory of their own.
    pub fn default_root() -> PathBuf {
        if !HostOptions::default().is_rootless() {
            return "/run/opt-runtime".into();
        }
        match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(directory) => PathBuf::from(directory).join("opt-runtime"),
            None => format!("/tmp/opt-runtime-{}", nix::unistd::geteuid()).into(),
        }
    }

    /// The path of the container's directory.
    fn path(&self, id: &str) -> Result<PathBuf> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        let valid =
            !id.is_empty() && id.len() <= 255 && id.chars().all(allowed) && !id.starts_with('.');
        if !valid {
            return Err(Error::InvalidId(id.to_owned()));
        }
        Ok(self.root.join(id))
    }

    /// The cgroup of a container whose bundle names none: `/opt-runtime-ID`, with a number that stands for
    /// the store where that isn't the default one, for two stores may hold the same id.
    ///
    /// It has no parent of ours: one would have to be removed when empty, just when another container may
    /// be made in it.
    pub(super) fn cgroup(&self, id: &str) -> PathBuf {
        if self.root == Self::default_root() {
            return format!("/opt-runtime-{id}").into();
        }
        let mut hasher = DefaultHasher::new();
        self.root.hash(&mut hasher);
        format!("/opt-runtime-{:016x}-{id}", hasher.finish()).into()
    }

    /// Claims `id` by making its directory: exactly one caller succeeds.
    ///
    /// # Errors
    /// [`Error::Exists`] where the id is taken; where the store is another user's.
    pub(super) fn claim(&self, id: &str) -> Result<StateDirectory> {
        let path = self.path(id)?;
        self.make_ours()?;
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::AlreadyExists => Error::Exists(id.to_owned()),
                _ => Error::io("create state directory", &path)(source),
            })?;
        StateDirectory::open(&self.root, id)
    }

    /// The directory of the container `id`. For root, from here on its owner's process: see [`ownership`].
    fn enter(&self, id: &str) -> Result<StateDirectory> {
        self.path(id)?;
        StateDirectory::enter(&self.root, id).map_err(|error| absent(error, id))
    }

    /// Opens the container `id` and locks it against other commands. Where it is an ordinary user's, root
    /// acts as that user from here on.
    ///
    /// # Errors
    /// [`Error::DoesNotExist`] where there is none, or none that was made far enough to have a state.
    pub fn open(&self, id: &str) -> Result<Container> {
        let directory = self.enter(id)?;
        lock(&directory, FlockOperation::LockExclusive)
            .and_then(|lock| Container::read(directory, lock))
            .map_err(|error| absent(error, id))
    }

    /// The state of the container `id` without its lock: what was written last, which is always whole. Where
    /// it is an ordinary user's, root acts as that user from here on.
    ///
    /// # Errors
    /// [`Error::DoesNotExist`] where there is none.
    pub fn look(&self, id: &str) -> Result<Snapshot> {
        Snapshot::read(&self.enter(id)?).map_err(|error| absent(error, id))
    }

    /// The state of the container `id`, to be shown and nothing else: this process stays who it is, and what
    /// an ordinary user's state says must not be acted upon.
    ///
    /// # Errors
    /// [`Error::DoesNotExist`] where there is none.
    pub fn glance(&self, id: &str) -> Result<Snapshot> {
        self.path(id)?;
        let glance = || {
            let directory = StateDirectory::open(&self.root, id)?;
            let mut snapshot = Snapshot::read(&directory)?;
            if !directory.is_own() {
                // Any files could be named as its cgroup's, and reading them might never end.
                snapshot.cgroup = Placement::default();
            }
            Ok(snapshot)
        };
        glance().map_err(|error| absent(error, id))
    }

    /// The spec that the container `id` was created from, with its bind mounts' sources made absolute.
    ///
    /// # Errors
    /// [`Error::DoesNotExist`] where there is no such container.
    pub fn spec(&self, id: &str) -> Result<Spec> {
        read_spec(&self.enter(id)?).map_err(|error| absent(error, id))
    }

    /// Opens the container `id` as [`Self::open`] does, but not behind a command that doesn't come to its
    /// end: after a while the process that creates the container is killed.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::Held`] where another process than that one doesn't let go.
    pub(super) fn open_by_force(&self, id: &str) -> Result<Container> {
        let directory = self.enter(id)?;
        let began = Instant::now();
        loop {
            match lock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(lock) => {
                    return Container::read(directory, lock).map_err(|error| absent(error, id));
                }
                Err(Error::Io { source, .. }) if is_held(&source) => {}
                Err(error) => return Err(absent(error, id)),
            }
            if began.elapsed() > PATIENCE + LIMIT {
                return Err(Error::Held(id.to_owned()));
            }
            if began.elapsed() > PATIENCE {
                let creator = Snapshot::read(&directory).map_err(|error| absent(error, id))?;
                kill_if_alive(creator.creator);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Opens the container `id` where it is this user's own, unless a command holds it or it can't be read.
    pub(super) fn open_unless_locked(&self, id: &str) -> Option<Container> {
        self.path(id).ok()?;
        let directory = StateDirectory::open(&self.root, id).ok()?;
        if !directory.is_own() {
            return None;
        }
        let lock = lock(&directory, FlockOperation::NonBlockingLockExclusive).ok()?;
        Container::read(directory, lock).ok()
    }

    /// Whether somebody has begun to make the container `id`, this user's own, and no more does: it has no state yet,
    /// and nobody holds it.
    pub(super) fn is_half_made(&self, id: &str) -> bool {
        let directory = self
            .path(id)
            .and_then(|_| StateDirectory::open(&self.root, id));
        let Ok(directory) = directory else {
            return false;
        };
        let is_free = match lock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(_) => true,
            Err(error) => is_missing(&error),
        };
        let is_without = Snapshot::read(&directory).is_err_and(|error| is_missing(&error));
        directory.is_own() && is_free && is_without
    }

    /// A directory for what is made for the run `id` only, such as its bundle; not made yet.
    ///
    /// # Errors
    /// [`Error::InvalidId`], or where the store can't be made.
    pub fn scratch(&self, id: &str) -> Result<PathBuf> {
        self.make()?;
        self.path(id)?;
        Ok(self.scratch_path(id))
    }

    fn scratch_path(&self, id: &str) -> PathBuf {
        self.root.join(format!("{SCRATCH_PREFIX}{id}"))
    }

    pub(super) fn remove_scratch(&self, id: &str) -> Result<()> {
        let path = self.scratch_path(id);
        lend::give_back(&path)?;
        remove_tree(&path)
    }

    /// Refuses an id that is taken, before anything is made for it.
    pub(super) fn check_free(&self, id: &str) -> Result<()> {
        match self.directory_of(id)? {
            Some(_) => Err(Error::Exists(id.to_owned())),
            None => Ok(()),
        }
    }

    fn make(&self) -> Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
            .map_err(Error::io("create state directory", &self.root))
    }

    /// Makes the store if need be, and refuses one that is another user's.
    fn make_ours(&self) -> Result<()> {
        match ownership::check_store(&self.root) {
            Err(error) if is_missing(&error) => {
                self.make()?;
                ownership::check_store(&self.root)
            }
            checked => checked,
        }
    }

    /// The directory, made if need be, for files beside the containers whose names begin with [`TASKS_PREFIX`].
    ///
    /// # Errors
    /// Where it can't be made, or is another user's.
    pub fn for_tasks(&self) -> Result<&Path> {
        self.make_ours()?;
        Ok(&self.root)
    }

    /// Whether the directory of `id` exists, in whatever state.
    ///
    /// # Errors
    /// [`Error::InvalidId`].
    pub fn directory_of(&self, id: &str) -> Result<Option<PathBuf>> {
        let path = self.path(id)?;
        Ok(path.exists().then_some(path))
    }

    /// The ids that have a directory.
    ///
    /// # Errors
    /// Where the store can't be read; a store that doesn't exist is empty.
    pub fn ids(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(Error::io("read", &self.root)(error)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let others = [SCRATCH_PREFIX, RUNS_PREFIX, TASKS_PREFIX];
        let is_id = |name: &String| !name.starts_with(others);
        let mut ids: Vec<String> = names.filter(is_id).collect();
        ids.sort();
        Ok(ids)
    }
}

/// Whether an error is of a file that doesn't exist.
fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

fn absent(error: Error, id: &str) -> Error {
    if is_missing(&error) {
        return Error::DoesNotExist(id.to_owned());
    }
    error
}
