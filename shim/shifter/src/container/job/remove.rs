//! The epilog's part.

use std::path::Path;

use anyhow::Result;
use bundles::shifter::Config;

use super::place::{Jobs, Key};
use super::processes;
use crate::images::Node;

/// Ends what still runs in the job's container, and takes that away, whatever is there of it. The image goes with whoever
/// uses it last.
///
/// # Errors
/// Where a process, a mount or the directory stays.
pub fn remove(config: &Config, key: &Key, state: &Path) -> Result<()> {
    let jobs = Jobs::of(config)?;
    let directory = jobs.directory(key);
    let ended = processes::end(&directory);
    let removed = jobs.remove(key);
    // Also where nothing of it was mounted: a prolog may have been killed in between.
    let place = directory.display().to_string();
    let forgotten = Node::open(state).and_then(|node| node.forget_place(&place));
    ended?;
    removed?;
    forgotten?;
    Ok(())
}
