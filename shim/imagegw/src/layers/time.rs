//! Times of files, whole seconds: what every format of images and every archiver has.

use rustix::fs::{Stat, Timespec, Timestamps};

/// Seconds since 1970.
pub(super) type Seconds = u32;

/// When a file was modified.
pub(super) fn of(status: &Stat) -> Seconds {
    Seconds::try_from(status.st_mtime).unwrap_or(0)
}

/// What an archive says, if squashfs can say it: else the nearest that it can.
pub(super) fn nearest(seconds: i64) -> Seconds {
    let latest = i64::from(Seconds::MAX);
    Seconds::try_from(seconds.clamp(0, latest)).unwrap_or(0)
}

/// For futimens(3).
pub(super) fn times(time: Seconds) -> Timestamps {
    let time = Timespec {
        tv_sec: time.into(),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
