//! The shim's log: a FIFO in the first container's bundle, from which containerd copies into its own log.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::OFlags;
use rustix::time::{ClockId, clock_gettime};

use crate::program::RUNTIME;

static LOG: OnceLock<File> = OnceLock::new();

/// Opens it. Without one, nothing is logged: there is nobody to tell.
///
/// Both ends, so that it outlives a containerd that reads no more; and nothing waits for a reader.
pub fn open(bundle: &Path) {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(bundle.join("log"));
    if let Ok(file) = opened {
        let _ = LOG.set(file);
    }
}

/// Logs `text`, a line.
pub fn warn(text: &str) {
    if let Some(mut file) = LOG.get() {
        let now = clock_gettime(ClockId::Realtime);
        let line = format!(
            "ts={}.{:03} level=warning runtime={RUNTIME} msg={text:?}\n",
            now.tv_sec,
            now.tv_nsec / 1_000_000
        );
        // What a full FIFO doesn't take is lost, as with any log that isn't read.
        let _ = file.write_all(line.as_bytes());
    }
}
