//! Loading a compiled filter: seccomp(2).

use std::io;

use seccompiler::sock_filter;

/// Loads `program` for the calling thread, which must have no_new_privs or CAP_SYS_ADMIN.
///
/// seccompiler's own loader always sets no_new_privs; a bundle may ask for a filter without it.
///
/// # Errors
/// Those of seccomp(2), and `InvalidInput` for a program that is too long for it.
pub(crate) fn load_filter(program: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "filter too long"))?;
    let fprog = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `fprog` points to `length` live instructions of the kernel's own layout (seccompiler's
    // `sock_filter` is repr(C) and the same struct); the kernel copies them and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const fprog,
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
