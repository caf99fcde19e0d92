//! An image's configuration: a document of somebody else's, too.

use serde::Deserialize;

use super::error::{PullError, malformed};
use super::pulled::ImageConfig;
use super::request::Platform;
use crate::blobs::Digest;

/// An image's configuration.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Configuration {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    pub(super) config: Option<ImageConfig>,
    rootfs: RootFileSystem,
}

#[derive(Debug, Clone, Deserialize)]
struct RootFileSystem {
    diff_ids: Vec<Digest>,
}

impl Configuration {
    /// Reads one, which has to be for `platform` and as many layers.
    ///
    /// # Errors
    /// [`PullError`].
    pub(super) fn parse(
        content: &[u8],
        platform: &Platform,
        layers: usize,
        what: &str,
    ) -> Result<Self, PullError> {
        let found: Self = serde_json::from_slice(content)
            .map_err(|error| malformed(what, &format!("its configuration is none: {error}")))?;
        let is_other = |found: &str, wanted: &str| !found.is_empty() && found != wanted;
        if is_other(&found.os, &platform.os)
            || is_other(&found.architecture, &platform.architecture)
        {
            return Err(PullError::Platform {
                image: what.to_owned(),
                wanted: platform.to_string(),
                has: format!("{}/{}", found.os, found.architecture),
            });
        }
        if found.rootfs.diff_ids.len() != layers {
            return Err(malformed(
                what,
                "its configuration is for another number of layers",
            ));
        }
        Ok(found)
    }

    /// The digests of its layers, unpacked.
    pub(super) fn layers(&self) -> &[Digest] {
        &self.rootfs.diff_ids
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_configuration_is_for_the_image_that_has_it() {
        let platform = Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        };
        let parse = |document: Value, layers| {
            let content = serde_json::to_vec(&document).unwrap();
            Configuration::parse(&content, &platform, layers, "x")
                .map_err(|error| error.to_string())
        };
        let layers = json!({ "type": "layers", "diff_ids": [Digest::of(b"")] });
        let good =
            json!({ "os": "linux", "architecture": "amd64", "config": null, "rootfs": layers });
        assert!(parse(good.clone(), 1).unwrap().config.is_none());
        assert!(parse(json!({ "rootfs": layers }), 1).is_ok());
        assert!(
            parse(good.clone(), 2)
                .unwrap_err()
                .contains("number of layers")
        );
        let mut other = good.clone();
        other["architecture"] = "arm64".into();
        assert!(parse(other, 1).unwrap_err().contains("linux/arm64"));
        assert!(parse(json!({}), 0).is_err());
    }
}
