//! The image that is asked for: of the site's store, or a file of the user's own.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::image::{
    Descriptor, Identifier, Image, ImageType, LocalError, Store, StoreError,
};
use bundles::shifter::trusted::{self, ROOT};
use runtime::policy::{Policy, UsersImages, VerifyImages};

use super::caller::Asker;
use super::mode::Mode;
use super::variables::Requested;
use crate::images::own::users_image;

/// An image, open, and what it was asked for as.
#[derive(Debug)]
pub(super) struct Chosen {
    pub request: String,
    pub image: Image,
    /// When its file is compared with its digest.
    pub verify: VerifyImages,
}

impl Chosen {
    /// Finds the image, which the asker must be allowed to use.
    pub(super) fn find(
        requested: &Requested,
        config: &Config,
        asker: &Asker,
        policy: Option<&str>,
    ) -> Result<Self> {
        let request = requested.image.clone();
        let policy = Policy::load(policy)?;
        let verify = policy.verify_images();
        let default = config.default_image_type.as_deref();
        if is_path(&request, default) {
            let image = of_users(Path::new(&request), asker, &policy)?;
            return Ok(Self {
                request,
                image,
                verify,
            });
        }
        let descriptor = Descriptor::parse(&request, default)?;
        let id = match descriptor.kind {
            ImageType::Id => descriptor.tag,
            ImageType::Local if config.allow_local_images => {
                let image = asker.does(|| Image::local(&descriptor.tag, &asker.caller))??;
                return Ok(Self {
                    request,
                    image,
                    verify,
                });
            }
            ImageType::Local => bail!(LocalError::NotAllowed(descriptor.tag)),
            ImageType::Docker | ImageType::Custom => look_up(&descriptor, config, asker)?,
        };
        let place = || config.place_of("imagePath");
        let store = Store::open(&config.image_path, &ROOT).with_context(place)?;
        let image = store.image(&Identifier::new(&id)?, &asker.caller);
        Ok(Self {
            image: image.map_err(|error| with_hint(error, asker.mode))?,
            request,
            verify,
        })
    }
}

/// Whether `text` is a path of the user's, which no name of a registry's begins like.
fn is_path(text: &str, default: Option<&str>) -> bool {
    let begins_so = |start: &&str| text.starts_with(start);
    // With a default type of local, a directory of the host's is written so.
    default != Some(ImageType::Local.as_str()) && ["/", "./", "../"].iter().any(begins_so)
}

/// What the site's gateway keeps to itself, only root can read.
fn with_hint(error: StoreError, mode: Mode) -> anyhow::Error {
    let is_kept = matches!(&error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied);
    if mode == Mode::Rootful || !is_kept {
        return error.into();
    }
    anyhow::anyhow!(
        "{error}; hint: without root you have to be able to read it: the store's keeper makes it so (chmod a+r), or root \
         makes the container"
    )
}

/// A file of the user's own, opened with the user's rights, as far as the site's policy has such images.
fn of_users(path: &Path, asker: &Asker, policy: &Policy) -> Result<Image> {
    let shown = path.display();
    match (policy.users_images(), asker.mode) {
        (UsersImages::None, _) => {
            bail!("image {shown}: the site's policy allows no images but those of its store")
        }
        (UsersImages::Fuse, Mode::Rootful) => bail!(
            "image {shown}: is not of the site's store, and the site's policy keeps users' files from the kernel; \
             hint: its user runs it, without root"
        ),
        (UsersImages::Fuse, Mode::Rootless) | (UsersImages::Kernel, _) => {}
    }
    users_image(path, &asker.caller)
}

/// Asks the gateway by way of Shifter's own client, as the user: the first line without a colon is the identifier.
fn look_up(descriptor: &Descriptor, config: &Config, asker: &Asker) -> Result<String> {
    let name = format!("{}:{}", descriptor.kind.as_str(), descriptor.tag);
    let directory = config.udi_root_path.clone();
    let file = config.path.display();
    let missing =
        || format!("image {name}: {file}: udiRootPath is missing, so nobody can be asked");
    let directory = directory.with_context(missing)?;
    let client: PathBuf = directory.join("bin/shifterimg");
    let found = trusted::follow(&client, &ROOT);
    let client =
        found.with_context(|| format!("image {name}: the site's client can't be asked"))?;
    let client = client.path;
    let mut command = Command::new(&client);
    command
        .args(["lookup", &name])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/");
    if asker.mode == Mode::Rootful {
        command.uid(asker.caller.uid).gid(asker.caller.gid);
    }
    let output = command
        .output()
        .with_context(|| format!("run {}", client.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(str::trim);
    match lines.find(|line| !line.is_empty() && !line.contains(':')) {
        Some(id) if output.status.success() => Ok(id.to_owned()),
        _ => bail!("image {name}: {}", why_not(&output.stderr, descriptor)),
    }
}

/// What the client says of an image that it hasn't found, and what to do.
fn why_not(told: &[u8], descriptor: &Descriptor) -> String {
    let (kind, tag) = (descriptor.kind.as_str(), &descriptor.tag);
    let told = String::from_utf8_lossy(told);
    let last = told.lines().map(str::trim).rfind(|line| !line.is_empty());
    let last = last.unwrap_or("the gateway doesn't know it");
    let hint = match Path::new(tag).exists() {
        true => format!("for the file of this name, --image=./{tag}"),
        false => format!("shifterimg pull {kind}:{tag}"),
    };
    format!("{last}; hint: {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_users_own_file_and_no_name() {
        for (text, default, wanted) in [
            ("./x.squashfs", Some("docker"), true),
            ("/x", None, true),
            ("../x", Some("id"), true),
            ("/x", Some("local"), false),
            ("local:/x", None, false),
            ("x/y.squashfs", Some("docker"), false),
            ("ubuntu:22.04", Some("docker"), false),
            (".x", None, false),
        ] {
            assert_eq!(is_path(text, default), wanted, "{text} {default:?}");
        }
    }
}
