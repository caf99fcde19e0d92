//! Stopping all processes of a container where they are, and letting them go on.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{Error, Result};
use super::layout::Kind;
use super::placement::{Place, Placement};
use crate::kernel_file;

/// How long processes may take to stop: one in an uninterruptible wait doesn't at once.
const FROZEN_WITHIN: Duration = Duration::from_secs(10);

impl Placement {
    /// Stops every process in the cgroup and below it.
    ///
    /// # Errors
    /// Where there is no freezer, or a process doesn't stop: none stays frozen then.
    pub(in crate::container) fn freeze(&self) -> Result<()> {
        let place = self.freezer().ok_or_else(no_freezer)?;
        let frozen = match place.kind {
            Kind::Unified => freeze_unified(&place.directory),
            _ => freeze_v1(&place.directory),
        };
        if frozen.is_err() {
            // Half of a container frozen is worse than none.
            let _ = self.thaw();
        }
        frozen.map_err(Error::io("freeze cgroup", &place.directory))
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// Where there is no freezer or it can't be written.
    pub(in crate::container) fn thaw(&self) -> Result<()> {
        let place = self.freezer().ok_or_else(no_freezer)?;
        let (file, thawed) = match place.kind {
            Kind::Unified => ("cgroup.freeze", "0"),
            _ => ("freezer.state", "THAWED"),
        };
        let path = place.directory.join(file);
        fs::write(&path, thawed).map_err(Error::io("write", path))
    }

    /// Lets processes go that were sent SIGKILL: on version 1 a frozen one takes no signal, and on either it is
    /// gone before it runs.
    ///
    /// # Errors
    /// As [`Self::thaw`].
    pub(in crate::container) fn let_killed_go(&self) -> Result<()> {
        if self.is_frozen() {
            self.thaw()
        } else {
            Ok(())
        }
    }

    /// Whether the cgroup itself was told to freeze; one whose parent was is the parent's affair.
    pub(in crate::container) fn is_frozen(&self) -> bool {
        self.freezer().is_some_and(|place| {
            let file = match place.kind {
                Kind::Unified => "cgroup.freeze",
                _ => "freezer.self_freezing",
            };
            kernel_file::read(place.directory.join(file)).is_ok_and(|text| text.trim() == "1")
        })
    }

    /// Where processes are stopped: by version 1's controller, or by version 2 itself.
    fn freezer(&self) -> Option<&Place> {
        self.holder("freezer").or_else(|| self.unified())
    }
}

fn no_freezer() -> Error {
    Error::unsupported(
        "pausing",
        "the container has no cgroup with a freezer on this host",
    )
}

/// Version 1 can miss a process that is being made at this moment, and reports `FREEZING` for ever; asking
/// again helps, and letting all go on for a moment helps more (kernel documentation, freezer-subsystem).
fn freeze_v1(directory: &Path) -> io::Result<()> {
    let state = directory.join("freezer.state");
    let deadline = Instant::now() + FROZEN_WITHIN;
    for attempt in 1_u32.. {
        fs::write(&state, "FROZEN")?;
        if kernel_file::read(&state)?.trim() == "FROZEN" {
            return Ok(());
        }
        if Instant::now() > deadline {
            break;
        }
        if attempt.is_multiple_of(50) {
            fs::write(&state, "THAWED")?;
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn freeze_unified(directory: &Path) -> io::Result<()> {
    fs::write(directory.join("cgroup.freeze"), "1")?;
    let deadline = Instant::now() + FROZEN_WITHIN;
    loop {
        let events = kernel_file::read(directory.join("cgroup.events"))?;
        if events.lines().any(|line| line == "frozen 1") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
