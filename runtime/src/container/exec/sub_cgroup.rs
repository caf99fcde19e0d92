//! The argument of `exec --cgroup`: a cgroup below the container's.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// `PATH`, or for cgroup v1 `CONTROLLER[,CONTROLLER…]:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubCgroup {
    /// The controllers in whose hierarchies it is meant; empty for all.
    pub controllers: Vec<String>,
    /// The path below the container's cgroup; empty for that one itself.
    pub path: PathBuf,
}

/// Why a `--cgroup` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubCgroupError {
    /// A controller's name is missing.
    #[error("\"{0}\" names no controller before the colon")]
    NoController(String),
    /// The path would lead out of the container's cgroup. The text is that of runc's versions.
    #[error("bad sub cgroup path: {0} is not a sub cgroup path: it must not hold '..'")]
    LeadsOut(String),
}

impl FromStr for SubCgroup {
    type Err = SubCgroupError;

    fn from_str(text: &str) -> Result<Self, SubCgroupError> {
        let (controllers, path) = match text.split_once(':') {
            Some((controllers, path)) => {
                let names: Vec<String> = controllers.split(',').map(str::to_owned).collect();
                if names.iter().any(String::is_empty) {
                    return Err(SubCgroupError::NoController(text.to_owned()));
                }
                (names, path)
            }
            None => (vec![], text),
        };
        let mut below = PathBuf::new();
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => below.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(SubCgroupError::LeadsOut(text.to_owned()));
                }
            }
        }
        Ok(Self {
            controllers,
            path: below,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_containers() {
        let parsed = |text: &str| text.parse::<SubCgroup>();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        for (text, controllers, path) in [
            ("sub", names(&[]), "sub"),
            ("/sub/./deep/", names(&[]), "sub/deep"),
            ("/", names(&[]), ""),
            ("cpu,cpuacct:/sub", names(&["cpu", "cpuacct"]), "sub"),
            ("memory:", names(&["memory"]), ""),
        ] {
            let expected = SubCgroup {
                controllers,
                path: path.into(),
            };
            assert_eq!(parsed(text), Ok(expected), "{text}");
        }
        for text in ["..", "a/../..", "/..", "cpu:..", ":sub", "cpu,:sub"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
