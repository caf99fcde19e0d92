//! Loading a compiled filter: seccomp(2).

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use bundles::seccomp::Filter;

/// Loads `filter` for the calling thread, which must have no_new_privs or CAP_SYS_ADMIN. Gives the listener
/// where the filter has one; execve(2) closes it.
///
/// # Errors
/// Those of seccomp(2), and `InvalidInput` for a program that is too long for it.
pub(crate) fn load_filter(filter: &Filter) -> io::Result<Option<OwnedFd>> {
    let program = filter.program();
    let length = u16::try_from(program.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "filter too long"))?;
    let fprog = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `fprog` points to `length` live instructions of the kernel's own layout (`Instruction` is
    // repr(C) with the fields of `struct sock_filter`); the kernel copies them and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::c_ulong::from(filter.flags().bits),
            &raw const fprog,
        )
    };
    match i32::try_from(result) {
        Ok(0) => Ok(None),
        Ok(number) if number > 0 && filter.flags().has_listener => {
            // SAFETY: a descriptor that the kernel has just made for us.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
        }
        _ => Err(io::Error::last_os_error()),
    }
}
