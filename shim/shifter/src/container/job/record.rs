//! What a job's container was made from, written by root and read by the user's step.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use bundles::shifter::image::{Access, Digests, Format, Meta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const CONTAINER: &str = "container.json";
const REFUSAL: &str = "refusal.json";

/// A container that was made. Image, volumes and modules are what `/var/shifterConfig.json` has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The image as it was asked for.
    pub request: String,
    /// Its identifier.
    pub identifier: String,
    /// The signature of the volumes.
    pub volumes: String,
    /// The modules' names, in order.
    pub modules: Vec<String>,
    /// Of the image's `.meta` file, which users can't read.
    pub environment: Vec<(String, String)>,
    pub entry_point: Option<Vec<String>>,
    pub command: Option<Vec<String>>,
    pub working_directory: Option<String>,
    /// A public key that the container's sshd lets in.
    pub ssh_key: Option<String>,
    /// Variables of its devices.
    pub of_devices: Vec<(String, String)>,
}

/// One that couldn't be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    /// The image as it was asked for.
    pub request: String,
    /// Why not: a line.
    pub problem: String,
}

impl Record {
    /// What the image's `.meta` file says, as far as the command's process depends on it.
    pub(super) fn meta(&self) -> Meta {
        Meta {
            format: Format::Vfs,
            environment: self.environment.clone(),
            entry_point: self.entry_point.clone(),
            command: self.command.clone(),
            working_directory: self.working_directory.clone(),
            access: Access::default(),
            digests: Digests::default(),
            passed_over: vec![],
        }
    }

    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        write(self, &directory.join(CONTAINER))
    }

    pub(super) fn read(directory: &Path) -> Result<Option<Self>> {
        read(&directory.join(CONTAINER))
    }
}

impl Refusal {
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        write(self, &directory.join(REFUSAL))
    }

    pub(super) fn read(directory: &Path) -> Result<Option<Self>> {
        read(&directory.join(REFUSAL))
    }
}

fn write(what: &impl Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_string(what)?;
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(path, mode).with_context(|| format!("write {}", path.display()))
}

/// None where it isn't there, or isn't this user's to see.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            use std::io::ErrorKind::{NotFound, PermissionDenied};
            return match error.kind() {
                NotFound | PermissionDenied => Ok(None),
                _ => Err(error).with_context(|| format!("read {}", path.display())),
            };
        }
    };
    let parsed = serde_json::from_slice(&text);
    parsed.with_context(|| format!("read {}", path.display()))
}
