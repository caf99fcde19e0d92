//! Words of a definition that must have a form: names, and paths in a project.

use std::fmt;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

/// A name that can stand in a URL's path and in a file's name as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

const LONGEST_NAME: usize = 64;

impl Name {
    /// A name that is known to be one.
    pub(in crate::server) fn known(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_made_of = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() || text.len() > LONGEST_NAME {
            return Err("must have 1 to 64 characters");
        }
        if !text.chars().all(is_made_of) || text.starts_with(['.', '-']) {
            return Err(
                "must be made of letters, digits, \"_\", \"-\" and \".\", and begin with none of the last two",
            );
        }
        Ok(Self(text))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The path of a file in a project: relative, plain, and below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

const LONGEST_PATH: usize = 1024;

impl ProjectPath {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a path, for the functions that take it from a project's descriptor down.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Whether both can't be files at once.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.as_path().starts_with(other.as_path()) || other.as_path().starts_with(self.as_path())
    }
}

impl TryFrom<String> for ProjectPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() || text.len() > LONGEST_PATH {
            return Err("a path must have 1 to 1024 bytes");
        }
        if text.contains('\0') {
            return Err("a path must not hold a NUL");
        }
        if text.starts_with('/') {
            return Err("a path in the project must be relative");
        }
        let plain = Path::new(&text)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        // What `Path` forgives: "a//b", "a/./b", "a/".
        let spelled = text
            .split('/')
            .all(|part| !part.is_empty() && !matches!(part, "." | ".."));
        if plain && spelled {
            Ok(Self(text))
        } else {
            Err("a path in the project must be plain, without empty parts, \".\" or \"..\"")
        }
    }
}

impl From<ProjectPath> for String {
    fn from(path: ProjectPath) -> Self {
        path.0
    }
}
