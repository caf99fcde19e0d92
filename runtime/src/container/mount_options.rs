//! A bind or tmpfs mount's options, read strictly.

use std::path::Path;

use libcontainer::oci_spec::runtime::Mount;

use super::{Error, Result};
use crate::sys::MountAttr;

/// What a mount's options ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MountOptions {
    /// `rbind`.
    pub recursive: bool,
    /// `idmap` or `ridmap`: the mount must have mappings.
    pub id_mapped: bool,
    /// For the mount itself.
    pub own: MountAttr,
    /// For it and all below it.
    pub recursive_own: MountAttr,
    /// Options for the file system, `key=value` or a bare flag.
    pub data: Vec<String>,
}

/// Flags to set and to clear: the three times of access are values of one field, not bits.
fn attribute(name: &str) -> Option<(u64, u64)> {
    let access_time = libc::MOUNT_ATTR__ATIME;
    match name {
        "ro" => Some((libc::MOUNT_ATTR_RDONLY, 0)),
        "nosuid" => Some((libc::MOUNT_ATTR_NOSUID, 0)),
        "nodev" => Some((libc::MOUNT_ATTR_NODEV, 0)),
        "noexec" => Some((libc::MOUNT_ATTR_NOEXEC, 0)),
        "nosymfollow" => Some((libc::MOUNT_ATTR_NOSYMFOLLOW, 0)),
        "nodiratime" => Some((libc::MOUNT_ATTR_NODIRATIME, 0)),
        "relatime" => Some((libc::MOUNT_ATTR_RELATIME, access_time)),
        "noatime" => Some((libc::MOUNT_ATTR_NOATIME, access_time)),
        "strictatime" => Some((libc::MOUNT_ATTR_STRICTATIME, access_time)),
        _ => None,
    }
}

fn add(attr: &mut MountAttr, (set, clear): (u64, u64)) {
    attr.set = attr.set & !clear | set;
    attr.clear |= clear;
}

/// Reads the options of `mount`, a bind mount or a tmpfs.
///
/// # Errors
/// [`Error::Unsupported`] for an option that isn't known here: ignoring one could widen the mount.
pub(super) fn parse(mount: &Mount) -> Result<MountOptions> {
    let mut parsed = MountOptions::default();
    for option in mount.options().iter().flatten() {
        match option.as_str() {
            "bind" | "rw" | "defaults" | "private" | "rprivate" | "slave" | "rslave" | "suid"
            | "dev" | "exec" => {}
            "idmap" | "ridmap" => parsed.id_mapped = true,
            "rbind" => parsed.recursive = true,
            name => {
                if let Some(flag) = attribute(name) {
                    add(&mut parsed.own, flag);
                } else if let Some(flag) = name.strip_prefix('r').and_then(attribute) {
                    add(&mut parsed.recursive_own, flag);
                } else if mount.typ().as_deref() == Some("tmpfs") && is_tmpfs_data(name) {
                    parsed.data.push(name.to_owned());
                } else {
                    return Err(unknown(mount.destination(), name));
                }
            }
        }
    }
    Ok(parsed)
}

fn is_tmpfs_data(option: &str) -> bool {
    let key = option.split('=').next().unwrap_or_default();
    ["size", "mode", "nr_inodes", "nr_blocks", "uid", "gid"].contains(&key)
}

fn unknown(destination: &Path, option: &str) -> Error {
    Error::unsupported(
        format!("mounts: option \"{option}\" of {}", destination.display()),
        "not an option of a bind or tmpfs mount that this version knows",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(typ: &str, options: &[&str]) -> Mount {
        let mut mount = Mount::default();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        mount
            .set_destination("/data".into())
            .set_typ(Some(typ.to_owned()))
            .set_options(Some(options));
        mount
    }

    #[test]
    fn options_become_attributes() {
        let parsed = parse(&mount(
            "bind",
            &["rbind", "ro", "nosuid", "rnosuid", "rnodev"],
        ))
        .unwrap();
        assert!(parsed.recursive);
        assert_eq!(
            parsed.own.set,
            libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID
        );
        assert_eq!(
            parsed.recursive_own.set,
            libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV
        );
        let parsed = parse(&mount("tmpfs", &["size=1m", "mode=1777", "nosuid"])).unwrap();
        assert_eq!(parsed.data, ["size=1m", "mode=1777"]);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        for option in ["size=1m", "shared", "bnid", "context=x"] {
            let error = parse(&mount("bind", &[option])).unwrap_err().to_string();
            assert!(error.contains(option) && error.contains("/data"), "{error}");
        }
    }
}
