//! The root file system that containerd names in mounts, at `rootfs` in the bundle.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::Path;

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount as mount_at, mount_change,
    mount_remount, unmount as unmount_one,
};

use super::request::Mount;

/// Where it is, in a bundle.
const ROOTFS: &str = "rootfs";

/// The most that the kernel reads of a file system's options, bytes, less what the system call's own may take.
const LONGEST_DATA: usize = 4096 - 512;

/// Options that are flags: the name, the flag, and whether it is set. fstab(5), mount(8).
const FLAGS: [(&str, MountFlags, bool); 20] = [
    ("async", MountFlags::SYNCHRONOUS, false),
    ("atime", MountFlags::NOATIME, false),
    ("bind", MountFlags::BIND, true),
    ("defaults", MountFlags::empty(), true),
    ("dev", MountFlags::NODEV, false),
    ("diratime", MountFlags::NODIRATIME, false),
    ("dirsync", MountFlags::DIRSYNC, true),
    ("exec", MountFlags::NOEXEC, false),
    ("noatime", MountFlags::NOATIME, true),
    ("nodev", MountFlags::NODEV, true),
    ("nodiratime", MountFlags::NODIRATIME, true),
    ("noexec", MountFlags::NOEXEC, true),
    ("norelatime", MountFlags::RELATIME, false),
    ("nosuid", MountFlags::NOSUID, true),
    ("relatime", MountFlags::RELATIME, true),
    ("ro", MountFlags::RDONLY, true),
    ("rw", MountFlags::RDONLY, false),
    ("strictatime", MountFlags::STRICTATIME, true),
    ("suid", MountFlags::NOSUID, false),
    ("sync", MountFlags::SYNCHRONOUS, true),
];

/// Mounts all of `mounts` there, one over the other. None is fine: then the directory is filled already.
///
/// # Errors
/// The mount that fails; none of them is left then.
pub fn mount(bundle: &Path, mounts: &[Mount]) -> io::Result<()> {
    if mounts.is_empty() {
        return Ok(());
    }
    let target = bundle.join(ROOTFS);
    match fs::create_dir(&target) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for each in mounts {
        if let Err(error) = mount_over(&target, each) {
            let text = format!(
                "mount {} \"{}\" as the root file system: {error}",
                each.kind, each.source
            );
            let _ = unmount(bundle);
            return Err(io::Error::new(error.kind(), text));
        }
    }
    Ok(())
}

/// Takes away all mounts there; none is fine.
///
/// # Errors
/// Those of umount2(2), but for that nothing is there.
pub fn unmount(bundle: &Path) -> io::Result<()> {
    let target = bundle.join(ROOTFS);
    loop {
        match unmount_one(&target, UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // Not a mount (any more), or no directory.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => return Ok(()),
            // Something in another namespace, or a mount below it.
            Err(rustix::io::Errno::BUSY) => {
                unmount_one(&target, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Options, told apart.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    flags: MountFlags,
    is_recursive: bool,
    propagation: MountPropagationFlags,
    data: Vec<String>,
}

impl Options {
    fn parse(options: &[String]) -> io::Result<Self> {
        let mut parsed = Self {
            flags: MountFlags::empty(),
            is_recursive: false,
            propagation: MountPropagationFlags::empty(),
            data: vec![],
        };
        for option in options {
            if let Some((_, flag, is_set)) = FLAGS.iter().find(|(name, ..)| name == option) {
                parsed.flags.set(*flag, *is_set);
            } else if let Some(propagation) = propagation(option) {
                parsed.propagation |= propagation;
            } else if option == "rbind" {
                parsed.flags |= MountFlags::BIND;
                parsed.is_recursive = true;
            } else if option == "loop" {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "option loop: not supported; hint: a snapshotter that mounts directories",
                ));
            } else {
                parsed.data.push(option.clone());
            }
        }
        Ok(parsed)
    }
}

fn propagation(option: &str) -> Option<MountPropagationFlags> {
    let (stem, recursive) = match option.strip_prefix('r') {
        Some(stem) => (stem, MountPropagationFlags::REC),
        None => (option, MountPropagationFlags::empty()),
    };
    let kind = match stem {
        "private" => MountPropagationFlags::PRIVATE,
        "shared" => MountPropagationFlags::SHARED,
        "slave" => MountPropagationFlags::DOWNSTREAM,
        "unbindable" => MountPropagationFlags::UNBINDABLE,
        _ => return None,
    };
    Some(kind | recursive)
}

fn mount_over(target: &Path, mount: &Mount) -> io::Result<()> {
    let mut options = Options::parse(&mount.options)?;
    let is_bind = mount.kind == "bind" || options.flags.contains(MountFlags::BIND);
    if is_bind {
        return bind(target, mount, &options);
    }
    if mount.kind == "overlay" {
        shorten(&mut options.data)?;
    }
    let data = CString::new(options.data.join(","))?;
    mount_at(
        mount.source.as_str(),
        target,
        mount.kind.as_str(),
        options.flags,
        Some(data.as_c_str()),
    )?;
    change(target, options.propagation)
}

/// The kernel ignores flags in the call that binds.
fn bind(target: &Path, mount: &Mount, options: &Options) -> io::Result<()> {
    if options.is_recursive {
        rustix::mount::mount_bind_recursive(mount.source.as_str(), target)?;
    } else {
        rustix::mount::mount_bind(mount.source.as_str(), target)?;
    }
    let flags = options.flags.difference(MountFlags::BIND);
    if !flags.is_empty() {
        mount_remount(target, MountFlags::BIND | flags, c"")?;
    }
    change(target, options.propagation)
}

fn change(target: &Path, propagation: MountPropagationFlags) -> io::Result<()> {
    if propagation.is_empty() {
        return Ok(());
    }
    Ok(mount_change(target, propagation)?)
}

/// An image of many layers has more lower directories than the kernel takes: then they are named from where they all
/// are, which becomes this process's working directory.
fn shorten(data: &mut [String]) -> io::Result<()> {
    let length: usize = data.iter().map(|option| option.len() + 1).sum();
    if length <= LONGEST_DATA {
        return Ok(());
    }
    let Some(lower) = data
        .iter_mut()
        .find(|option| option.starts_with("lowerdir="))
    else {
        return Ok(());
    };
    let directories: Vec<&str> = lower.trim_start_matches("lowerdir=").split(':').collect();
    let Some(common) = common_directory(&directories) else {
        return Ok(());
    };
    std::env::set_current_dir(common)?;
    let begin = format!("{common}/");
    let short: Vec<&str> = directories
        .iter()
        .map(|directory| directory.strip_prefix(&begin).unwrap_or(directory))
        .collect();
    *lower = format!("lowerdir={}", short.join(":"));
    Ok(())
}

/// The deepest directory that all are below.
fn common_directory<'a>(directories: &[&'a str]) -> Option<&'a str> {
    let (first, others) = directories.split_first()?;
    let mut common = first.rsplit_once('/')?.0;
    while !others.iter().all(|other| {
        other
            .strip_prefix(common)
            .is_some_and(|rest| rest.starts_with('/'))
    }) {
        common = common.rsplit_once('/')?.0;
    }
    Some(common).filter(|common| !common.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_told_apart() {
        let parsed = Options::parse(&strings(
            "ro nosuid rbind suid rprivate lowerdir=/a:/b volatile",
        ))
        .unwrap();
        assert_eq!(parsed.flags, MountFlags::RDONLY | MountFlags::BIND);
        assert!(parsed.is_recursive);
        assert_eq!(
            parsed.propagation,
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC
        );
        assert_eq!(parsed.data, ["lowerdir=/a:/b", "volatile"]);
        Options::parse(&strings("loop")).unwrap_err();
    }

    #[test]
    fn many_layers_are_named_from_where_they_are() {
        for (text, expected) in [
            ("/var/s/1/fs /var/s/2/fs /var/s/11/fs", Some("/var/s")),
            ("/var/s/1 /var/s1/2", Some("/var")),
            ("/a/b", Some("/a")),
            ("/a /b", None),
        ] {
            let all: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(common_directory(&all), expected, "{text}");
        }
    }
}
