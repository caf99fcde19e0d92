//! What came of a pull.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::request::Format;
use crate::blobs::Digest;

/// What a source says of an image before anything of it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of the manifest for the platform that was asked for: the image's identity.
    pub manifest_digest: Digest,
    /// Bytes of its layers as the source has them.
    pub size: u64,
    /// Whether the source showed it only for the credentials: others have no right to it by being able to ask us.
    pub is_private: bool,
}

/// An image file that was made.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// What the source said of it.
    pub found: Found,
    /// What a container of it runs.
    pub config: ImageConfig,
    /// The file, complete and on the disk.
    pub file: PathBuf,
    /// What it holds.
    pub format: Format,
    /// What fs-verity calls the file, `sha256:…`.
    pub digest: String,
    /// Bytes of the file.
    pub size: u64,
    /// What was left out of it or taken away.
    pub left_out: LeftOut,
    /// Of how many layers it was made.
    pub layers: LayerCount,
    /// Whose signature was found and good; none where the policy wants none.
    pub signed_by: Option<String>,
}

/// Layers, by where they came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LayerCount {
    /// All of them.
    pub all: usize,
    /// Those that were taken from images that had been made before, and neither fetched nor unpacked.
    pub taken_over: usize,
}

/// What an image may not have, and had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Devices, pipes and sockets.
    pub special: u64,
    /// Setuid and setgid bits.
    pub set_id: u64,
    /// Extended attributes.
    pub attributes: u64,
}

/// The `config` of an image's configuration, as the OCI image specification has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// ENTRYPOINT.
    #[serde(default, rename = "Entrypoint", deserialize_with = "or_null")]
    pub entrypoint: Vec<String>,
    /// CMD.
    #[serde(default, rename = "Cmd", deserialize_with = "or_null")]
    pub cmd: Vec<String>,
    /// ENV, `NAME=VALUE` each.
    #[serde(default, rename = "Env", deserialize_with = "or_null")]
    pub env: Vec<String>,
    /// WORKDIR; empty where none is set.
    #[serde(default, rename = "WorkingDir", deserialize_with = "or_null")]
    pub working_directory: String,
    /// USER; empty where none is set. Containers of Shifter's run as who starts them.
    #[serde(default, rename = "User", deserialize_with = "or_null")]
    pub user: String,
    /// LABEL.
    #[serde(default, rename = "Labels", deserialize_with = "or_null")]
    pub labels: BTreeMap<String, String>,
}

/// Go writes null for what is empty.
fn or_null<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_in_a_configuration_is_empty() {
        let text = r#"{"Entrypoint":null,"Cmd":["sh"],"Labels":null,"WorkingDir":"/w","Volumes":{"/v":{}}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        let meant = ImageConfig {
            cmd: vec!["sh".to_owned()],
            working_directory: "/w".to_owned(),
            ..ImageConfig::default()
        };
        assert_eq!(config, meant);
    }
}
