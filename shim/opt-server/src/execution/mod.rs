//! One execution: its limits, and the report on it.

mod conclude;
mod flags;
mod identity;
mod not_mounted;
pub mod ready;
mod report;
mod report_file;
pub mod sandboxed;
pub mod start_once;

pub use conclude::conclude;
pub use flags::{GroupFlag, LimitFlags};
pub use identity::{Claimed, claim, claim_ahead};
pub use not_mounted::not_mounted;
pub use report::{Begun, Report, exceeded};
pub use report_file::ReportFile;

use std::time::Duration;

use bundles::opt_server::TEMPORARY;
use bundles::opt_server::config::{AtOutputLimit, Command, Limits};
use runtime::container::Bounds;

/// What the supervisor has to see to: `limits`, as far as the kernel doesn't. With `is_reported`, what the
/// report tells besides; its output isn't counted where `is_terminal`, for the command must see that too.
pub fn bounds(command: &Command, limits: &Limits, is_reported: bool, is_terminal: bool) -> Bounds {
    Bounds {
        wall_time: limits.wall_time(),
        cpu_time: limits.cpu_time(),
        grace: limits.grace(),
        output: limits.max_output,
        truncates_output: command.extensions.output == AtOutputLimit::Truncate,
        counts_output: is_reported && !is_terminal,
        scratch: Some(TEMPORARY.into()),
        limits_scratch: limits.scratch_size.is_some(),
        limits_file_size: limits.max_file_size.is_some(),
        tells_refusals: is_reported,
        observes: false,
    }
}

/// Seconds, as reports have them.
fn seconds(duration: Duration) -> f64 {
    // To the microsecond: what is beyond is noise.
    (duration.as_secs_f64() * 1e6).round() / 1e6
}
