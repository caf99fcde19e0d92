//! Cases that run under our runtime and its peers alike.

use std::thread::sleep;
use std::time::{Duration, Instant};

mod case;
mod mountinfo;
mod rule;
mod stage;

pub use case::Case;
pub use mountinfo::MountLine;
pub use rule::hold;
pub use stage::Stage;

/// How a trial went: why not, where it didn't go well.
pub type Check = Result<(), String>;

/// Asks again until the answer `is_so`, or half a minute is over; the last one. runc and crun come back before the
/// command is executed, on a busy machine long before.
pub fn at_last<T>(mut ask: impl FnMut() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask();
        if is_so(&answer) || Instant::now() > deadline {
            return answer;
        }
        sleep(Duration::from_millis(20));
    }
}

/// Ends a trial unless `condition` holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

/// Ends a trial unless both are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {
        let (left, right) = (&$left, &$right);
        if left != right {
            return Err(format!("{}: {left:?}, not {right:?}", format!($($message)+)));
        }
    };
}

pub(crate) use {ensure, ensure_eq};
