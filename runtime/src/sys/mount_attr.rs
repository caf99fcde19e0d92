//! mount_setattr(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `struct mount_attr` of mount_setattr(2).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` flags to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` flags to clear.
    pub clear: u64,
    /// `MS_PRIVATE` and the like, or 0 to leave the propagation alone.
    pub propagation: u64,
    /// The user namespace of an idmapped mount (with `MOUNT_ATTR_IDMAP` in `set`), or 0.
    pub user_namespace: u64,
}

/// Changes the mount that `mount` refers to, and with `recursive` all mounts below it.
///
/// # Errors
/// Those of mount_setattr(2); nothing is changed then.
pub fn mount_setattr(mount: impl AsFd, attr: MountAttr, recursive: bool) -> io::Result<()> {
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    let attr = libc::mount_attr {
        attr_set: attr.set,
        attr_clr: attr.clear,
        propagation: attr.propagation,
        userns_fd: attr.user_namespace,
    };
    // SAFETY: the path is a NUL-terminated empty string and `attr` is a live `struct mount_attr` whose
    // size is given; the kernel reads both and keeps neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
