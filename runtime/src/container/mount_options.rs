//! A bind or tmpfs mount's options, read strictly.

use std::path::Path;

use libcontainer::oci_spec::runtime::Mount;

use super::{Error, Result};

/// What a mount's options ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MountOptions {
    /// `rbind`.
    pub recursive: bool,
    /// `MOUNT_ATTR_*` for the mount itself.
    pub attributes: u64,
    /// `MOUNT_ATTR_*` for it and all below it.
    pub recursive_attributes: u64,
    /// Options for the file system, `key=value` or a bare flag.
    pub data: Vec<String>,
}

const READ_ONLY: u64 = 0x1;
const NO_SUID: u64 = 0x2;
const NO_DEV: u64 = 0x4;
const NO_EXEC: u64 = 0x8;
const NO_SYMFOLLOW: u64 = 0x0020_0000;

fn attribute(name: &str) -> Option<u64> {
    match name {
        "ro" => Some(READ_ONLY),
        "nosuid" => Some(NO_SUID),
        "nodev" => Some(NO_DEV),
        "noexec" => Some(NO_EXEC),
        "nosymfollow" => Some(NO_SYMFOLLOW),
        _ => None,
    }
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
            | "dev" | "exec" | "relatime" | "idmap" => {}
            "rbind" => parsed.recursive = true,
            name => {
                if let Some(flag) = attribute(name) {
                    parsed.attributes |= flag;
                } else if let Some(flag) = name.strip_prefix('r').and_then(attribute) {
                    parsed.recursive_attributes |= flag;
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
        assert_eq!(parsed.attributes, READ_ONLY | NO_SUID);
        assert_eq!(parsed.recursive_attributes, NO_SUID | NO_DEV);
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
