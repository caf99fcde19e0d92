//! The root file system, looked at before libcontainer touches it.
//!
//! libcontainer makes directories and devices by path before it changes the root. An image whose `/dev`
//! is a symbolic link would have them made on the host (CVE-2026-41579, CVE-2026-47766), so such an image
//! is refused here. So is a spec that names what isn't there, which libcontainer tells without its name.

mod devices;
mod named;
mod resolve;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use bundles::promise::is_bind;
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::below::open_below;
use crate::container::Error;

pub use devices::make_room;
pub use named::{make_working_directory, must_be_there, working_directory};
use resolve::resolve;

/// Directories that libcontainer fills, whatever the spec's mounts say.
const SKELETON: [&str; 1] = ["/dev"];

/// Whether links in a root file system may lead a mount elsewhere in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// They are followed as the container would, below its root.
    Followed,
    /// They are refused.
    Refused,
}

/// Looks at the root file system and gives the path in it, free of links, at which each of the spec's
/// mounts belongs. Absent ones are fine: they are made.
///
/// Refused is a root file system whose skeleton leads through a link, a mount on or below something that
/// isn't a directory, and one that would cover the root or procfs.
///
/// # Errors
/// [`Error::Preflight`] naming the path inside the root file system.
pub fn mount_targets(rootfs: &Path, spec: &Spec, links: Links) -> Result<Vec<PathBuf>, Error> {
    let root = open(
        rootfs,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| Error::io("open the root file system", rootfs)(errno.into()))?;
    for path in SKELETON {
        must_be_plain(root.as_fd(), Path::new(path), OFlags::DIRECTORY)?;
    }
    let target = |mount: &Mount| {
        // What the runtime itself relies on must be where it is named (CVE-2019-19921, CVE-2023-27561).
        let is_kernels = matches!(mount.typ().as_deref(), Some("proc" | "sysfs"));
        let kind = if is_kernels {
            OFlags::DIRECTORY
        } else {
            OFlags::empty()
        };
        let named = normal(mount.destination());
        // Nearly all are, and one look tells.
        let is_plain = named
            .as_ref()
            .is_ok_and(|named| look(root.as_fd(), named, kind).is_ok());
        let may_lead_elsewhere = links == Links::Followed && !is_kernels;
        let destination = if may_lead_elsewhere && !is_plain {
            follow(root.as_fd(), mount.destination())?
        } else {
            named?
        };
        if destination == Path::new("/") {
            return Err(refusal(
                mount.destination(),
                "a mount can't cover the container's root",
            ));
        }
        must_not_cover_proc(mount, &destination, links)?;
        if !is_plain {
            must_be_plain(root.as_fd(), &destination, kind)?;
        }
        Ok(destination)
    };
    spec.mounts().iter().flatten().map(target).collect()
}

fn refusal(path: &Path, reason: &str) -> Error {
    Error::Preflight {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}

fn follow(root: BorrowedFd<'_>, destination: &Path) -> Result<PathBuf, Error> {
    resolve(root, destination).map_err(|errno| match errno {
        Errno::LOOP => refusal(destination, "leads through too many symbolic links"),
        Errno::NOTDIR => refusal(destination, "leads through a file in the root file system"),
        errno => Error::io("follow mount target", destination)(errno.into()),
    })
}

/// A mount destination without `.` and `..`; the latter could mean two things in a tree with links.
fn normal(destination: &Path) -> Result<PathBuf, Error> {
    let mut plain = PathBuf::from("/");
    for component in destination.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            Component::ParentDir | Component::Prefix(_) => {
                return Err(refusal(
                    destination,
                    "a mount destination must not hold '..'",
                ));
            }
        }
    }
    Ok(plain)
}

/// Files of procfs that may be replaced by ones that tell the container's own figures (lxcfs); runc's list.
const REPLACEABLE: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// Anything but procfs there could swallow what the runtime writes to `/proc` (CVE-2019-19921); libcontainer
/// looks at procfs and sysfs mounts only.
fn must_not_cover_proc(mount: &Mount, destination: &Path, links: Links) -> Result<(), Error> {
    let is_proc = destination == Path::new("/proc")
        && (mount.typ().as_deref() == Some("proc")
            || links == Links::Followed && is_bind(mount) && shows_procfs(mount));
    let is_replaceable = REPLACEABLE
        .iter()
        .any(|path| destination == Path::new(path));
    if is_proc || is_replaceable || !destination.starts_with("/proc") {
        return Ok(());
    }
    Err(refusal(
        destination,
        "only a proc file system can be mounted on /proc, and nothing below it",
    ))
}

/// Whether a bind mount's source is a proc file system: engines show the host's to a container that shares
/// its pid namespace.
fn shows_procfs(mount: &Mount) -> bool {
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    rustix::fs::statfs(source).is_ok_and(|found| found.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

/// Opens as much of `path` as is there: what is absent is behind no link, for the kernel has met none on the way to it.
fn look(root: BorrowedFd<'_>, path: &Path, kind: OFlags) -> Result<(), Errno> {
    match open_below(root, path, kind) {
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Every existing component of `path` must be a real directory, the last one may be a file.
fn must_be_plain(root: BorrowedFd<'_>, path: &Path, kind: OFlags) -> Result<(), Error> {
    let refuse = |reason: &str| refusal(path, reason);
    match look(root, path, kind) {
        Ok(()) => Ok(()),
        Err(Errno::LOOP) => Err(refuse(
            "leads through a symbolic link in the root file system; it must be mounted on ordinary directory",
        )),
        Err(Errno::NOTDIR) => Err(refuse(
            "is not a directory in the root file system, or leads through a file there",
        )),
        Err(Errno::XDEV) => Err(refuse("leads out of the root file system")),
        Err(errno) => Err(Error::io("open mount target", path)(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn spec_with_mount(destination: &str) -> Spec {
        let mut mount = Mount::default();
        mount.set_destination(destination.into());
        let mut spec = Spec::default();
        spec.set_mounts(Some(vec![mount]));
        spec
    }

    #[test]
    fn links_on_the_way_to_a_mount_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        std::fs::create_dir_all(path.join("real/inner")).unwrap();
        std::fs::write(path.join("file"), "").unwrap();
        for (link, target) in [
            ("absolute", "/etc"),
            ("relative", "real"),
            ("up", "../../.."),
            ("dangling", "nowhere"),
            ("loop", "loop"),
        ] {
            symlink(target, path.join(link)).unwrap();
        }
        let verdict =
            |destination: &str| mount_targets(path, &spec_with_mount(destination), Links::Refused);
        for fine in [
            "/real/inner",
            "/real/new/deeper",
            "/file",
            "/./real",
            "/new",
        ] {
            assert!(verdict(fine).is_ok(), "{fine}");
        }
        for bad in [
            "/absolute",
            "/absolute/x",
            "/relative",
            "/relative/inner",
            "/up/x",
            "/dangling",
            "/loop",
            "/file/x",
            "/",
            "/.",
            "/real/../x",
        ] {
            assert!(verdict(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_procfs_goes_over_proc() {
        let root = tempfile::tempdir().unwrap();
        for (destination, typ, fine) in [
            ("/proc", "proc", true),
            ("/proc/meminfo", "bind", true),
            ("/proc", "bind", false),
            ("/proc", "tmpfs", false),
            ("/proc/self", "bind", false),
            ("/proc/sys/kernel", "bind", false),
            ("/proc/self/attr", "proc", false),
        ] {
            let mut spec = spec_with_mount(destination);
            if let Some(mounts) = spec.mounts_mut() {
                mounts[0].set_typ(Some(typ.to_owned()));
            }
            let verdict = mount_targets(root.path(), &spec, Links::Followed);
            assert_eq!(verdict.is_ok(), fine, "{typ} on {destination}");
        }
    }

    #[test]
    fn a_linked_dev_is_refused_without_any_mount() {
        let root = tempfile::tempdir().unwrap();
        symlink("/etc", root.path().join("dev")).unwrap();
        let mut spec = Spec::default();
        spec.set_mounts(None);
        let error = mount_targets(root.path(), &spec, Links::Followed).unwrap_err();
        assert!(error.to_string().starts_with("/dev: "), "{error}");
    }
}
