//! A bind mount on `/dev` itself, as `podman run -v /dev:/dev` asks for.
//!
//! Devices and links are made in every `/dev`, and would be made in what is mounted there, the host's.
//! So whoever makes the root gets a scratch `/dev`, and in it what was to be mounted on it; the two are exchanged in the created
//! process's mount namespace. The bundle's mounts below `/dev` come along, the devices don't: as with runc and crun,
//! they are those of what is mounted.

use std::path::{Path, PathBuf};

use bundles::promise::{is_bind, parse_mountinfo};
use libcontainer::oci_spec::runtime::{Mount, Process, Spec};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{OpenTreeFlags, open_tree};

use super::mount_namespace::inside;
use super::prepare::{attach, open_target};
use super::{Error, Result};
use crate::kernel_file;

const DEV: &str = "/dev";

/// Where it waits, in the scratch `/dev`.
const ASIDE: &str = "/dev/.bound";

/// Whether `spec` has what is mounted on `/dev` from elsewhere.
pub(super) fn is_asked_for(spec: &Spec) -> bool {
    place_in(spec.mounts().as_deref().unwrap_or_default()).is_some()
}

fn place_in(mounts: &[Mount]) -> Option<usize> {
    let last = mounts
        .iter()
        .rposition(|mount| mount.destination() == Path::new(DEV))?;
    is_bind(&mounts[last]).then_some(last)
}

/// Sets it aside in the spec by which the root is made.
///
/// # Errors
/// [`Error::Unsupported`] where paths below it are to be masked or read-only, or a terminal to be made: that would be
/// done in the scratch one.
pub(super) fn set_aside(spec: &mut Spec) -> Result<()> {
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    let Some(place) = place_in(&mounts) else {
        return Ok(());
    };
    refuse_protected(spec)?;
    let is_pts = |mount: &Mount| mount.destination() == Path::new("/dev/pts");
    let process = spec.process().as_ref();
    if process.and_then(Process::terminal) == Some(true) && !mounts[place..].iter().any(is_pts) {
        return Err(Error::unsupported(
            "process.terminal with a bind mount on /dev",
            "the container's own devpts must be mounted on /dev/pts after it",
        ));
    }
    let mut scratch = Mount::default();
    scratch
        .set_destination(DEV.into())
        .set_typ(Some("tmpfs".to_owned()))
        .set_source(Some("tmpfs".into()))
        .set_options(Some(vec!["nosuid".to_owned(), "mode=755".to_owned()]));
    mounts[place].set_destination(ASIDE.into());
    mounts.insert(place, scratch);
    spec.set_mounts(Some(mounts));
    Ok(())
}

fn refuse_protected(spec: &Spec) -> Result<()> {
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    let lists = [
        ("maskedPaths", linux.masked_paths()),
        ("readonlyPaths", linux.readonly_paths()),
    ];
    for (key, paths) in lists {
        let mut paths = paths.iter().flatten();
        if let Some(path) = paths.find(|path| Path::new(path).starts_with(DEV)) {
            return Err(Error::unsupported(
                format!("linux.{key} with {path}"),
                "another mount of the bundle's is on /dev",
            ));
        }
    }
    Ok(())
}

/// Exchanges the two in the mount namespace of the created process `pid`.
///
/// # Errors
/// The step that failed.
pub(super) fn exchange(pid: i32, spec: &Spec) -> Result<()> {
    let path = format!("/proc/{pid}/mountinfo");
    let text = kernel_file::read(&path).map_err(Error::io("read", &path))?;
    let mounted = parse_mountinfo(&text).map_err(|error| Error::Io {
        operation: "read",
        path: path.into(),
        source: std::io::Error::other(error),
    })?;
    let listed = spec.mounts().as_deref().unwrap_or_default();
    // Those before it are covered by it.
    let later = place_in(listed).map_or(&[][..], |place| &listed[place + 1..]);
    let mut kept: Vec<PathBuf> = vec![];
    for path in mounted.into_iter().map(|mount| mount.path) {
        let is_listed = later.iter().any(|mount| mount.destination() == &path);
        // libcontainer's way to show the command's terminal.
        let is_console = path == Path::new("/dev/console");
        let is_below = path != Path::new(DEV) && path.starts_with(DEV);
        let comes_along = kept.iter().any(|kept| path.starts_with(kept));
        if is_below && (is_listed || is_console) && !comes_along {
            kept.push(path);
        }
    }
    inside(pid, || exchange_here(&kept))
}

fn exchange_here(kept: &[PathBuf]) -> Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let clone = |path: &Path| {
        open_tree(CWD, path, flags).map_err(|errno| Error::io("clone", path)(errno.into()))
    };
    let bound = clone(Path::new(ASIDE))?;
    let kept = kept
        .iter()
        .map(|path| Ok((path, clone(path)?)))
        .collect::<Result<Vec<_>>>()?;
    match umount2(DEV, MntFlags::MNT_DETACH) {
        // What root made beforehand for a user namespace is locked there, and is covered.
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(errno) => {
            return Err(Error::io("take the scratch file system from", DEV)(
                errno.into(),
            ));
        }
    }
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(Error::step("open the container's root"))?;
    for (path, tree) in std::iter::once((&PathBuf::from(DEV), bound)).chain(kept) {
        let target = open_target(&root, path, &tree)?;
        attach(&tree, &target, Path::new(""))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(mounts: serde_json::Value) -> Spec {
        serde_json::from_value(json!({
            "ociVersion": "1.0.2", "mounts": mounts,
            "linux": { "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"] },
        }))
        .unwrap()
    }

    #[test]
    fn it_waits_in_a_scratch_one() {
        let bind = json!({ "destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind", "ro"] });
        let pts = json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts" });
        let mut given = spec(json!([bind, pts]));
        assert!(is_asked_for(&given));
        set_aside(&mut given).unwrap();
        let mounts = given.mounts().clone().unwrap();
        let places: Vec<_> = mounts.iter().map(|mount| mount.destination()).collect();
        assert_eq!(
            places,
            [Path::new(DEV), Path::new(ASIDE), Path::new("/dev/pts")]
        );
        assert_eq!(mounts[1].options().as_ref().unwrap(), &["rbind", "ro"]);
    }

    #[test]
    fn what_is_the_containers_own_stays() {
        let tmpfs = json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs" });
        let bind = json!({ "destination": "/dev", "type": "bind", "source": "/dev" });
        for mounts in [json!([]), json!([tmpfs]), json!([bind, tmpfs])] {
            let mut given = spec(mounts);
            let before = given.clone();
            assert!(!is_asked_for(&given));
            set_aside(&mut given).unwrap();
            assert_eq!(given, before);
        }
    }

    #[test]
    fn what_is_below_can_not_be_masked() {
        let bind = json!({ "destination": "/dev", "type": "bind", "source": "/dev" });
        let mut given = spec(json!([bind]));
        let linux = given.linux_mut().as_mut().unwrap();
        linux.set_masked_paths(Some(vec!["/dev/mem".to_owned()]));
        assert!(set_aside(&mut given).is_err());
    }
}
