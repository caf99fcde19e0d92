//! Out of the tree and into namespaces.

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

use super::{Named, named, outcome};
use crate::calls::{Attempt, call};

const CWD: usize = libc::AT_FDCWD as usize;

/// New mounts, old ones taken off, another root.
pub fn mounts() -> Vec<Named> {
    let text = |text: &'static std::ffi::CStr| text.as_ptr().addr();
    let remount = (libc::MS_REMOUNT | libc::MS_BIND) as usize;
    vec![
        named("mount tmpfs", move || {
            outcome(call(
                libc::SYS_mount,
                &[text(c"none"), text(c"/tmp"), text(c"tmpfs"), 0, 0],
            ))
        }),
        named("remount without nosuid", move || {
            outcome(call(libc::SYS_mount, &[0, text(c"/tmp"), 0, remount, 0]))
        }),
        named("umount", move || {
            outcome(call(
                libc::SYS_umount2,
                &[text(c"/proc"), libc::MNT_DETACH as usize],
            ))
        }),
        named("pivot_root", move || {
            outcome(call(libc::SYS_pivot_root, &[text(c"/tmp"), text(c"/tmp")]))
        }),
        named("chroot", move || {
            outcome(call(libc::SYS_chroot, &[text(c"/tmp")]))
        }),
        named("fsopen", move || {
            outcome(call(libc::SYS_fsopen, &[text(c"tmpfs"), 0]))
        }),
        named("open_tree", move || {
            outcome(call(libc::SYS_open_tree, &[CWD, text(c"/tmp"), 1]))
        }),
        named("move_mount", move || {
            outcome(call(
                libc::SYS_move_mount,
                &[CWD, text(c"/tmp"), CWD, text(c"/proc"), 0],
            ))
        }),
        named("mount_setattr", move || {
            let attr = [0_u64, 2, 0, 0];
            outcome(call(
                libc::SYS_mount_setattr,
                &[
                    CWD,
                    text(c"/tmp"),
                    0,
                    attr.as_ptr().addr(),
                    size_of_val(&attr),
                ],
            ))
        }),
        named("open_by_handle_at", || {
            let handle = [8_u32, 1, 2, 0];
            outcome(call(
                libc::SYS_open_by_handle_at,
                &[CWD, handle.as_ptr().addr(), 0],
            ))
        }),
        named("name_to_handle_at", move || {
            let mut handle = [128_u8; 256];
            handle[..8].copy_from_slice(&[128, 0, 0, 0, 0, 0, 0, 0]);
            let mut mount = 0_i32;
            let (handle, mount) = (handle.as_mut_ptr().addr(), (&raw mut mount).addr());
            outcome(call(
                libc::SYS_name_to_handle_at,
                &[CWD, text(c"/"), handle, mount, 0],
            ))
        }),
    ]
}

const KINDS: [(&str, &str, &str, i32); 7] = [
    ("unshare user", "clone user", "user", libc::CLONE_NEWUSER),
    ("unshare mnt", "clone mnt", "mnt", libc::CLONE_NEWNS),
    ("unshare pid", "clone pid", "pid", libc::CLONE_NEWPID),
    ("unshare net", "clone net", "net", libc::CLONE_NEWNET),
    ("unshare ipc", "clone ipc", "ipc", libc::CLONE_NEWIPC),
    ("unshare uts", "clone uts", "uts", libc::CLONE_NEWUTS),
    (
        "unshare cgroup",
        "clone cgroup",
        "cgroup",
        libc::CLONE_NEWCGROUP,
    ),
];

/// Namespaces of one's own, which give all capabilities in them, and those of the first process.
pub fn namespaces() -> Vec<Named> {
    let mut attempts = vec![];
    for (unshare, clone, kind, flag) in KINDS {
        attempts.push(named(unshare, move || {
            outcome(call(libc::SYS_unshare, &[flag as usize]))
        }));
        attempts.push(named(clone, move || clone_with(flag)));
        attempts.push(named(format!("setns {kind}"), move || set_namespace(kind)));
    }
    attempts.push(named("unshare time", || {
        outcome(call(libc::SYS_unshare, &[0x80]))
    }));
    attempts.push(named("clone user, upper half set", || {
        clone_bits((0xdead_beef << 32) | (libc::CLONE_NEWUSER | libc::SIGCHLD) as usize)
    }));
    attempts.push(named("clone3 user", || {
        // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
        let arguments = [
            libc::CLONE_NEWUSER as u64,
            0,
            0,
            0,
            libc::SIGCHLD as u64,
            0,
            0,
            0,
        ];
        let size = size_of_val(&arguments);
        child_or_errno(call(libc::SYS_clone3, &[arguments.as_ptr().addr(), size]))
    }));
    attempts.push(named("clone plain", || clone_bits(libc::SIGCHLD as usize)));
    attempts
}

fn clone_with(flag: i32) -> Attempt {
    clone_bits((flag | libc::SIGCHLD) as usize)
}

fn clone_bits(flags: usize) -> Attempt {
    child_or_errno(call(libc::SYS_clone, &[flags, 0, 0, 0, 0]))
}

/// Ends the new process where there is one.
fn child_or_errno(result: Result<usize, Errno>) -> Attempt {
    match result? {
        0 => std::process::exit(0),
        _ => Ok(String::new()),
    }
}

fn set_namespace(kind: &str) -> Attempt {
    let file = File::open(format!("/proc/1/ns/{kind}"))
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    outcome(call(libc::SYS_setns, &[file.as_raw_fd() as usize, 0]))
}
