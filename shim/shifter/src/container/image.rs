//! The image that is asked for, found in the site's store.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::image::{Descriptor, Identifier, Image, ImageType, LocalError, Store};
use bundles::shifter::trusted::{self, ROOT};

use super::caller::Asker;
use super::variables::Requested;

/// An image of the store's, and what it was asked for as.
#[derive(Debug)]
pub(super) struct Chosen {
    pub request: String,
    pub image: Image,
}

impl Chosen {
    /// Finds the image, which the asker must be allowed to use.
    pub(super) fn find(requested: &Requested, config: &Config, asker: &Asker) -> Result<Self> {
        let default = config.default_image_type.as_deref();
        let descriptor = Descriptor::parse(&requested.image, default)?;
        let id = match descriptor.kind {
            ImageType::Id => descriptor.tag,
            ImageType::Local if config.allow_local_images => {
                let image = asker.does(|| Image::local(&descriptor.tag, &asker.caller))??;
                return Ok(Self {
                    request: requested.image.clone(),
                    image,
                });
            }
            ImageType::Local => bail!(LocalError::NotAllowed(descriptor.tag)),
            ImageType::Docker | ImageType::Custom => look_up(&descriptor, config, asker)?,
        };
        let store = Store::open(&config.image_path, &ROOT)?;
        let image = store.image(&Identifier::new(&id)?, &asker.caller)?;
        Ok(Self {
            request: requested.image.clone(),
            image,
        })
    }
}

/// Asks the gateway by way of Shifter's own client, as the user: the first line without a colon is the identifier.
fn look_up(descriptor: &Descriptor, config: &Config, asker: &Asker) -> Result<String> {
    let name = format!("{}:{}", descriptor.kind.as_str(), descriptor.tag);
    let directory = config.udi_root_path.clone();
    let directory = directory
        .with_context(|| format!("image {name}: udiRootPath is missing, so nobody can be asked"))?;
    let client: PathBuf = directory.join("bin/shifterimg");
    let client = trusted::follow(&client, &ROOT)?.path;
    let output = Command::new(&client)
        .args(["lookup", &name])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .uid(asker.caller.uid)
        .gid(asker.caller.gid)
        .current_dir("/")
        .output()
        .with_context(|| format!("run {}", client.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(str::trim);
    match lines.find(|line| !line.is_empty() && !line.contains(':')) {
        Some(id) if output.status.success() => Ok(id.to_owned()),
        _ => bail!("image {name}: the gateway doesn't know it; hint: shifterimg pull {name}"),
    }
}
