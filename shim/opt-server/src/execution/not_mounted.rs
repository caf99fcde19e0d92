//! What a command that failed had looked for, and only the host has.

use bundles::opt_server::learn::{admitted_by, is_own, optional};
use runtime::container::Looked;

use super::report::NotMounted;

/// As many are told: whoever reads it looks at the first.
const TOLD: usize = 20;

/// The paths that `command` asked for in vain although the host has them, the latest first: the one that it
/// gave up at is among the first.
pub fn not_mounted(looked: &[Looked], command: &str) -> Vec<NotMounted> {
    let missed = looked.iter().rev().filter(|looked| {
        looked.found.is_none()
            && !looked.is_written
            && !is_own(&looked.path)
            && optional(&looked.path).is_none()
            // As the administrator sees it, who may mount it.
            && looked.path.exists()
    });
    let mut told: Vec<NotMounted> = vec![];
    for looked in missed {
        let path = looked.path.display().to_string();
        if told.len() < TOLD && told.iter().all(|other| other.path != path) {
            let (key, hint) = admitted_by(&looked.path, command);
            told.push(NotMounted { path, key, hint });
        }
    }
    told
}
