//! The start: what another gateway left behind is cleared away, done or told to have failed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::transfer::NEW;
use super::work::fail;
use crate::configuration::Access;
use crate::gateway::Gateway;
use crate::state::{Image, Pull, Status, StoreError};

/// What a `.meta` is called until it is whole.
const WHOLE: &str = ".opt-new-";

/// A pull during which the gateway died so often is no accident.
const ATTEMPTS: u32 = 3;

/// Brings everything into a state that the next request can count on. No worker runs yet.
///
/// # Errors
/// Where the store fails.
pub fn recover(gateway: &Gateway) -> Result<(), StoreError> {
    let (pulls, images): (Vec<Arc<Pull>>, Vec<Arc<Image>>) = gateway.state.see(|memory| {
        let going = |image: &&Arc<Image>| image.status == Status::Expiring;
        (
            memory.pulls().cloned().collect(),
            memory.all_images().filter(going).cloned().collect(),
        )
    });
    for pull in &pulls {
        again(gateway, pull)?;
    }
    for image in images {
        gateway.queue.add_removal(&image.system, &image.id);
    }
    let made = gateway.configuration.state.join("made");
    clear(&made, |_| true);
    image_files::convert::sweep(&made);
    let waits = |name: &str| {
        let is_of = |pull: &Arc<Pull>| pull.import.as_deref() == Some(name);
        pulls.iter().any(is_of)
    };
    clear(&gateway.imports(), |name| !waits(name));
    for platform in gateway.configuration.platforms.values() {
        if let Access::Local(directory) = &platform.access {
            clear(directory, |name| {
                name.starts_with(NEW) || name.starts_with(WHOLE)
            });
        }
    }
    Ok(())
}

fn again(gateway: &Gateway, pull: &Pull) -> Result<(), StoreError> {
    let has_file = |name: &String| gateway.imports().join(name).exists();
    let message = match pull {
        _ if pull.status.is_final() => return Ok(()),
        _ if pull.with_credentials => {
            "the gateway was started anew, and keeps no credentials; pull again"
        }
        _ if pull.attempts >= ATTEMPTS => "the gateway ended several times during this pull",
        _ if !pull.import.as_ref().is_none_or(has_file) => "the file to import is gone",
        _ => {
            let pending = |pull: &mut Pull| pull.status = Status::Pending;
            gateway.state.change_pull(pull.number, pending)?;
            gateway.queue.add_pull(pull.number, None);
            return Ok(());
        }
    };
    fail(gateway, pull, message);
    Ok(())
}

/// Removes files of a directory. What can't be removed is in nobody's way.
fn clear(directory: &Path, is_left: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(&is_left);
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_ours && is_file {
            let _ = fs::remove_file(entry.path());
        }
    }
}
