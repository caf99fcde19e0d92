//! The listener of a seccomp filter: seccomp_unotify(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use bundles::seccomp::Call;

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    /// By which it is answered.
    pub id: u64,
    /// The thread that makes it, as seen from here; 0 where it can't be seen.
    pub thread: u32,
    /// The call.
    pub call: Call,
}

/// Room for a structure that a newer kernel may have made larger.
#[repr(C)]
union Room<T: Copy> {
    known: T,
    _space: [u64; 64],
}

/// The next question; `None` where whoever asked is gone, or a signal came.
///
/// # Errors
/// Those of `SECCOMP_IOCTL_NOTIF_RECV`.
pub(crate) fn next_question(listener: BorrowedFd<'_>) -> io::Result<Option<Question>> {
    let mut room = Room::<libc::seccomp_notif> { _space: [0; 64] };
    // SAFETY: the kernel writes its own structure, which begins like ours and fits into the room; it wants
    // the room zeroed.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV as _,
            &raw mut room,
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ENOENT | libc::EINTR) => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: all of the room is initialised, and the structure is of plain numbers.
    let told = unsafe { room.known };
    Ok(Some(Question {
        id: told.id,
        thread: told.pid,
        call: Call {
            arch: told.data.arch,
            nr: told.data.nr.cast_unsigned(),
            args: told.data.args,
        },
    }))
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It fails with this errno.
    Errno(u16),
    /// It is made. Only for what the filter itself would have let pass: its arguments' memory may change yet.
    GoOn,
}

/// Answers a question; that nobody waits for it any more is fine.
///
/// # Errors
/// Those of `SECCOMP_IOCTL_NOTIF_SEND`.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> io::Result<()> {
    let mut room = Room::<libc::seccomp_notif_resp> { _space: [0; 64] };
    room.known = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: match answer {
            Answer::Errno(errno) => -i32::from(errno),
            Answer::GoOn => 0,
        },
        flags: match answer {
            Answer::Errno(_) => 0,
            Answer::GoOn => libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        },
    };
    // SAFETY: the kernel reads its own structure, which begins like ours; the rest of the room is zero.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND as _,
            &raw mut room,
        )
    };
    match result {
        0.. => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            error => Err(error),
        },
    }
}

/// Whether whoever asked still waits: what was read of its memory in between is then its own.
pub(crate) fn is_waiting(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one number.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID as _,
            &raw const id,
        )
    };
    result == 0
}
