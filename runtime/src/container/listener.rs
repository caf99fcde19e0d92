//! Handing over the listener of a filter with `SCMP_ACT_NOTIFY`, as the OCI runtime spec says: a message with
//! the descriptor and the container's state, to the socket `listenerPath`.
//!
//! The process can't do it: any call that it makes may be one that waits for the listener's answer. So the
//! runtime takes a copy of the descriptor out of the process, while that goes on or waits.

use std::cell::OnceCell;
use std::fs;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use serde_json::json;

use super::seccomp::{Listener, SystemCallFilter};
use super::snapshot::Snapshot;
use super::{Error, Result};
use crate::passing;

/// How often to look whether the process has loaded its filter.
const INTERVAL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000,
};

/// The name that the kernel gives such descriptors in `/proc/PID/fd`.
const NAME: &str = "anon_inode:seccomp notify";

/// A listener to hand over.
#[derive(Debug)]
pub(super) enum HandOver {
    /// To whoever waits for it at a socket.
    ToSocket {
        listener: Listener,
        container: Box<Snapshot>,
    },
    /// To this process itself.
    ToUs(OnceCell<OwnedFd>),
}

impl HandOver {
    /// What there is to do for a process of `container` with this filter.
    pub(super) fn of(filter: Option<&SystemCallFilter>, container: &Snapshot) -> Option<Self> {
        let filter = filter?;
        if filter.is_telling() {
            return Some(Self::ToUs(OnceCell::new()));
        }
        Some(Self::ToSocket {
            listener: filter.listener()?.clone(),
            container: Box::new(container.clone()),
        })
    }

    /// The listener that was handed to this process.
    pub(super) fn kept(self) -> Option<OwnedFd> {
        match self {
            Self::ToUs(listener) => listener.into_inner(),
            Self::ToSocket { .. } => None,
        }
    }

    /// Waits until the process `pid` has loaded its filter, and hands the listener over. Gives up in silence
    /// where the process ends before: it says itself why.
    ///
    /// # Errors
    /// Where the listener can't be taken, or the receiver not be reached.
    pub(super) fn hand_over(&self, pid: i32) -> Result<()> {
        let failed = Error::step("take the seccomp listener out of the process");
        let Some(descriptor) = take(pid).map_err(failed)? else {
            return Ok(());
        };
        match self {
            Self::ToUs(kept) => {
                let _ = kept.set(descriptor);
            }
            Self::ToSocket {
                listener,
                container,
            } => {
                let text = message(pid, listener, container).to_string();
                send(&text, &listener.path, &descriptor).map_err(Error::io(
                    "hand the seccomp listener over: failed to connect with seccomp agent",
                    &listener.path,
                ))?;
            }
        }
        tracing::debug!(pid, "handed over the seccomp listener");
        Ok(())
    }
}

fn send(text: &str, path: &Path, descriptor: &OwnedFd) -> io::Result<()> {
    let socket = passing::connect(path)?;
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let sent = sendmsg(
        &socket,
        &[IoSlice::new(text.as_bytes())],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    // The rest of a long message follows without descriptors.
    (&socket).write_all(text.as_bytes().get(sent..).unwrap_or_default())
}

/// The OCI runtime spec's "container process state".
fn message(pid: i32, listener: &Listener, container: &Snapshot) -> serde_json::Value {
    let mut message = json!({
        "ociVersion": container.oci_version,
        "fds": ["seccompFd"],
        "pid": pid,
        "state": {
            "ociVersion": container.oci_version,
            "id": container.id,
            "status": container.status,
            "pid": container.process.map_or(pid, |first| first.pid),
            "bundle": container.bundle,
            "annotations": container.annotations,
        },
    });
    if let Some(metadata) = &listener.metadata {
        message["metadata"] = json!(metadata);
    }
    message
}

/// A copy of the process's listener; `None` where the process has ended.
fn take(pid: i32) -> io::Result<Option<OwnedFd>> {
    let known = Pid::from_raw(pid).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    let process = pidfd_open(known, PidfdFlags::empty())?;
    loop {
        if let Some(number) = number_of(pid) {
            return Ok(Some(pidfd_getfd(
                &process,
                number,
                PidfdGetfdFlags::empty(),
            )?));
        }
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&INTERVAL))?;
        if ended > 0 {
            return Ok(None);
        }
    }
}

fn number_of(pid: i32) -> Option<i32> {
    // A process that is about to end has no descriptors to list.
    let mut descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let found = descriptors
        .find(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == Path::new(NAME)))?;
    found.file_name().to_str()?.parse().ok()
}
