//! A child in this process's memory: vfork(2), in a form that Rust can have.

use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;

use nix::errno::Errno;
use nix::unistd::Pid;

/// What a child uses that has little more to do than to execute a program, and the part of it that nobody may touch, bytes.
const STACK: usize = 256 << 10;
const GUARD: usize = 64 << 10;

/// Makes a child that runs `body` and ends with its value, without exit handlers. It has this process's memory until it
/// executes a program or ends, and this process waits until then: nothing is copied, which takes a fork a tenth of a
/// millisecond and more. What `body` changes in memory is changed here too. For programs that have started no thread.
///
/// # Errors
/// Those of mmap(2) and clone(2), which a seccomp profile may refuse with these flags; then there is no child.
pub(crate) fn run_in_own_memory<F: FnOnce() -> i32>(body: F) -> io::Result<Pid> {
    let stack = Stack::new()?;
    let mut body = Some(body);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child has a stack of its own. `body` and the stack outlive it here, for this process, which has no other
    // thread, goes on only when the child has left its memory.
    let child = unsafe { libc::clone(enter::<F>, stack.top(), flags, (&raw mut body).cast()) };
    Ok(Pid::from_raw(Errno::result(child)?))
}

extern "C" fn enter<F: FnOnce() -> i32>(body: *mut c_void) -> c_int {
    // SAFETY: `run_in_own_memory` gives the address of one, and nobody else uses it.
    let body = unsafe { &mut *body.cast::<Option<F>>() };
    let code = body.take().map_or(1, |body| body());
    // SAFETY: ends the child at once, as it is meant to.
    unsafe { libc::_exit(code) }
}

/// Memory for a stack, with a guard below.
struct Stack(*mut c_void);

impl Stack {
    fn new() -> io::Result<Self> {
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: the kernel chooses a place where nothing is.
        let start = unsafe {
            let length = GUARD + STACK;
            libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, private, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(start);
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let above_guard = stack.0.map_addr(|start| start + GUARD);
        // Not mprotect(2): this must pass the filters that what comes before an execve(2) has to.
        // SAFETY: it covers the upper part of what was mapped for nothing else just now.
        let usable = unsafe {
            let flags = private | libc::MAP_FIXED;
            libc::mmap(above_guard, STACK, rights, flags, -1, 0)
        };
        match usable == libc::MAP_FAILED {
            true => Err(io::Error::last_os_error()),
            false => Ok(stack),
        }
    }

    /// Where it begins: stacks grow downwards.
    fn top(&self) -> *mut c_void {
        self.0.map_addr(|start| start + GUARD + STACK)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it was mapped as a whole, and nobody uses it any more.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;
    use crate::sys::fork_child;

    /// In a process of its own, for the tests have threads.
    fn alone(body: impl FnOnce() -> bool) {
        let child = fork_child(|| i32::from(!body())).unwrap();
        assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
    }

    #[test]
    fn what_the_child_did_is_done_when_this_process_goes_on() {
        alone(|| {
            let mut done = false;
            let child = run_in_own_memory(|| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                done = true;
                7
            });
            let child = child.unwrap();
            done && waitpid(child, None) == Ok(WaitStatus::Exited(child, 7))
        });
    }

    #[test]
    fn this_process_goes_on_when_the_child_executes_a_program() {
        alone(|| {
            let child = run_in_own_memory(|| {
                let none: [std::ffi::CString; 0] = [];
                let words = [c"sh", c"-c", c"sleep 0.2; exit 3"];
                let _ = nix::unistd::execve(c"/bin/sh", &words, &none);
                1
            });
            let child = child.unwrap();
            let is_running = waitpid(child, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
            is_running == Ok(WaitStatus::StillAlive)
                && waitpid(child, None) == Ok(WaitStatus::Exited(child, 3))
        });
    }

    #[test]
    fn a_stack_that_is_used_up_ends_the_child_alone() {
        fn deeper(depth: usize) -> usize {
            let piece = std::hint::black_box([depth; 512]);
            match std::hint::black_box(true) {
                true => deeper(depth + 1) + piece[depth % 512],
                false => 0,
            }
        }
        alone(|| {
            let child = run_in_own_memory(|| {
                // The test runner's own handler for it is of a thread that isn't this one.
                let default = nix::sys::signal::SigHandler::SigDfl;
                // SAFETY: no handler is installed.
                let _ = unsafe { nix::sys::signal::signal(nix::sys::signal::SIGSEGV, default) };
                i32::try_from(deeper(0)).unwrap_or(0)
            });
            let ended = waitpid(child.unwrap(), None);
            matches!(
                ended,
                Ok(WaitStatus::Signaled(_, nix::sys::signal::SIGSEGV, _))
            )
        });
    }
}
