//! What `docker save` and `podman save` write: no manifest, but a list of files. We make the manifest, the same for the
//! same image, of what the configuration says its layers are.

use std::collections::HashMap;
use std::io::Read;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::{PullError, malformed};
use super::super::manifest::{Descriptor, MOST_CONFIG, MOST_MANIFEST};
use super::super::origin::Origin;
use super::{Files, read};
use crate::blobs::Digest;

/// An image of an archive.
pub(in crate::pull) struct Docker<F> {
    files: F,
    manifest: Vec<u8>,
    /// The files by their digests.
    names: HashMap<Digest, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Configuration {
    rootfs: RootFileSystem,
}

#[derive(Debug, Deserialize)]
struct RootFileSystem {
    diff_ids: Vec<Digest>,
}

impl<F: Files> Docker<F> {
    pub(in crate::pull) fn new(files: F, name: Option<&str>) -> Result<Self, PullError> {
        let what = files.shown();
        let list = read(&files, "manifest.json", MOST_MANIFEST)?;
        let images: Vec<Image> = serde_json::from_slice(&list)
            .map_err(|error| malformed(&what, &format!("its manifest.json is none: {error}")))?;
        let image = choose(&images, name, &what)?;
        let config = read(&files, &image.config, MOST_CONFIG)?;
        let configuration: Configuration = serde_json::from_slice(&config)
            .map_err(|error| malformed(&what, &format!("its configuration is none: {error}")))?;
        let digests = configuration.rootfs.diff_ids;
        if digests.len() != image.layers.len() {
            return Err(malformed(
                &what,
                "its configuration is for another number of layers",
            ));
        }
        let config_digest = Digest::of(&config);
        let mut names = HashMap::from([(config_digest.clone(), image.config.clone())]);
        let mut layers: Vec<Value> = vec![];
        for (digest, name) in digests.into_iter().zip(&image.layers) {
            let (_, size) = files.open(name, 0)?;
            layers.push(json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": digest,
                "size": size,
            }));
            names.insert(digest, name.clone());
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest,
                "size": config.len(),
            },
            "layers": layers,
        });
        Ok(Self {
            files,
            manifest: manifest.to_string().into_bytes(),
            names,
        })
    }
}

fn choose<'a>(images: &'a [Image], name: Option<&str>, what: &str) -> Result<&'a Image, PullError> {
    match (name, images) {
        (None, [only]) => Ok(only),
        (None, _) => Err(malformed(what, "it has several images; name one of them")),
        (Some(name), images) => {
            let has_name = |image: &&Image| {
                let mut tags = image.repo_tags.iter().flatten();
                // Podman writes the registry before it, Docker doesn't.
                tags.any(|tag| tag == name || tag.ends_with(&format!("/{name}")))
            };
            images.iter().find(has_name).ok_or(PullError::NotFound {
                image: format!("{what}: {name}"),
            })
        }
    }
}

impl<F: Files> Origin for Docker<F> {
    fn top(&self) -> Result<(Vec<u8>, Option<String>), PullError> {
        Ok((self.manifest.clone(), None))
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, PullError> {
        Err(PullError::NotFound {
            image: format!("{}: {}", self.files.shown(), descriptor.digest),
        })
    }

    fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + '_>, PullError> {
        let name = self.names.get(&descriptor.digest);
        let name = name.ok_or_else(|| PullError::NotFound {
            image: format!("{}: {}", self.files.shown(), descriptor.digest),
        })?;
        let (reader, _) = self.files.open(name, from)?;
        Ok(reader)
    }
}
