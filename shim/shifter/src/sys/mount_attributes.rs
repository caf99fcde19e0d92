//! mount_setattr(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Sets `MOUNT_ATTR_*` flags of the mount that `mount` refers to.
///
/// # Errors
/// Those of mount_setattr(2); nothing is changed then.
pub(crate) fn set_mount_attributes(mount: impl AsFd, flags: u64) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: flags,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    // SAFETY: the path is a NUL-terminated empty string and `attributes` is a live `struct mount_attr` whose size is
    // given; the kernel reads both and keeps neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
