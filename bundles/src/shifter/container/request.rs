//! What is asked for.

use std::path::{Path, PathBuf};

use super::SiteFiles;
use super::caches::Cache;
use crate::shifter::Config;
use crate::shifter::accounts::User;
use crate::shifter::cdi::Devices;
use crate::shifter::config::Module;
use crate::shifter::image::Caller;
use crate::shifter::sshd::Server;
use crate::shifter::volumes::VolumeMap;

/// One container. Everything is decided but where volumes come from and go to.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The site's configuration.
    pub config: &'a Config,
    /// The image as it was asked for, and its identifier.
    pub image: (String, String),
    /// Whether its file was found to be the one that was made, in words; and the digest of the manifest it was made of.
    pub image_checked: (String, Option<String>),
    /// Whether the image is a directory that its owner can change at any time.
    pub image_is_local: bool,
    /// Who asks.
    pub caller: Caller,
    /// Who they are by the host's name service; used where the site allows that.
    pub user: Option<User>,
    /// The site's `usersToImport`, where `passwd` is made.
    pub imported: Vec<User>,
    /// Names and gids of groups, where `group` is made.
    pub groups: Vec<(String, u32)>,
    /// The user's volumes.
    pub volumes: Vec<VolumeMap>,
    /// The caches of the site's and the user's volumes.
    pub caches: Vec<Cache>,
    /// What the devices need that were asked for.
    pub devices: Devices,
    /// The sshd that a module brings.
    pub sshd: Option<Server>,
    /// The modules, in the order in which they were asked for.
    pub modules: Vec<&'a Module>,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Where the command runs, if there is such a directory inside.
    pub working_directory: String,
    /// Whether the command may write to the root file system, as far as modes let it; nothing of it stays.
    pub root_writable: bool,
    /// The caller's.
    pub umask: u32,
    /// Whether the command has a terminal of its own.
    pub terminal: bool,
    /// The text of `/var/hostsfile`, in a job.
    pub hosts: Option<String>,
    /// Whether the container is made without root: in a user namespace, in which the caller is who they are outside,
    /// and nobody else is anybody.
    pub user_namespace: bool,
    /// Where the container is built.
    pub places: Places,
    /// The site's files for `/etc`.
    pub site_files: &'a SiteFiles,
}

/// Where a container is built, and where on the host what every container shares is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The root file system: an overlay of the layer over the image.
    pub rootfs: PathBuf,
    /// Volumes that were opened as the user are mounted here, by number.
    pub volumes: PathBuf,
    /// The host's `/etc`.
    pub etc: PathBuf,
    /// The host's `/tmp`.
    pub temporary: PathBuf,
    /// The host's `/var/tmp`.
    pub var_temporary: PathBuf,
    /// The host's `/dev/shm`.
    pub shared_memory: PathBuf,
    /// Where what the container has of the host's is mounted beforehand, by number, for a runtime that isn't root's: it could
    /// reach not all of it, and leave nothing out that is mounted below.
    pub host: Option<PathBuf>,
    /// A sysfs that root has mounted for it.
    pub system: Option<PathBuf>,
}

impl Places {
    /// A container built at `rootfs`, its volumes at `volumes`, on this host.
    pub fn on_host(rootfs: &Path, volumes: &Path) -> Self {
        Self {
            rootfs: rootfs.to_path_buf(),
            volumes: volumes.to_path_buf(),
            etc: "/etc".into(),
            temporary: "/tmp".into(),
            var_temporary: "/var/tmp".into(),
            shared_memory: "/dev/shm".into(),
            host: None,
            system: None,
        }
    }
}
