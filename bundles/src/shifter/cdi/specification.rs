//! A specification as its file has it: <https://github.com/cncf-tags/container-device-interface>.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::super::trusted;
use super::CdiError;

/// The most that one may hold, in bytes.
const MAX_SIZE: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Specification {
    pub(super) cdi_version: String,
    pub(super) kind: String,
    #[serde(default)]
    pub(super) devices: Vec<Named>,
    #[serde(default)]
    pub(super) container_edits: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) container_edits: Edits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edits {
    #[serde(default)]
    pub(super) env: Vec<String>,
    #[serde(default)]
    pub(super) device_nodes: Vec<DeviceNode>,
    #[serde(default)]
    pub(super) mounts: Vec<Mounted>,
    #[serde(default)]
    pub(super) additional_gids: Vec<u32>,
    /// `hooks`, `intelRdt`, `netDevices`, and what is still to come.
    #[serde(flatten)]
    pub(super) more: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeviceNode {
    pub(super) path: PathBuf,
    pub(super) host_path: Option<PathBuf>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    // The host's count: a specification can't give more.
    #[serde(rename = "fileMode")]
    _mode: Option<u32>,
    #[serde(rename = "permissions")]
    _permissions: Option<String>,
    #[serde(rename = "uid")]
    _uid: Option<u32>,
    #[serde(rename = "gid")]
    _gid: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mounted {
    pub(super) host_path: PathBuf,
    pub(super) container_path: PathBuf,
    #[serde(default)]
    pub(super) options: Vec<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

impl Specification {
    /// What the device of this name has to have.
    pub(super) fn device(&self, name: &str) -> Option<&Edits> {
        let mut devices = self.devices.iter();
        let device = devices.find(|device| device.name == name)?;
        Some(&device.container_edits)
    }
}

/// What a specification is written in, by the end of its file's name.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Yaml,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// One line where it can't be read.
    fn read(self, text: &[u8]) -> Result<Specification, String> {
        let read = match self {
            Self::Json => serde_json::from_slice(text).map_err(|error| error.to_string()),
            Self::Yaml => {
                // Modes are written as others read them, 0666 being octal.
                let options =
                    serde_saphyr::options! { legacy_octal_numbers: true, with_snippet: false };
                serde_saphyr::from_slice_with_options(text, options)
                    .map_err(|error| error.to_string())
            }
        };
        read.map_err(|problem| problem.lines().next().unwrap_or_default().to_owned())
    }
}

/// The specifications in a directory; none where there is no such directory.
///
/// # Errors
/// [`CdiError`], naming the file.
pub(super) fn read_all(
    directory: &Path,
    owners: &[u32],
) -> Result<Vec<(PathBuf, Specification)>, CdiError> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(vec![]);
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut all = vec![];
    for path in paths {
        let Some(form) = Form::of(&path) else {
            continue;
        };
        let text = trusted::read(&path, owners, MAX_SIZE)?;
        let specification = form.read(&text).map_err(|problem| CdiError::Invalid {
            path: path.clone(),
            problem,
        })?;
        let version = &specification.cdi_version;
        if !["0.", "1."].iter().any(|known| version.starts_with(known)) {
            let problem = format!("cdiVersion: {version:?} is not known here; 0.x and 1.x are");
            return Err(CdiError::Invalid { path, problem });
        }
        all.push((path, specification));
    }
    Ok(all)
}
