//! Holding an image: what a container does that uses one.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bundles::shifter::image::{Format, Image};
use runtime::policy::VerifyImages;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::mount::{MoveMountFlags, move_mount};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::keeper::Keeper;
use super::message::{Request, ask};
use super::state::key_of;
use crate::images::check::{Checked, check};
use crate::images::error::ImageError;
use crate::images::kernel;
use crate::keeping::{Lock, State};
use image_files::{FileSystem, Kind};

/// A keeper that doesn't answer for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// The images of this node that are in use.
#[derive(Debug)]
pub struct Node {
    state: State,
}

/// An image that stays mounted at least as long as this is held, and as the mount that it gives is mounted somewhere.
#[derive(Debug)]
pub struct Held {
    /// A mount of the image, nowhere yet: read-only, nosuid, nodev.
    pub mount: OwnedFd,
    /// Whether it is the file that was made.
    pub checked: Checked,
    /// None for a directory, which nobody keeps mounted.
    connection: Option<OwnedFd>,
    path: PathBuf,
}

/// An image that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Its file.
    pub image: String,
    /// What is in it.
    pub kind: String,
    /// The processes that hold it.
    pub pids: Vec<String>,
    /// Where it is mounted to stay.
    pub places: Vec<String>,
}

impl Node {
    /// The node whose state is in the directory `state`, which is made if need be; root's.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn open(state: &Path) -> Result<Self, ImageError> {
        let state = State::open(state)?;
        Ok(Self { state })
    }

    /// Has `image` mounted, unless it is already, and holds it. First it is compared with its digest as the site wants
    /// that.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn hold(&self, image: &Image, wanted: VerifyImages) -> Result<Held, ImageError> {
        match Kind::of(image.meta.format) {
            Some(kind) => self.hold_file(image, kind, wanted),
            None => Held::directory(image, wanted),
        }
    }

    fn hold_file(
        &self,
        image: &Image,
        kind: Kind,
        wanted: VerifyImages,
    ) -> Result<Held, ImageError> {
        let (file, path) = (&image.file, &*image.path);
        let failed = |operation| ImageError::state(operation, &self.state.path);
        let key = key_of(file).map_err(ImageError::state("look at", path))?;
        let lock = self.state.lock(&key).map_err(failed("lock an image in"))?;
        // With the lock, so that all who want the image at once read it once.
        let checked = match check(image, wanted, self.state.known().as_ref()) {
            Ok(checked) => checked,
            Err(error) => {
                drop(lock);
                // Others may have it mounted.
                let _ = self.state.sweep(&key);
                return Err(error.into());
            }
        };
        if let Some(held) = self.join(&key, path, checked)? {
            return Ok(held);
        }
        let started = self.start_keeper(&key, &lock, file, kind, path);
        let held = started.and_then(|()| self.join(&key, path, checked));
        match held {
            Ok(Some(held)) => Ok(held),
            Ok(None) => {
                let _ = self.state.forget(&key, lock);
                Err(ImageError::Keeper {
                    path: path.to_path_buf(),
                    problem: "ended at once".to_owned(),
                })
            }
            Err(error) => {
                let _ = self.state.forget(&key, lock);
                Err(error)
            }
        }
    }

    fn start_keeper(
        &self,
        key: &str,
        lock: &Lock,
        file: &OwnedFd,
        kind: Kind,
        path: &Path,
    ) -> Result<(), ImageError> {
        let failed = |operation| ImageError::state(operation, &self.state.path);
        let file = File::from(file.try_clone().map_err(failed("open a descriptor for"))?);
        let found = FileSystem::must_be(&file, kind).map_err(|source| ImageError::NotAnImage {
            path: path.to_path_buf(),
            source,
        })?;
        let mount = kernel::mount(&file, found, path)?;
        let listener = self
            .state
            .listen(key, lock)
            .map_err(failed("make a socket in"))?;
        let directory = self.state.directory.try_clone();
        let keeper = Keeper {
            state: State {
                path: self.state.path.clone(),
                directory: directory.map_err(failed("open a descriptor for"))?,
            },
            key: key.to_owned(),
            about: format!("{}\t{}", path.display(), kind.name()),
            mount,
            listener,
        };
        keeper.start().map_err(|error| ImageError::Keeper {
            path: path.to_path_buf(),
            problem: format!("start: {error}"),
        })
    }

    /// Has the keeper of image `key` give a mount; none where there is no such process, or it ends just now.
    fn join(&self, key: &str, path: &Path, checked: Checked) -> Result<Option<Held>, ImageError> {
        let broken = |problem: String| ImageError::Keeper {
            path: path.to_path_buf(),
            problem,
        };
        let Some(connection) = self
            .connect(key)
            .map_err(|error| broken(error.to_string()))?
        else {
            return Ok(None);
        };
        match ask(&connection, &Request::Hold) {
            Ok((_, Some(mount))) => Ok(Some(Held {
                mount,
                checked,
                connection: Some(connection),
                path: path.to_path_buf(),
            })),
            Ok((said, None)) => Err(broken(said)),
            Err(error) if has_ended(&error) => Ok(None),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    fn connect(&self, key: &str) -> io::Result<Option<OwnedFd>> {
        let connection = self.state.connect(key)?;
        if let Some(connection) = &connection {
            set_socket_timeout(connection, Timeout::Recv, Some(PATIENCE))?;
        }
        Ok(connection)
    }

    /// The images in use. What keepers that were killed have left is taken away.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn uses(&self) -> Result<Vec<Use>, ImageError> {
        let told = self.ask_all(&Request::Tell)?;
        let told = told.iter().map(|text| {
            let mut fields = text.split('\t').map(str::to_owned);
            let mut next = || fields.next().unwrap_or_default();
            let (image, kind) = (next(), next());
            let (places, pids) = fields
                .filter(|field| !field.is_empty())
                .partition(|field| field.starts_with('/'));
            Use {
                image,
                kind,
                pids,
                places,
            }
        });
        Ok(told.collect())
    }

    /// No longer holds an image for `place`. Whether any was held for it.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn forget_place(&self, place: &str) -> Result<bool, ImageError> {
        let answers = self.ask_all(&Request::Drop(place.to_owned()))?;
        Ok(answers.iter().any(|answer| answer == "dropped"))
    }

    fn ask_all(&self, request: &Request) -> Result<Vec<String>, ImageError> {
        let failed = |operation| ImageError::state(operation, &self.state.path);
        let mut answers = vec![];
        for key in self.state.keys().map_err(failed("read"))? {
            let Some(connection) = self.connect(&key).map_err(failed("find a keeper in"))? else {
                self.state.sweep(&key).map_err(failed("clean up"))?;
                continue;
            };
            match ask(&connection, request) {
                Ok((text, _)) => answers.push(text),
                Err(error) if has_ended(&error) => {}
                Err(error) => return Err(failed("ask a keeper in")(error)),
            }
        }
        Ok(answers)
    }
}

impl Held {
    /// An image that is a directory, which needs nobody who keeps it.
    ///
    /// # Errors
    /// [`ImageError`]: it can't be mounted, or its path leads to another directory than the one that was opened.
    pub fn directory(image: &Image, wanted: VerifyImages) -> Result<Self, ImageError> {
        debug_assert_eq!(image.meta.format, Format::Vfs);
        Ok(Self {
            checked: check(image, wanted, None)?,
            mount: kernel::mount_directory(&image.file, &image.path)?,
            connection: None,
            path: image.path.clone(),
        })
    }

    /// Mounts the image on the directory `at` of this mount namespace.
    ///
    /// # Errors
    /// [`ImageError::Mount`].
    pub fn attach(&self, at: impl AsFd) -> Result<(), ImageError> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.mount, "", at, "", flags).map_err(|errno| ImageError::Mount {
            path: self.path.clone(),
            operation: "put the mount in its place",
            source: errno.into(),
            told: String::new(),
        })
    }

    /// Has the image held for `place`, where it is mounted, until [`Node::forget_place`].
    ///
    /// # Errors
    /// [`ImageError::Keeper`].
    pub fn keep(&self, place: &str) -> Result<(), ImageError> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let kept = ask(connection, &Request::Keep(place.to_owned()));
        kept.map(drop).map_err(|error| ImageError::Keeper {
            path: self.path.clone(),
            problem: error.to_string(),
        })
    }

    /// Holds the image as long as this process lives, whatever program it becomes.
    ///
    /// # Errors
    /// [`ImageError::Keeper`].
    pub fn hold_on(self) -> Result<(), ImageError> {
        let Some(connection) = self.connection else {
            return Ok(());
        };
        fcntl_setfd(&connection, FdFlags::empty()).map_err(|errno| ImageError::Keeper {
            path: self.path,
            problem: errno.to_string(),
        })?;
        std::mem::forget(connection);
        Ok(())
    }
}

/// Whether the error is that of a keeper that ended meanwhile.
fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
