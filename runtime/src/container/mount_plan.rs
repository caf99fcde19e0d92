//! A spec's mounts as they are to be made: what libcontainer does of each, and what is left for us.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use bundles::promise::is_bind;
use libcontainer::oci_spec::runtime::{Mount, Spec};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use super::mount_options::{self, Depth, MountOptions};
use super::{Error, Result};
use crate::below::open_below;

/// One mount of the spec.
#[derive(Debug, Clone)]
pub(super) struct PlannedMount {
    /// As libcontainer must see it: at a path without links, with options that it reads right only.
    pub mount: Mount,
    /// All that its options ask for.
    pub options: MountOptions,
}

/// Plans the mounts of `spec` at `targets`, their paths without links in `rootfs`.
///
/// # Errors
/// [`Error::Unsupported`] for an option of a sealed bundle's bind mount that isn't known: to ignore it, as
/// peers do, could widen the mount.
pub(super) fn plan(
    spec: &Spec,
    targets: &[PathBuf],
    rootfs: &Path,
    sealed: bool,
) -> Result<Vec<PlannedMount>> {
    let root = open(rootfs, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::io("open the root file system", rootfs)(errno.into()))?;
    let mounts = spec.mounts().iter().flatten();
    std::iter::zip(mounts, targets)
        .map(|(mount, target)| plan_one(mount, target, &root, sealed))
        .collect()
}

fn plan_one(mount: &Mount, target: &Path, root: &OwnedFd, sealed: bool) -> Result<PlannedMount> {
    let mut options = mount_options::parse(mount);
    if is_bind(mount) {
        if let Some(unknown) = options.data.first().filter(|_| sealed) {
            return Err(Error::unsupported(
                format!("mounts: option \"{unknown}\" of {}", target.display()),
                "not an option of a bind mount that this version knows",
            ));
        }
        options.data.clear();
    }
    if mount.typ().as_deref() == Some("tmpfs") {
        keep_mode(&mut options, target, root);
    }
    let mut planned = mount.clone();
    if planned.source().is_none() {
        // libcontainer wants one, which the OCI spec doesn't.
        planned.set_source(Some(mount.typ().clone().unwrap_or_default().into()));
    }
    planned
        .set_destination(target.to_path_buf())
        .set_options(Some(canonical(&options, is_bind(mount))));
    Ok(PlannedMount {
        mount: planned,
        options,
    })
}

/// A tmpfs without a mode of its own gets that of the directory that it covers, as with runc and crun:
/// `/tmp` stays everybody's.
fn keep_mode(options: &mut MountOptions, target: &Path, root: &OwnedFd) {
    if options
        .data
        .iter()
        .any(|option| option.starts_with("mode="))
    {
        return;
    }
    let covered = open_below(root.as_fd(), target, OFlags::DIRECTORY).and_then(fstat);
    if let Ok(status) = covered {
        debug_assert_eq!(FileType::from_raw_mode(status.st_mode), FileType::Directory);
        let mode = status.st_mode & 0o7777;
        options.data.push(format!("mode={mode:o}"));
    }
}

/// Words for what libcontainer does right; it drops some options in silence and fails on others.
fn canonical(options: &MountOptions, bind: bool) -> Vec<String> {
    let mut words: Vec<String> = vec![];
    if bind {
        words.push(if options.recursive { "rbind" } else { "bind" }.to_owned());
    }
    match options.id_mapped {
        Some(Depth::One) => words.push("idmap".to_owned()),
        Some(Depth::Recursive) => words.push("ridmap".to_owned()),
        None => {}
    }
    // Read-only while it is to be filled would be too early.
    let early = if options.copy_up {
        options.own.set & !libc::MOUNT_ATTR_RDONLY
    } else {
        options.own.set
    };
    let own = mount_options::words(early, options.own.clear & libc::MOUNT_ATTR__ATIME);
    let recursive = &options.recursive_own;
    let recursive = mount_options::words(recursive.set, recursive.clear);
    words.extend(own.filter(|word| *word != "nosymfollow").map(str::to_owned));
    words.extend(recursive.map(|word| format!("r{word}")));
    words.extend(options.data.iter().flat_map(|option| in_pieces(option)));
    if !bind {
        // libcontainer knows some of these and then drops them (C4). With a value it doesn't know them and
        // hands them on, and the kernel, which knows them by their names, doesn't mind the value.
        let flags = options.file_system.iter();
        words.extend(flags.map(|flag| format!("{flag}=1")));
    }
    words
}

/// fsconfig(2) takes values of at most 255 bytes: a longer list of an overlay's lower layers goes one by one
/// (from Linux 6.5 on).
fn in_pieces(option: &str) -> Vec<String> {
    match option.strip_prefix("lowerdir=") {
        Some(layers) if layers.len() > 255 => layers
            .split(':')
            .map(|layer| format!("lowerdir+={layer}"))
            .collect(),
        _ => vec![option.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(typ: &str, options: &[&str], sealed: bool) -> Result<Vec<String>> {
        let mut mount = Mount::default();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        mount
            .set_destination("/data".into())
            .set_typ(Some(typ.to_owned()))
            .set_source(Some("/source".into()))
            .set_options(Some(options));
        let mut spec = Spec::default();
        spec.set_mounts(Some(vec![mount]));
        let root = tempfile::tempdir().unwrap();
        let plan = plan(&spec, &["/data".into()], root.path(), sealed)?;
        Ok(plan[0].mount.options().clone().unwrap_or_default())
    }

    #[test]
    fn libcontainer_sees_what_it_reads_right_only() {
        for (typ, given, left) in [
            ("bind", vec!["rbind", "rshared", "ro"], vec!["rbind", "ro"]),
            ("bind", vec!["ro", "rw", "nosymfollow"], vec!["bind"]),
            (
                "bind",
                vec!["bind", "rro", "rsuid"],
                vec!["bind", "rro", "rsuid"],
            ),
            ("bind", vec!["atime", "noatime"], vec!["bind", "noatime"]),
            ("bind", vec!["size=1m"], vec!["bind"]),
            (
                "tmpfs",
                vec!["tmpcopyup", "ro", "sync", "nosuid", "size=1m"],
                vec!["nosuid", "size=1m", "sync=1"],
            ),
        ] {
            assert_eq!(planned(typ, &given, false).unwrap(), left, "{given:?}");
        }
    }

    #[test]
    fn a_sealed_bundles_unknown_option_is_refused_by_name() {
        for option in ["size=1m", "bnid", "context=x"] {
            let error = planned("bind", &[option], true).unwrap_err().to_string();
            assert!(error.contains(option) && error.contains("/data"), "{error}");
        }
    }
}
