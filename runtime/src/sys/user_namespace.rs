//! A user namespace that exists only as the id mapping of a mount.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::ptr;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, getppid, pause};

use crate::kernel_file;

/// Enough for two system calls.
const STACK: usize = 16 << 10;

/// Makes a user namespace with these `uid_map` and `gid_map` texts (user_namespaces(7)).
///
/// # Errors
/// Where the namespace can't be made or the kernel refuses a map.
pub(crate) fn user_namespace(uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    let held = UnmappedNamespace::new()?;
    let namespace = held.map(uid_map, gid_map)?;
    // Told where it fails: who holds it would have what this process has open.
    kill(held.child, Signal::SIGKILL)?;
    Ok(namespace)
}

/// A user namespace that maps nothing yet. A child of this process holds it until it is mapped and open here.
#[derive(Debug)]
pub(crate) struct UnmappedNamespace {
    child: Pid,
    /// The child's, until it is waited for.
    stack: Vec<u8>,
}

impl UnmappedNamespace {
    /// # Errors
    /// Where the namespace can't be made.
    pub(crate) fn new() -> io::Result<Self> {
        let mut stack = vec![0; STACK];
        match hold_namespace(&mut stack) {
            Ok(child) => Ok(Self { child, stack }),
            Err(errno) => {
                let error = io::Error::from(errno);
                let text = format!("user namespaces can't be made here: {error}");
                Err(io::Error::new(error.kind(), text))
            }
        }
    }

    /// # Errors
    /// Where the kernel refuses a map, or was given one before.
    pub(crate) fn map(&self, uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
        let process = format!("/proc/{}", self.child);
        kernel_file::write(format!("{process}/uid_map"), uid_map)?;
        kernel_file::write(format!("{process}/gid_map"), gid_map)?;
        Ok(File::open(format!("{process}/ns/user"))?.into())
    }
}

impl Drop for UnmappedNamespace {
    fn drop(&mut self) {
        if kill(self.child, Signal::SIGKILL).is_err() {
            // It ends with this process then, and until that it needs its stack.
            mem::forget(mem::take(&mut self.stack));
            return;
        }
        // It can't fail: nobody else waits for this child.
        let _ = waitpid(self.child, None);
    }
}

/// A child in a user namespace of its own, which waits to be killed. It has this process's memory and descriptors, not a copy
/// of them: that takes a fifth of a millisecond where there is much of both. It uses `stack` until it is waited for.
fn hold_namespace(stack: &mut [u8]) -> nix::Result<Pid> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_VM | libc::CLONE_FILES | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end.map_addr(|end| end & !15);
    let own = ptr::without_provenance_mut(getpid().as_raw() as usize);
    // SAFETY: the child has a stack of its own, and does nothing with this process's memory.
    let child = unsafe { libc::clone(wait_for_end, top.cast(), flags, own) };
    Errno::result(child).map(Pid::from_raw)
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
