//! OCI image layouts, in a directory or an archive.

use std::io::Read;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::error::{PullError, malformed};
use super::super::manifest::{Descriptor, MOST_MANIFEST};
use super::super::origin::Origin;
use super::{Files, read};

const NAME: &str = "org.opencontainers.image.ref.name";
/// Where Docker and containerd write the whole name.
const WHOLE_NAME: &str = "io.containerd.image.name";

/// An image of a layout.
pub(in crate::pull) struct Layout<F> {
    files: F,
    name: Option<String>,
}

impl<F: Files> Layout<F> {
    pub(in crate::pull) fn new(files: F, name: Option<String>) -> Self {
        Self { files, name }
    }

    fn path(descriptor: &Descriptor) -> String {
        let digest = &descriptor.digest;
        format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
    }
}

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Value>,
}

impl<F: Files> Origin for Layout<F> {
    fn top(&self) -> Result<(Vec<u8>, Option<String>), PullError> {
        let what = self.files.shown();
        let content = read(&self.files, "index.json", MOST_MANIFEST)?;
        let index: Index = serde_json::from_slice(&content)
            .map_err(|error| malformed(&what, &format!("its index.json is none: {error}")))?;
        let has_name = |entry: &Value| {
            let annotation = |key: &str| entry["annotations"][key].as_str();
            let names = [annotation(NAME), annotation(WHOLE_NAME)];
            let wanted = self.name.as_deref();
            wanted.is_none() || names.contains(&wanted)
        };
        let mut manifests: Vec<_> = index.manifests.into_iter().filter(has_name).collect();
        if manifests.is_empty() {
            let name = self.name.as_deref().unwrap_or("an image");
            return Err(PullError::NotFound {
                image: format!("{what}: {name}"),
            });
        }
        if let [only] = &mut manifests[..]
            && let Some(entry) = only.as_object_mut()
        {
            // What it is for is said in it, too, and often not here.
            entry.remove("platform");
        }
        if self.name.is_none()
            && let [first, rest @ ..] = &manifests[..]
            && rest
                .iter()
                .any(|other| other["annotations"][NAME] != first["annotations"][NAME])
        {
            return Err(malformed(&what, "it has several images; name one of them"));
        }
        let index = json!({ "schemaVersion": 2, "manifests": manifests });
        Ok((index.to_string().into_bytes(), None))
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, PullError> {
        read(&self.files, &Self::path(descriptor), MOST_MANIFEST)
    }

    fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + '_>, PullError> {
        let (reader, _) = self.files.open(&Self::path(descriptor), from)?;
        Ok(reader)
    }
}
