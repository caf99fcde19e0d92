//! Manifests and indexes: documents of somebody else's.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::{PullError, malformed, too_much};
use super::request::Platform;
use crate::blobs::Digest;

/// The most bytes of a manifest or an index, as registries have it.
pub(super) const MOST_MANIFEST: u64 = 4 << 20;
/// The most bytes of an image's configuration.
pub(super) const MOST_CONFIG: u64 = 8 << 20;
/// The most layers: twice as many as Docker's.
const MOST_LAYERS: usize = 256;

/// What registries are asked for.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// What one document says of another, or of a blob.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Descriptor {
    #[serde(default, rename = "mediaType")]
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

/// An image for one platform.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// A document that a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Manifest(Manifest),
    /// One for each of several platforms.
    Index(Vec<Descriptor>),
}

#[derive(Debug, Deserialize)]
struct Either {
    #[serde(default, rename = "mediaType")]
    media_type: Option<String>,
    #[serde(default, rename = "schemaVersion")]
    schema: u64,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads one; `media_type` is what was said of it from outside. What could be read as either is refused.
    ///
    /// # Errors
    /// [`PullError::Malformed`].
    pub(super) fn parse(
        content: &[u8],
        media_type: Option<&str>,
        what: &str,
    ) -> Result<Self, PullError> {
        let refuse = |reason: &str| Err(malformed(what, reason));
        let found: Either = serde_json::from_slice(content)
            .map_err(|error| malformed(what, &format!("it is no manifest: {error}")))?;
        if found.schema != 2 {
            return refuse(
                "it is a manifest of a schema that nobody writes any more; push it again",
            );
        }
        let said = media_type.filter(|said| said.contains("manifest") || said.contains("index"));
        let said = [found.media_type.as_deref(), said];
        let is_index = |said: &&str| said.contains("index") || said.contains("manifest.list");
        match (found.config, found.layers, found.manifests) {
            (Some(config), Some(layers), None) if !said.iter().flatten().any(is_index) => {
                Ok(Self::Manifest(Manifest { config, layers }))
            }
            (None, None, Some(manifests)) if said.iter().flatten().all(is_index) => {
                Ok(Self::Index(manifests))
            }
            _ => refuse("it isn't clearly a manifest or an index"),
        }
    }
}

impl Manifest {
    /// That it is an image that can be unpacked, of so many bytes at most. Bytes of its blobs.
    ///
    /// # Errors
    /// [`PullError`].
    pub(super) fn check(&self, what: &str, most: u64) -> Result<u64, PullError> {
        let config = &self.config.media_type;
        if !config.is_empty()
            && !config.contains("image.config")
            && !config.contains("container.image")
        {
            return Err(malformed(
                what,
                &format!("it is no image of a container: {config}"),
            ));
        }
        let is_tar = |layer: &&Descriptor| {
            let kind = layer.media_type.as_str();
            let endings = ["tar", "tar+gzip", "tar.gzip", "tar+zstd", "tar.zstd"];
            kind.is_empty() || endings.iter().any(|ending| kind.ends_with(ending))
        };
        if let Some(layer) = self.layers.iter().find(|layer| !is_tar(layer)) {
            let reason = format!("a layer is no tar archive: {}", layer.media_type);
            return Err(malformed(what, &reason));
        }
        if self.layers.len() > MOST_LAYERS {
            return Err(too_much(what, MOST_LAYERS as u64, "layers"));
        }
        if self.config.size > MOST_CONFIG {
            return Err(too_much(what, MOST_CONFIG, "bytes of configuration"));
        }
        let sizes = self.layers.iter().map(|layer| layer.size);
        let size = sizes.fold(self.config.size, u64::saturating_add);
        match size <= most {
            true => Ok(size),
            false => Err(too_much(what, most, "bytes of layers")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";

    fn descriptor(kind: &str, size: u64) -> Value {
        json!({ "mediaType": kind, "size": size, "digest": Digest::of(b"") })
    }

    fn parse(document: &Value, media_type: Option<&str>) -> Result<Document, String> {
        let content = serde_json::to_vec(document).unwrap();
        Document::parse(&content, media_type, "x").map_err(|error| error.to_string())
    }

    fn manifest(kind: &str, size: u64, layers: usize) -> Manifest {
        let layer = descriptor(kind, size);
        let document = json!({
            "schemaVersion": 2,
            "config": descriptor("application/vnd.oci.image.config.v1+json", 1),
            "layers": vec![layer; layers],
        });
        match parse(&document, Some(MANIFEST)) {
            Ok(Document::Manifest(manifest)) => manifest,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_document_is_a_manifest_or_an_index_and_never_both() {
        let blob = descriptor("x", 1);
        let image = json!({ "schemaVersion": 2, "config": blob, "layers": [] });
        let index = json!({ "schemaVersion": 2, "manifests": [blob] });
        let both = json!({ "schemaVersion": 2, "config": blob, "layers": [], "manifests": [] });
        let typed = |document: &Value, kind: &str| {
            let mut document = document.clone();
            document["mediaType"] = kind.into();
            document
        };
        for (document, media_type, is_good) in [
            (image.clone(), None, true),
            (image.clone(), Some(MANIFEST), true),
            (image.clone(), Some("application/json; charset=utf-8"), true),
            (typed(&image, MANIFEST), None, true),
            (index.clone(), Some(INDEX), true),
            (index.clone(), None, true),
            (typed(&index, INDEX), Some(INDEX), true),
            (image.clone(), Some(INDEX), false),
            (index.clone(), Some(MANIFEST), false),
            (typed(&image, INDEX), None, false),
            (typed(&index, INDEX), Some(MANIFEST), false),
            (both.clone(), None, false),
            (both.clone(), Some(MANIFEST), false),
            (both, Some(INDEX), false),
            (json!({ "schemaVersion": 1, "fsLayers": [] }), None, false),
            (json!({ "schemaVersion": 2 }), None, false),
            (json!([]), None, false),
            (
                json!({ "schemaVersion": 2, "manifests": [{ "digest": "sha256:../..", "size": 1 }] }),
                None,
                false,
            ),
        ] {
            assert_eq!(
                parse(&document, media_type).is_ok(),
                is_good,
                "{document} {media_type:?}"
            );
        }
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused_before_it_is_fetched() {
        let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
        let check =
            |manifest: &Manifest| manifest.check("x", 1000).map_err(|error| error.to_string());
        assert_eq!(check(&manifest(gzip, 10, 3)), Ok(31));
        for (kind, size, layers, fault) in [
            (gzip, 1000, 1, "bytes of layers"),
            (gzip, u64::MAX, 2, "bytes of layers"),
            (gzip, 1, 257, "256 layers"),
            (
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip+encrypted",
                1,
                1,
                "no tar archive",
            ),
            ("application/wasm", 1, 1, "no tar archive"),
        ] {
            let told = check(&manifest(kind, size, layers)).expect_err(fault);
            assert!(told.contains(fault), "{told}");
        }
        let mut artifact = manifest(gzip, 1, 1);
        artifact.config.media_type = "application/vnd.oci.empty.v1+json".to_owned();
        assert!(check(&artifact).is_err());
    }
}
