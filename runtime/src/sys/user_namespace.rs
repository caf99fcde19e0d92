//! A user namespace that exists only as the id mapping of a mount.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::ptr;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, getppid, pause};

/// Enough for two system calls.
const STACK: usize = 16 << 10;

/// Makes a user namespace with these `uid_map` and `gid_map` texts (user_namespaces(7)).
///
/// # Errors
/// Where the namespace can't be made or the kernel refuses a map.
pub(crate) fn user_namespace(uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    // The child only holds the namespace until it is open here, and is then killed.
    let mut stack = vec![0; STACK];
    let child = hold_namespace(&mut stack).map_err(|error| {
        let text = format!("user namespaces can't be made here: {error}");
        io::Error::new(error.kind(), text)
    })?;
    let namespace = map_and_open(child.as_raw(), uid_map, gid_map);
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None)?;
    namespace
}

/// A child in a user namespace of its own, which waits to be killed. It has this process's memory and descriptors, not a copy
/// of them: that takes a fifth of a millisecond where there is much of both. It uses `stack` until it is waited for.
fn hold_namespace(stack: &mut [u8]) -> io::Result<Pid> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_VM | libc::CLONE_FILES | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end.map_addr(|end| end & !15);
    let own = ptr::without_provenance_mut(getpid().as_raw() as usize);
    // SAFETY: the child has a stack of its own, and does nothing with this process's memory.
    let child = unsafe { libc::clone(wait_for_end, top.cast(), flags, own) };
    Ok(Pid::from_raw(Errno::result(child)?))
}

/// In a child of `parent`, whose number it is. Nothing here touches memory but for the number of an error, which is this
/// process's thread's too, and there is none.
extern "C" fn wait_for_end(parent: *mut c_void) -> c_int {
    // If this process is killed meanwhile, nobody else would end the child.
    let _ = set_pdeathsig(Signal::SIGKILL);
    while getppid().as_raw() as usize == parent.addr() {
        pause();
    }
    1
}

fn map_and_open(pid: i32, uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    std::fs::write(format!("/proc/{pid}/uid_map"), uid_map)?;
    std::fs::write(format!("/proc/{pid}/gid_map"), gid_map)?;
    Ok(File::open(format!("/proc/{pid}/ns/user"))?.into())
}
