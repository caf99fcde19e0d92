//! Devices by name, from container-device-interface specifications: `vendor.com/class=name`.
//!
//! A specification is a file of the site's, in JSON or YAML, that says what a container with a device of a kind has to have: device
//! files, mounts, variables. What it says beyond that is refused by name: hooks run with privilege, and no bundle of
//! the promise `shifter` has any.

mod specification;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::image::Caller;
use super::trusted::TrustError;
use specification::{DeviceNode, Edits, Specification, read_all};

/// Where specifications are, the later before the earlier.
pub const USUAL_DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// What every container has in its `/dev`.
const OWN: [&str; 12] = [
    "/dev/console",
    "/dev/fd",
    "/dev/full",
    "/dev/mqueue",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/shm",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
];

/// What a container gets for the devices that it asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// Device files.
    pub nodes: Vec<Node>,
    /// Mounts.
    pub mounts: Vec<CdiMount>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// Groups that the user has to be in, each with the device that needs it.
    pub groups: Vec<(u32, String)>,
}

/// A device file: a character device of the host's, with the host's owner and mode, so that nobody can do more with it
/// than outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where, inside; below `/dev`.
    pub path: PathBuf,
    /// Where, on the host.
    pub host: PathBuf,
    /// Its numbers.
    pub major: u32,
    /// Likewise.
    pub minor: u32,
    /// Its mode, without its type.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The device that was asked for.
    pub device: String,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdiMount {
    /// What of the host's.
    pub from: PathBuf,
    /// Where, inside.
    pub to: PathBuf,
    /// Whether it can be written to: read-only unless the specification says `rw`.
    pub writable: bool,
    /// The device that was asked for.
    pub device: String,
}

/// Why a container can't have a device. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CdiError {
    #[error("device {name:?}: must be VENDOR/CLASS=NAME")]
    Name { name: String },
    #[error("device {name:?}: is in no specification in {searched}{known}")]
    Unknown {
        name: String,
        searched: String,
        known: String,
    },
    #[error("device {name:?}: is in {} as well as in {}", one.display(), other.display())]
    Twice {
        name: String,
        one: PathBuf,
        other: PathBuf,
    },
    #[error(
        "device {name:?}: needs the group {gid}, which uid {uid} isn't in; hint: add the user to it"
    )]
    Group { name: String, gid: u32, uid: u32 },
    #[error("device specification {0}")]
    Untrusted(#[from] TrustError),
    #[error("device specification {}: {problem}", path.display())]
    Invalid { path: PathBuf, problem: String },
    #[error("device {name:?}: {}: {problem}", path.display())]
    Unfit {
        name: String,
        path: PathBuf,
        problem: String,
    },
}

impl Devices {
    /// What the devices of these names need, by the specifications in `directories`, the later before the earlier. They
    /// have to belong to one of `owners`.
    ///
    /// # Errors
    /// [`CdiError`], naming the device or the file.
    pub fn find(
        names: &[String],
        directories: &[PathBuf],
        owners: &[u32],
    ) -> Result<Self, CdiError> {
        let mut all = Self::default();
        if names.is_empty() {
            return Ok(all);
        }
        let mut levels = vec![];
        for directory in directories.iter().rev() {
            levels.push(read_all(directory, owners)?);
        }
        for name in names {
            let (kind, device) = name
                .split_once('=')
                .filter(|(kind, device)| kind.contains('/') && !device.is_empty())
                .ok_or_else(|| CdiError::Name { name: name.clone() })?;
            let mut found = levels.iter().find_map(|level| {
                let holding: Vec<_> = level
                    .iter()
                    .filter(|(_, one)| one.kind == kind)
                    .filter_map(|(path, one)| Some((path, one, one.device(device)?)))
                    .collect();
                (!holding.is_empty()).then_some(holding)
            });
            let Some((path, specification, edits)) = found.as_mut().and_then(Vec::pop) else {
                return Err(unknown(name, directories, &levels));
            };
            if let Some((other, ..)) = found.and_then(|mut more| more.pop()) {
                return Err(CdiError::Twice {
                    name: name.clone(),
                    one: path.clone(),
                    other: other.clone(),
                });
            }
            for edits in [&specification.container_edits, edits] {
                all.add(name, edits, path)?;
            }
        }
        Ok(all)
    }

    /// A container gives nobody a group: its process is in those that the user is in outside. So a device that needs
    /// another is refused, and not shown without.
    ///
    /// # Errors
    /// [`CdiError::Group`].
    pub fn check_groups(&self, caller: &Caller) -> Result<(), CdiError> {
        let is_in = |gid: u32| caller.gid == gid || caller.groups.contains(&gid);
        match self.groups.iter().find(|(gid, _)| !is_in(*gid)) {
            None => Ok(()),
            Some((gid, name)) => Err(CdiError::Group {
                name: name.clone(),
                gid: *gid,
                uid: caller.uid,
            }),
        }
    }

    /// A container that a user makes, or runs, without root has the host's own device files and can have no others.
    ///
    /// # Errors
    /// [`CdiError::Unfit`] for one that would have another name than on the host.
    pub fn check_names(&self) -> Result<(), CdiError> {
        match self.nodes.iter().find(|node| node.path != node.host) {
            None => Ok(()),
            Some(node) => Err(CdiError::Unfit {
                name: node.device.clone(),
                path: node.host.clone(),
                problem: format!(
                    "would be {} inside; without root and in a job a device has the host's name",
                    node.path.display()
                ),
            }),
        }
    }

    fn add(&mut self, name: &str, edits: &Edits, path: &Path) -> Result<(), CdiError> {
        let invalid = |problem: String| CdiError::Invalid {
            path: path.to_path_buf(),
            problem,
        };
        if let Some(key) = edits.more.keys().next() {
            let hint = match key.as_str() {
                "hooks" => "; hint: nvidia-ctk cdi generate --disable-hook=all",
                _ => "",
            };
            return Err(invalid(format!(
                "{key}: can't be given to a container without privilege{hint}"
            )));
        }
        for variable in &edits.env {
            let (variable, value) = variable
                .split_once('=')
                .filter(|(name, _)| !name.is_empty() && !variable.contains('\0'))
                .ok_or_else(|| invalid(format!("env: {variable:?} must be NAME=VALUE")))?;
            self.environment
                .push((variable.to_owned(), value.to_owned()));
        }
        // 0 is to be passed over, by the specification of specifications.
        let groups = edits.additional_gids.iter().filter(|gid| **gid != 0);
        self.groups
            .extend(groups.map(|gid| (*gid, name.to_owned())));
        for node in &edits.device_nodes {
            let node = Node::of(name, node)?;
            if !self.nodes.iter().any(|other| other.path == node.path) {
                self.nodes.push(node);
            }
        }
        for mount in &edits.mounts {
            if mount
                .kind
                .as_deref()
                .is_some_and(|kind| !["", "bind", "none"].contains(&kind))
            {
                let to = mount.container_path.display();
                return Err(invalid(format!("mounts: {to} must be a bind mount")));
            }
            for (key, path) in [
                ("hostPath", &mount.host_path),
                ("containerPath", &mount.container_path),
            ] {
                if !path.is_absolute() {
                    let path = path.display();
                    return Err(invalid(format!("mounts: {key} {path:?} must be absolute")));
                }
            }
            let mount = CdiMount {
                from: mount.host_path.clone(),
                to: mount.container_path.clone(),
                writable: mount.options.iter().any(|option| option == "rw"),
                device: name.to_owned(),
            };
            if !self.mounts.iter().any(|other| other.to == mount.to) {
                self.mounts.push(mount);
            }
        }
        Ok(())
    }
}

fn unknown(
    name: &str,
    directories: &[PathBuf],
    levels: &[Vec<(PathBuf, Specification)>],
) -> CdiError {
    let all = levels.iter().flatten();
    let known: Vec<String> = all
        .flat_map(|(_, one)| {
            let devices = one.devices.iter();
            devices.map(|device| format!("{}={}", one.kind, device.name))
        })
        .collect();
    let directories: Vec<String> = directories
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    CdiError::Unknown {
        name: name.to_owned(),
        searched: directories.join(" or "),
        known: match known.is_empty() {
            true => "; only files that end in .json, .yaml or .yml are read".to_owned(),
            false => format!("; there are {}", known.join(", ")),
        },
    }
}

impl Node {
    fn of(device: &str, node: &DeviceNode) -> Result<Self, CdiError> {
        let host = node.host_path.as_ref().unwrap_or(&node.path);
        let unfit = |problem: String| CdiError::Unfit {
            name: device.to_owned(),
            path: host.clone(),
            problem,
        };
        let mut names = node.path.components().skip(2);
        let is_plain = |part| matches!(part, std::path::Component::Normal(_));
        if !node.path.starts_with("/dev") || node.path == Path::new("/dev") || !names.all(is_plain)
        {
            return Err(unfit(format!("{} is not below /dev", node.path.display())));
        }
        if OWN.iter().any(|own| node.path.starts_with(own)) {
            return Err(unfit(format!(
                "{} is every container's own",
                node.path.display()
            )));
        }
        let found = fs::metadata(host).map_err(|error| unfit(error.to_string()))?;
        let is_character = found.file_type().is_char_device();
        if !is_character
            || node
                .kind
                .as_deref()
                .is_some_and(|kind| !["c", "u"].contains(&kind))
        {
            return Err(unfit("is not a character device".to_owned()));
        }
        let (major, minor) = (libc::major(found.rdev()), libc::minor(found.rdev()));
        if node.major.is_some_and(|wanted| wanted != major)
            || node.minor.is_some_and(|wanted| wanted != minor)
        {
            return Err(unfit(format!(
                "is device {major}:{minor}, and not what is specified"
            )));
        }
        Ok(Self {
            path: node.path.clone(),
            host: host.clone(),
            major,
            minor,
            mode: found.mode() & 0o777,
            uid: found.uid(),
            gid: found.gid(),
            device: device.to_owned(),
        })
    }
}
