//! The system calls that only unsafe code makes.

use std::ffi::CString;
use std::io;

/// What clone3(2) reads; the rest of it stays 0.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// Makes a child in new namespaces, as fork(2) does: 0 in the child.
pub fn clone3(namespaces: libc::c_int) -> io::Result<libc::pid_t> {
    let arguments = CloneArguments {
        flags: u64::from(namespaces.cast_unsigned()),
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        ..CloneArguments::default()
    };
    // SAFETY: the arguments are live and of the size told; this program has one thread, so that its copy of
    // memory is whole in the child.
    let result = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<CloneArguments>(),
        )
    };
    match libc::pid_t::try_from(result) {
        Ok(child) if child >= 0 => Ok(child),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The exit code of a child, once it has ended.
pub fn wait(child: libc::pid_t) -> io::Result<u8> {
    let mut status = 0;
    // SAFETY: `status` is live.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(125))
}

/// Executes a program by its path; returns only with an error.
pub fn execute(arguments: &[String], environment: &[String]) -> io::Error {
    let strings = |words: &[String]| -> Vec<CString> {
        words
            .iter()
            .filter_map(|word| CString::new(word.as_str()).ok())
            .collect()
    };
    let (arguments, environment) = (strings(arguments), strings(environment));
    let [program, ..] = arguments.as_slice() else {
        return io::ErrorKind::InvalidInput.into();
    };
    match nix::unistd::execve(program, &arguments, &environment) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}
