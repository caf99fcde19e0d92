//! What to make of a key that is not one of those known where it stands.

use super::Idle;
use super::keys::{COMMAND, EXTENSION, EXTENSIONS, SERVER, TOP, names};
use crate::spelling::nearest;

/// The judgement on a key of an object of PIFOP's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Someone else's extension: none of our business.
    Foreign,
    /// Nearly this known key.
    Misspelt(&'static str),
    /// A command's key (or nearly one) at the top of the file, where it would do nothing.
    Misplaced,
    /// Perhaps one of PIFOP's that is not documented, or one of ours where it doesn't belong.
    Unknown(Idle),
}

/// Judges a key at the top of the file.
pub(super) fn judge_top(key: &str) -> Verdict {
    match judge(key, names(&TOP), names(&SERVER)) {
        // `name` and `executable` are left out: PIFOP may well have keys like them here.
        Verdict::Unknown(_) if nearest(key, names(&COMMAND[2..])).is_some() => Verdict::Misplaced,
        verdict => verdict,
    }
}

/// Judges a key of a command.
pub(super) fn judge_command(key: &str) -> Verdict {
    judge(key, names(&COMMAND), names(&EXTENSION))
}

fn judge(
    key: &str,
    known: impl Iterator<Item = &'static str>,
    mut extensions: impl Iterator<Item = &'static str>,
) -> Verdict {
    if nearest(key, [EXTENSIONS].into_iter()).is_some() {
        return Verdict::Misspelt(EXTENSIONS);
    }
    if key.starts_with("x-") {
        return Verdict::Foreign;
    }
    match nearest(key, known) {
        Some(meant) => Verdict::Misspelt(meant),
        None if extensions.any(|name| name == key) => Verdict::Unknown(Idle::Outside),
        None => Verdict::Unknown(Idle::Unknown),
    }
}
