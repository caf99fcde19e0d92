//! Functions: what callers of the Functions API may call by name, each defined by a small file
//! `functions/NAME.json` beside `config.json`.

mod words;

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use bundles::opt_server::config::{Config, ConfigError};
use daemon::{FileError, read_json};
use serde::{Deserialize, Serialize};

pub use words::{Name, ProjectPath};

/// The directory of the definitions, beside `config.json`.
pub const DIRECTORY: &str = "functions";

/// One function. Its name is the file's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Function {
    /// For people.
    #[serde(default)]
    pub description: String,
    /// A command of `config.json`.
    pub command: String,
    /// Its arguments. Callers can't add any.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Files that every execution finds in its project: the path there, and the host's file, relative to
    /// the directory of the definitions.
    #[serde(default)]
    pub files: BTreeMap<ProjectPath, PathBuf>,
    /// What callers upload.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// What callers can download once it has ended.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// Limits of every execution of it; a key's own can only be lower.
    #[serde(default)]
    pub limits: Limits,
}

/// A file that callers upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Input {
    /// Its name in the API.
    pub id: Name,
    /// Where it lies in the project.
    pub path: ProjectPath,
    /// Whether an execution can't start without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// The most bytes that it may hold.
    pub max_bytes: Option<NonZeroU64>,
}

/// A file that callers download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Output {
    /// Its name in the API.
    pub id: Name,
    /// Where it lies in the project.
    pub path: ProjectPath,
}

/// Limits of memory and time as PIFOP has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// In megabytes (2^20 bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<NonZeroU64>,
    /// In minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<NonZeroU64>,
}

impl Limits {
    /// The smaller of each.
    #[must_use]
    pub fn narrowed(self, other: Self) -> Self {
        let smaller = |a: Option<NonZeroU64>, b: Option<NonZeroU64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            max_memory: smaller(self.max_memory, other.max_memory),
            max_time: smaller(self.max_time, other.max_time),
        }
    }
}

fn yes() -> bool {
    true
}

/// Why the functions can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The directory can't be listed.
    #[error("list {}", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A definition that can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A definition that can be read and makes no sense.
    #[error("{}: {reason}", path.display())]
    Senseless {
        /// The definition.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// Its command isn't there.
    #[error("{}: \"command\"", path.display())]
    Command {
        /// The definition.
        path: PathBuf,
        /// What there is.
        source: Box<ConfigError>,
    },
}

/// All functions by name.
pub type Functions = BTreeMap<Name, Function>;

/// Reads every definition beside `config`. No directory, no functions.
///
/// # Errors
/// The first that is wrong: half of the functions would be worse than the old ones.
pub fn beside(config: &Config, config_path: &Path) -> Result<Functions, FunctionError> {
    let directory = config_path.with_file_name(DIRECTORY);
    let mut functions = Functions::new();
    for path in definitions(&directory)? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let senseless = |reason: String| FunctionError::Senseless {
            path: path.clone(),
            reason,
        };
        let name = Name::try_from(stem.into_owned())
            .map_err(|error| senseless(format!("the file's name {error}")))?;
        let function: Function = read_json(&path)?;
        config
            .command(&function.command)
            .map_err(|source| FunctionError::Command {
                path: path.clone(),
                source: Box::new(source),
            })?;
        function.check(&directory).map_err(senseless)?;
        functions.insert(name, function);
    }
    Ok(functions)
}

fn definitions(directory: &Path) -> Result<Vec<PathBuf>, FunctionError> {
    if !directory.exists() {
        return Ok(vec![]);
    }
    let failed = |source| FunctionError::List {
        path: directory.to_owned(),
        source,
    };
    let mut paths = vec![];
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "json") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl Function {
    /// What serde can't see: names and paths that come twice or lie in each other, files that aren't there.
    fn check(&self, directory: &Path) -> Result<(), String> {
        let mut placed: Vec<(&ProjectPath, String)> = vec![];
        let fixed = self.files.keys().map(|path| (path, "\"files\"".to_owned()));
        let inputs = self
            .inputs
            .iter()
            .map(|input| (&input.path, format!("input {:?}", input.id.as_str())));
        for (path, whose) in fixed.chain(inputs) {
            for (other, theirs) in &placed {
                if path.overlaps(other) {
                    return Err(format!(
                        "{whose}: the path {:?} is in the way of {theirs}'s {:?}",
                        path.as_str(),
                        other.as_str()
                    ));
                }
            }
            placed.push((path, whose));
        }
        twice("inputs", self.inputs.iter().map(|input| &input.id))?;
        twice("outputs", self.outputs.iter().map(|output| &output.id))?;
        if let Some(argument) = self.arguments.iter().find(|text| text.contains('\0')) {
            return Err(format!("\"arguments\" must not hold a NUL: {argument:?}"));
        }
        for source in self.files.values() {
            let path = directory.join(source);
            let is_file = fs::metadata(&path).is_ok_and(|found| found.is_file());
            if !is_file {
                return Err(format!("\"files\": no file {}", path.display()));
            }
        }
        Ok(())
    }

    /// The input of this id.
    pub fn input(&self, id: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.id.as_str() == id)
    }
}

fn twice<'a>(what: &str, ids: impl Iterator<Item = &'a Name>) -> Result<(), String> {
    let mut seen = vec![];
    for id in ids {
        if seen.contains(&id) {
            return Err(format!("{what:?} has the id {:?} twice", id.as_str()));
        }
        seen.push(id);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
