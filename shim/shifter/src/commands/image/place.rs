//! Where images, and what is known of them, are on this host; and the directory for one.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bundles::shifter::image::{Caller, Identifier, Image, Store};
use bundles::shifter::{Config, config, trusted};
use rustix::fs::{CWD, Mode, OFlags, openat};

/// The state directory.
#[derive(Debug, clap::Args)]
pub struct State {
    /// Where it is noted which images are in use
    #[arg(long, value_name = "DIR", default_value = "/run/shifter", value_parser = absolute)]
    pub state: PathBuf,
}

/// The site's store.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The site's configuration, which says where the images are
    #[arg(long, value_name = "FILE", default_value = config::USUAL_PATH, value_parser = absolute)]
    config: PathBuf,
    /// The directory with the images, instead
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// A path of the command line. What is root's is followed from the root directory on, so it has to begin there.
pub fn absolute(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|error| error.to_string())
}

impl Place {
    /// The image `id`, open, as `caller` may have it.
    pub fn image(&self, id: &str, caller: &Caller) -> Result<Image> {
        let id = Identifier::new(id)?;
        let store = match &self.store {
            Some(store) => store.clone(),
            None => Config::read(&self.config, &trusted::ROOT)?.image_path,
        };
        Ok(Store::open(&store, &trusted::ROOT)?.image(&id, caller)?)
    }
}

/// Opens the directory on which an image is to be mounted, or is. Its last part must not be a link.
pub fn open_place(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
        .with_context(|| format!("open the directory {}", path.display()))
}
