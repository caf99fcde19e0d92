//! What can be seen of a created process from outside, as plain data.
//!
//! The texts come from proc(5); reading the files is the runtime's work, so that this library needs no
//! process to look at and the rows can be tested with made-up ones.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that the observed checks look at.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// `/proc/PID/status`.
    pub status: Status,
    /// `/proc/PID/mountinfo`.
    pub mounts: Vec<MountPoint>,
    /// `/proc/PID/fd` with `/proc/PID/fdinfo`.
    pub descriptors: Vec<Descriptor>,
    /// `/proc/PID/ns`, by name (`mnt`, `pid`, …).
    pub namespaces: BTreeMap<String, NamespaceIds>,
    /// Whose the pid and the user namespace are; looked for only where `config.json` has both joined.
    pub joined: Option<JoinedNamespaces>,
    /// Whether `/proc/PID/root` is the directory that `/` is for the runtime.
    pub root_is_host_root: bool,
    /// The limits that the process's cgroups hold.
    pub cgroup: CgroupLimits,
    /// Those of [`MASKED_PATHS`](super::MASKED_PATHS) and [`READONLY_PATHS`](super::READONLY_PATHS) that
    /// this kernel has.
    pub existing_paths: Vec<PathBuf>,
    /// Supplementary groups that the runtime is in and can't leave, as it sees them itself: root can.
    pub kept_groups: Vec<u32>,
}

/// The lines of `/proc/PID/status` that bear on privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// `CapInh`, `CapPrm`, `CapEff`, `CapBnd`, `CapAmb`, in this order.
    pub capabilities: [u64; 5],
    /// Real, effective, saved and file system uid, as the host sees them.
    pub uid: [u32; 4],
    /// Real, effective, saved and file system gid, as the host sees them.
    pub gid: [u32; 4],
    /// Supplementary groups, as the host sees them.
    pub groups: Vec<u32>,
    /// `NoNewPrivs`.
    pub no_new_privs: bool,
    /// `Seccomp`: 0 none, 1 strict, 2 filter.
    pub seccomp: u32,
    /// `Seccomp_filters`.
    pub seccomp_filters: u32,
}

/// One line of `/proc/PID/mountinfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountPoint {
    /// What of its file system is mounted: `/` for all of it.
    pub root: PathBuf,
    /// Where it is mounted, as seen from the process's root.
    pub path: PathBuf,
    /// Per-mount options, with commas between them.
    pub options: String,
    /// Whether it belongs to a shared peer group (mounts would propagate out of the container).
    pub shared: bool,
    /// File system type.
    pub file_system: String,
}

impl MountPoint {
    /// Whether the per-mount options hold `option`.
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|have| have == option)
    }
}

/// One open descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// Whether execve(2) closes it.
    pub close_on_exec: bool,
    /// Where it leads; looked at only where it stays open, or other tasks see the process before it executes its command.
    pub leads: Option<Leads>,
}

/// Where a descriptor leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leads {
    /// Whether to a directory, from which openat(2) goes on.
    pub to_directory: bool,
    /// What `/proc/PID/fd/N` points to.
    pub target: String,
}

impl Descriptor {
    /// Whether it is a directory, or nobody has looked.
    pub fn may_be_directory(&self) -> bool {
        let leads = self.leads.as_ref();
        leads.is_none_or(|leads| leads.to_directory)
    }

    /// What it points to, as far as anybody has looked.
    pub fn target(&self) -> &str {
        let leads = self.leads.as_ref();
        leads.map_or("not looked at", |leads| &leads.target)
    }
}

/// The inode numbers of a namespace, theirs and the runtime's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespaceIds {
    /// The created process's.
    pub theirs: u64,
    /// The runtime's.
    pub ours: u64,
}

/// Whose a process's pid and user namespaces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinedNamespaces {
    /// The uid, as the runtime sees it, whose process made the user namespace.
    pub owner: u32,
    /// Whether the pid namespace belongs to that user namespace.
    pub pid_is_of_user: bool,
    /// Whether the pid namespace was made in the one that the runtime is in.
    pub pid_is_below_ours: bool,
}

/// Limits read from cgroup files; `None` where there is no limit or no such controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CgroupLimits {
    /// `pids.max`.
    pub pids: Option<i64>,
    /// `memory.limit_in_bytes` or `memory.max`, bytes.
    pub memory: Option<i64>,
}

/// A file of proc(5) that isn't in its documented form.
#[derive(Debug, thiserror::Error)]
pub enum ObservedError {
    /// A line of `/proc/PID/status` is absent or malformed.
    #[error("/proc/PID/status: no usable line {0}")]
    Status(&'static str),
    /// A line of `/proc/PID/mountinfo` is malformed.
    #[error("/proc/PID/mountinfo: malformed line \"{0}\"")]
    MountInfo(String),
}

/// Parses `/proc/PID/status`.
///
/// # Errors
/// Where a needed line is absent: what can't be seen must not count as kept.
pub fn parse_status(text: &str) -> Result<Status, ObservedError> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let lines: Vec<(&str, &str)> = lines.collect();
    let field = |name: &'static str| {
        let line = lines.iter().find(|(of, _)| *of == name);
        line.map(|(_, value)| value.trim())
            .ok_or(ObservedError::Status(name))
    };
    let number = |name| {
        field(name)?
            .parse()
            .map_err(|_| ObservedError::Status(name))
    };
    let mask =
        |name| u64::from_str_radix(field(name)?, 16).map_err(|_| ObservedError::Status(name));
    Ok(Status {
        capabilities: [
            mask("CapInh")?,
            mask("CapPrm")?,
            mask("CapEff")?,
            mask("CapBnd")?,
            mask("CapAmb")?,
        ],
        uid: four_ids("Uid", field("Uid")?)?,
        gid: four_ids("Gid", field("Gid")?)?,
        groups: ids("Groups", field("Groups")?)?,
        no_new_privs: number("NoNewPrivs")? == 1,
        seccomp: number("Seccomp")?,
        seccomp_filters: number("Seccomp_filters")?,
    })
}

fn ids(name: &'static str, text: &str) -> Result<Vec<u32>, ObservedError> {
    text.split_whitespace()
        .map(|id| id.parse().map_err(|_| ObservedError::Status(name)))
        .collect()
}

fn four_ids(name: &'static str, text: &str) -> Result<[u32; 4], ObservedError> {
    ids(name, text)?
        .try_into()
        .map_err(|_| ObservedError::Status(name))
}

/// Parses `/proc/PID/mountinfo`.
///
/// # Errors
/// Where a line isn't in the form of proc(5): a mount that can't be read must not count as kept.
pub fn parse_mountinfo(text: &str) -> Result<Vec<MountPoint>, ObservedError> {
    text.lines()
        .map(|line| parse_mount(line).ok_or_else(|| ObservedError::MountInfo(line.to_owned())))
        .collect()
}

fn parse_mount(line: &str) -> Option<MountPoint> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let root = unescape(fields.next()?)?;
    let path = unescape(fields.next()?)?;
    let options = fields.next()?.to_owned();
    Some(MountPoint {
        root: root.into(),
        path: path.into(),
        options,
        shared: fields.any(|tag| tag.starts_with("shared:")),
        file_system: after.split(' ').next()?.to_owned(),
    })
}

/// Undoes the kernel's octal escapes (`\040` for a space).
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\' {
            let octal = std::str::from_utf8(tail.get(..3)?).ok()?;
            bytes.push(u8::from_str_radix(octal, 8).ok()?);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = include_str!("../../tests/data/proc/status");
    const MOUNTINFO: &str = include_str!("../../tests/data/proc/mountinfo");

    #[test]
    fn status_is_read_whole() {
        let status = parse_status(STATUS).unwrap();
        assert_eq!(status.capabilities, [0, 0, 0, 0x1ff_feff_ffff, 0]);
        assert_eq!(status.uid, [1000, 1000, 1000, 1000]);
        assert_eq!(status.groups, [27, 44]);
        assert!(status.no_new_privs);
        assert_eq!((status.seccomp, status.seccomp_filters), (2, 3));
    }

    #[test]
    fn a_status_without_a_needed_line_is_an_error() {
        for name in ["CapBnd", "Uid", "Groups", "NoNewPrivs", "Seccomp_filters"] {
            let cut: String = STATUS
                .lines()
                .filter(|line| !line.starts_with(&format!("{name}:")))
                .map(|line| format!("{line}\n"))
                .collect();
            assert!(parse_status(&cut).is_err(), "{name}");
        }
    }

    #[test]
    fn mountinfo_is_read_line_by_line() {
        let mounts = parse_mountinfo(MOUNTINFO).unwrap();
        assert_eq!(mounts.len(), 3);
        assert!(mounts[0].shared && !mounts[1].shared);
        assert_eq!(mounts[1].path, PathBuf::from("/with space"));
        let roots: Vec<_> = mounts.iter().map(|mount| mount.root.as_path()).collect();
        assert_eq!(roots, ["/", "/a", "/"].map(std::path::Path::new));
        assert_eq!(mounts[1].options, "ro,nosuid");
        assert!(mounts[1].has("ro") && mounts[1].has("nosuid") && !mounts[1].has("nodev"));
        assert_eq!(mounts[2].file_system, "proc");
    }

    #[test]
    fn a_malformed_mount_line_is_an_error() {
        for line in [
            "",
            "1 2 3",
            "22 21 0:20 / /a\\04 rw - proc proc rw",
            "no dash",
        ] {
            assert!(parse_mountinfo(&format!("{line}\n")).is_err(), "{line:?}");
        }
    }
}
