//! Cases that run under our runtime and its peers alike.

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
