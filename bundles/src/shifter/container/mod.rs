//! One container: what a user asks for, made into a sealed bundle.
//!
//! The root file system is an overlay: a layer of the site's (`/etc`, mount targets, records) over the image, both
//! read-only. So a volume can be mounted anywhere, whatever the image has. It goes in three steps, for a user's
//! volumes have to be opened with the user's rights, and root's work must not depend on what they are by then:
//!
//! 1. [`Draft::begin`], as root: the layer and the site's mounts;
//! 2. for each volume in turn, for it may come from an earlier one: [`Draft::open_volume`], as the user: what it comes
//!    from, opened; and [`Draft::mount_volume`], as root: where it goes;
//! 3. [`Draft::working_directory`], as the user, and [`Draft::finish`], as root: the spec.
//!
//! What was opened is mounted at [`Pinned::place`], the layer is written and mounted over the image at
//! [`Places::rootfs`], and the bundle can be run.

mod caches;
mod error;
mod hooks;
mod layer;
mod mount;
mod read;
mod request;
mod site;
mod site_files;
mod spec;
#[cfg(test)]
mod tests;
mod tree;
mod volumes;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use oci_spec::runtime::Spec;

pub use caches::{Cache, wanted_caches};
pub use error::ContainerError;
pub use hooks::{Left, LeftMount, RootHook, RunHook, Stage, StageMount};
pub use request::{Places, Request};
pub use site_files::SiteFiles;
pub use spec::{IMAGE_CHECKED_ANNOTATION, IMAGE_MANIFEST_ANNOTATION};
pub use volumes::{Pinned, Source};

use super::accounts;
use super::image::Caller;
use crate::bundle::Skeleton;
use crate::promise::{Kind, is_handed_down};
use mount::Planned;
use tree::{Found, Tree};

/// A container whose volumes aren't decided yet.
#[derive(Debug)]
pub struct Draft<'a> {
    request: Request<'a>,
    identity: Caller,
    tree: Tree<'a>,
    mounts: Vec<Planned>,
    pinned: Vec<Pinned>,
}

/// A container that can be written and run.
#[derive(Debug)]
pub struct Container {
    /// `config.json`.
    pub spec: Spec,
    /// What is over the image.
    pub layer: Skeleton,
    /// What is to be mounted beforehand.
    pub pinned: Vec<Pinned>,
    /// What isn't as it was asked for, a line each.
    pub notes: Vec<String>,
}

impl<'a> Draft<'a> {
    /// The site's part of the container, over `image`, the root directory of the image. The site's scripts are run by
    /// `run_hook`.
    ///
    /// # Errors
    /// [`ContainerError`]: a caller who can't have one, a file or mount of the site's that isn't there or isn't root's,
    /// a script that failed.
    pub fn begin(
        request: Request<'a>,
        image: BorrowedFd<'a>,
        run_hook: &mut RunHook<'_>,
    ) -> Result<Self, ContainerError> {
        let identity = accounts::identity(&request.caller)?;
        let user = layer::user(&request)?;
        let mut tree = Tree {
            image,
            layer: layer::make(&request, &identity, &user)?,
            mounts: vec![],
            site_mounts: 0,
            without_root: request.user_namespace && request.places.system.is_none(),
        };
        for directory in ["/var/run", "/var/spool"] {
            let directory = Path::new(directory);
            if let Ok(Found::Nothing) = tree.look(directory) {
                tree.layer.add_target(directory, true);
            }
        }
        let mounts = site::mounts(&request, &mut tree, run_hook)?;
        tree.site_mounts = tree.mounts.len();
        Ok(Self {
            request,
            identity,
            tree,
            mounts,
            pinned: vec![],
        })
    }

    /// How many volumes the user asks for.
    pub fn volumes(&self) -> usize {
        self.request.volumes.len()
    }

    /// Opens what a volume comes from, once those before it are mounted. The calling thread has the user's ids, so that only what the user could
    /// open is opened.
    ///
    /// # Errors
    /// [`ContainerError`], naming the volume.
    pub fn open_volume(&self, number: usize) -> Result<Source, ContainerError> {
        volumes::open(&self.tree, &self.request.volumes[number])
    }

    /// Mounts a volume.
    ///
    /// # Errors
    /// [`ContainerError`], naming the volume.
    pub fn mount_volume(&mut self, number: usize, source: Source) -> Result<(), ContainerError> {
        let map = self.request.volumes[number].clone();
        let (planned, pinned) =
            volumes::mount(&self.request, &mut self.tree, &map, source, number)?;
        self.mounts
            .retain(|other| other.mount.destination() != planned.mount.destination());
        self.mounts.push(planned);
        self.pinned.extend(pinned);
        Ok(())
    }

    /// What the file at `path` will hold inside, with the rights of the calling thread, which has the user's ids. `None`
    /// where nothing is there.
    ///
    /// # Errors
    /// What the kernel says, or that it is no regular file, or holds more than `most` bytes.
    pub fn read_file(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        self.tree.read_file(path, most)
    }

    /// Gives the command these variables, `NAME=VALUE`.
    pub fn set_environment(&mut self, environment: Vec<String>) {
        self.request.environment = environment;
    }

    /// The container, whose command runs in `working_directory`, if there is one.
    ///
    /// # Errors
    /// [`ContainerError`]: what can't be mounted beforehand.
    pub fn finish(self, working_directory: Option<String>) -> Result<Container, ContainerError> {
        let Self {
            request,
            identity,
            mut tree,
            mut mounts,
            mut pinned,
        } = self;
        tree.mounts.truncate(tree.site_mounts);
        pinned.extend(site::pinned(&request.places, tree.mounts)?);
        if tree.without_root {
            mounts.iter_mut().for_each(Planned::bring_all_below);
        }
        let environment = request.environment.iter();
        let mut notes: Vec<String> = environment.filter_map(|entry| left_out(entry)).collect();
        let working_directory = working_directory.unwrap_or_else(|| {
            notes.push(format!(
                "{} is no directory in the container; the command runs in /",
                request.working_directory
            ));
            "/".to_owned()
        });
        Ok(Container {
            spec: spec::build(&request, &identity, &working_directory, mounts),
            layer: tree.layer,
            pinned,
            notes,
        })
    }

    /// Where the command is asked to run, if there is such a directory and the calling thread, which has the user's ids,
    /// gets there.
    pub fn working_directory(&self) -> Option<String> {
        self.tree
            .directory(Path::new(&self.request.working_directory))
    }
}

/// Says that a variable isn't the command's, if it isn't: sealing takes it out.
pub fn left_out(entry: &str) -> Option<String> {
    let why = match entry.starts_with("LD_") {
        true => "only libraries in /opt/udiImage, the site's own, are loaded before others",
        false => "no descriptors are handed down",
    };
    is_handed_down(entry, Kind::Shifter).then(|| format!("{entry} is left out: {why}"))
}

/// Where `wanted` leads in a container that is built already, if it is a directory that the calling thread finds: free
/// of links. `rootfs` is the root file system, `spec` says what is mounted on it.
pub fn directory_inside(spec: &Spec, rootfs: BorrowedFd<'_>, wanted: &Path) -> Option<String> {
    Tree::built(spec, rootfs).directory(wanted)
}

/// As [`Draft::read_file`], in a container that is built already.
///
/// # Errors
/// As there.
pub fn file_inside(
    spec: &Spec,
    rootfs: BorrowedFd<'_>,
    wanted: &Path,
    most: u64,
) -> io::Result<Option<Vec<u8>>> {
    Tree::built(spec, rootfs).read_file(wanted, most)
}
