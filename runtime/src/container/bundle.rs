//! Reading a bundle's `config.json`, with limits.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use bundles::promise::{Exception, Kind, is_bind};
use oci_spec::runtime::{Capability, LinuxResources, Process, Spec};
use rustix::fs::{Mode, OFlags, open};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Error, Result};
use crate::json::{self, Fault};
use crate::read_at_most::read_at_most;
use crate::telling::{self, shorten};

/// The largest `config.json` that is read, bytes. Real ones are below 1 MiB; depth is serde_json's 128.
const MAX_CONFIG_SIZE: u64 = 16 << 20;

/// The JSON pointer to a spec's process.
const PROCESS: &str = "/process";

/// A bundle's specification, unless the caller names another file.
pub const CONFIG: &str = "config.json";

/// A bundle, read once: nothing reads `config.json` a second time, so nobody can swap it in between.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The bundle's directory, canonical.
    pub directory: PathBuf,
    /// The file that was read: its `config.json`, or what the caller named in its place.
    pub config: PathBuf,
    /// What that says.
    pub spec: Spec,
    /// The promise that it makes, if any.
    pub kind: Option<Kind>,
    /// The canonical path of its root file system.
    pub rootfs: PathBuf,
    /// The exceptions to the promise that the site allows it; it may ask for others.
    pub granted: Vec<Exception>,
}

impl Bundle {
    /// Reads the bundle in `directory`.
    ///
    /// # Errors
    /// One line naming the file, the place in it, and what is wrong.
    pub fn load(directory: &Path) -> Result<Self> {
        Self::load_as(directory, Path::new(CONFIG))
    }

    /// Reads the bundle in `directory` with `config`, a path from there, in place of `config.json`.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load_as(directory: &Path, config: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .map_err(Error::io("open bundle", directory))?;
        let path = directory.join(config);
        let mut spec: Spec =
            parse(&read_limited(&path, Pipes::Refused)?, PROCESS).map_err(|error| {
                Error::Config {
                    path: path.clone(),
                    reason: error.to_string(),
                }
            })?;
        let invalid = |reason: String| Error::Config {
            path: path.clone(),
            reason,
        };
        absolute_sources(&mut spec, &directory);
        drop_empty_namespace_paths(&mut spec);
        let kind = Kind::of(&spec).map_err(|error| invalid(error.to_string()))?;
        if !spec.version().starts_with("1.") {
            let version = shorten(spec.version());
            return Err(invalid(format!(
                "ociVersion is \"{version}\", it must be 1.x.y"
            )));
        }
        let root = spec
            .root()
            .as_ref()
            .ok_or_else(|| invalid("root is absent".to_owned()))?;
        if root.path().as_os_str().is_empty() {
            return Err(invalid("root.path is empty".to_owned()));
        }
        let rootfs = directory.join(root.path());
        let rootfs = rootfs
            .canonicalize()
            .map_err(Error::io("open root.path", &rootfs))?;
        if !rootfs.is_dir() {
            let shown = rootfs.display();
            return Err(invalid(format!("root.path {shown} is not a directory")));
        }
        Ok(Self {
            directory,
            config: path,
            spec,
            kind,
            rootfs,
            granted: vec![],
        })
    }
}

/// Reads a process as engines write it down for `exec`: the `process` of a `config.json`, alone.
///
/// # Errors
/// As [`Bundle::load`].
pub fn read_process(path: &Path) -> Result<Process> {
    parse(&read_limited(path, Pipes::Read)?, "").map_err(|error| Error::Config {
        path: path.to_path_buf(),
        reason: error.to_string(),
    })
}

/// Likewise, from memory. `shown` names it in errors.
///
/// # Errors
/// As [`Bundle::load`].
pub fn parse_process(text: &[u8], shown: &Path) -> Result<Process> {
    parse(text, "").map_err(|fault| Error::Config {
        path: shown.into(),
        reason: fault.to_string(),
    })
}

/// Reads limits as engines write them down for `update`: `linux.resources` of a `config.json`, alone, from the file
/// at `path` or, where that is `-`, from standard input.
///
/// # Errors
/// As [`Bundle::load`].
pub fn read_resources(path: &Path) -> Result<LinuxResources> {
    let (text, shown) = if path == Path::new("-") {
        let shown = Path::new("standard input");
        (read_whole(std::io::stdin(), shown)?, shown)
    } else {
        (read_limited(path, Pipes::Read)?, path)
    };
    parse_resources(&text, shown)
}

/// Likewise, from memory. `shown` names it in errors.
///
/// # Errors
/// As [`Bundle::load`].
pub fn parse_resources(text: &[u8], shown: &Path) -> Result<LinuxResources> {
    let parsed = json::check(text).and_then(|()| json::parse(text));
    parsed.map_err(|fault| Error::Config {
        path: shown.to_path_buf(),
        reason: fault.to_string(),
    })
}

/// Parses a spec or, with an empty `process`, one alone, as peers read it. It loses the capabilities that have no
/// name here: the OCI spec wants those ignored with a warning, and a capability that isn't known can't be given.
/// `process` is the JSON pointer to the process.
fn parse<T: DeserializeOwned>(text: &[u8], process: &str) -> Result<T, Fault> {
    json::check(text)?;
    let fault = match json::parse(text) {
        Ok(spec) => return Ok(spec),
        Err(fault) => fault,
    };
    let Ok(mut value) = json::parse::<Value>(text) else {
        return Err(fault);
    };
    let before = value.clone();
    let unknown = drop_unknown_capabilities(&mut value, process);
    if let Some(process) = value.pointer_mut(process) {
        complete_user(process);
        rename_scheduler_flags(process);
    }
    if value == before {
        return Err(fault);
    }
    // Of a key that is there twice the copy would have one.
    json::refuse_twice(text)?;
    let known = serde_json::to_vec(&value).map_err(|_| fault)?;
    let spec = json::parse_copy(&known, text)?;
    for name in unknown {
        let name = shorten(&name);
        telling::say(&format!(
            "opt-runtime: warning: process.capabilities: \"{name}\" is no known capability: ignored\n"
        ));
    }
    Ok(spec)
}

/// Takes them out of the five sets; gives each name once.
fn drop_unknown_capabilities(spec: &mut Value, process: &str) -> BTreeSet<String> {
    let mut unknown = BTreeSet::new();
    let sets = spec
        .pointer_mut(&format!("{process}/capabilities"))
        .and_then(Value::as_object_mut);
    for names in sets
        .into_iter()
        .flatten()
        .filter_map(|(_, names)| names.as_array_mut())
    {
        names.retain(|name| match name.as_str() {
            Some(text) if serde_json::from_value::<Capability>(name.clone()).is_err() => {
                unknown.insert(text.to_owned());
                false
            }
            _ => true,
        });
    }
    unknown
}

/// A process without a user is root's, as with runc.
fn complete_user(process: &mut Value) {
    if let Some(members) = process.as_object_mut() {
        let root = || serde_json::json!({ "uid": 0, "gid": 0 });
        members.entry("user").or_insert_with(root);
    }
}

/// The OCI spec's names of two flags and those that oci-spec has for them.
const SCHEDULER_FLAGS: [(&str, &str); 2] = [
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
];

fn rename_scheduler_flags(process: &mut Value) {
    let flags = process
        .pointer_mut("/scheduler/flags")
        .and_then(Value::as_array_mut);
    for flag in flags.into_iter().flatten() {
        let renamed = SCHEDULER_FLAGS
            .iter()
            .find(|(specified, _)| flag.as_str() == Some(specified));
        if let Some((_, known)) = renamed {
            *flag = Value::from(*known);
        }
    }
}

/// The OCI spec takes a relative source of a bind mount from the bundle's directory.
fn absolute_sources(spec: &mut Spec, directory: &Path) {
    for mount in spec.mounts_mut().iter_mut().flatten() {
        if let Some(source) = mount.source().clone().filter(|_| is_bind(mount)) {
            mount.set_source(Some(directory.join(source)));
        }
    }
}

/// An empty path is none, as Go's JSON has it: scripts that fill one in leave the others so.
fn drop_empty_namespace_paths(spec: &mut Spec) {
    let namespaces = spec
        .linux_mut()
        .as_mut()
        .and_then(|linux| linux.namespaces_mut().as_mut());
    for namespace in namespaces.into_iter().flatten() {
        if namespace.path().as_deref() == Some(Path::new("")) {
            namespace.set_path(None);
        }
    }
}

/// What to do with a pipe in the place of a file.
#[derive(Clone, Copy, PartialEq)]
enum Pipes {
    /// Refuse it: nobody means a FIFO for a bundle's file, and it could block us.
    Refused,
    /// Read it: a shell's `<(…)`.
    Read,
}

/// Reads a regular file of at most [`MAX_CONFIG_SIZE`].
fn read_limited(path: &Path, pipes: Pipes) -> Result<Vec<u8>> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    if pipes == Pipes::Refused {
        flags |= OFlags::NONBLOCK;
    }
    let file = open(path, flags, Mode::empty())
        .map(std::fs::File::from)
        .map_err(|errno| Error::io("open", path)(errno.into()))?;
    let metadata = file.metadata().map_err(Error::io("stat", path))?;
    let is_pipe = metadata.file_type().is_fifo() && pipes == Pipes::Read;
    if !metadata.is_file() && !is_pipe {
        return Err(Error::Config {
            path: path.to_path_buf(),
            reason: "not a regular file".to_owned(),
        });
    }
    read_whole(file, path)
}

/// Reads `source`, which errors call `path`, to its end, unless that is beyond [`MAX_CONFIG_SIZE`].
fn read_whole(source: impl Read, path: &Path) -> Result<Vec<u8>> {
    let read = read_at_most(source, MAX_CONFIG_SIZE).map_err(Error::io("read", path))?;
    read.ok_or_else(|| Error::Config {
        path: path.to_path_buf(),
        reason: format!("larger than {MAX_CONFIG_SIZE} bytes, the most that is read"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_read_is_read() {
        let text = br#"{ "ociVersion": "1.0.2", "process": { "cwd": "/", "user": { "uid": 0, "gid": 0 },
            "capabilities": { "bounding": ["CAP_KILL", "CAP_FUTURE"], "effective": ["CAP_FUTURE"] } } }"#;
        let spec: Spec = parse(text, PROCESS).unwrap();
        let capabilities = spec
            .process()
            .clone()
            .unwrap()
            .capabilities()
            .clone()
            .unwrap();
        assert_eq!(
            capabilities.bounding().clone().unwrap(),
            [Capability::Kill].into()
        );
        assert!(capabilities.effective().clone().unwrap().is_empty());
        // A process alone, as `exec` takes it.
        let text = br#"{ "cwd": "/", "scheduler": { "policy": "SCHED_BATCH",
            "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_RECLAIM"] } }"#;
        let process: Process = parse(text, "").unwrap();
        assert_eq!((process.user().uid(), process.user().gid()), (0, 0));
        let scheduler = process.scheduler().clone().unwrap();
        assert_eq!(scheduler.flags().clone().unwrap().len(), 3);
        // Anything else stays an error.
        let is_refused = |text: &[u8]| parse::<Spec>(text, PROCESS).is_err();
        assert!(is_refused(br#"{ "ociVersion": 3 }"#));
        assert!(is_refused(
            br#"{ "process": { "capabilities": { "bounding": [7] } } }"#
        ));
    }

    #[test]
    fn what_peers_read_is_there_once() {
        for (text, says) in [
            (
                r#"{ "hostname": "a", "hostname": "b", "process": { "cwd": "/" } }"#,
                "hostname: it is there twice, at line 1, column 1",
            ),
            (
                r#"{ "process": { "cwd": "/", "args": ["a"], "args": ["b"] } }"#,
                "process.args: it is there twice, at line 1, column 14",
            ),
            (
                r#"{ "process": { "cwd": "/", "cwd": "/" }, "hostname": "a" }"#,
                "process.cwd: it is there twice, at line 1, column 14",
            ),
            (
                r#"{ "process": { "cwd": "/" }, "mounts": [{ "destination": "/a", "source": "b", "source": "c" }] }"#,
                "mounts[0].source: it is there twice, at line 1, column 41",
            ),
        ] {
            let fault = parse::<Spec>(text.as_bytes(), PROCESS).unwrap_err();
            assert_eq!(fault.to_string(), says, "{text}");
        }
    }
}
