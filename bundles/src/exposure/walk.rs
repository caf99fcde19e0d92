//! Looking at everything below a path, within bounds.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::secrets::looks_like_secret;
use super::{Bounds, Exposure, Secret};

const SETUID_OR_SETGID: u32 = 0o6000;
const STICKY: u32 = 0o1000;
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const MOST_SECRETS: usize = 1000;
/// Looking at the clock at every entry would cost more than the entry.
const ENTRIES_PER_LOOK: u64 = 256;

pub(super) fn measure(path: &Path, bounds: &mut Bounds) -> Exposure {
    let mut exposure = Exposure::default();
    let Ok(top) = fs::metadata(path) else {
        exposure.cut = Some("it can't be looked at");
        return exposure;
    };
    note(path, &top, &mut exposure);
    if !top.is_dir() {
        return exposure;
    }
    let mut ahead = vec![path.to_path_buf()];
    while let Some(directory) = ahead.pop() {
        let Some(entries) = sorted(&directory) else {
            exposure
                .cut
                .get_or_insert("a directory in it can't be read");
            continue;
        };
        for entry in entries {
            if let Some(why) = spent(bounds) {
                exposure.cut = Some(why);
                return exposure;
            }
            let Ok(metadata) = entry.symlink_metadata() else {
                continue;
            };
            note(&entry, &metadata, &mut exposure);
            if metadata.is_dir() && metadata.dev() == top.dev() {
                ahead.push(entry);
            }
        }
    }
    exposure
}

/// Counts an entry off; why there are to be no more.
fn spent(bounds: &mut Bounds) -> Option<&'static str> {
    let Some(left) = bounds.entries.checked_sub(1) else {
        return Some("there is more than was counted");
    };
    bounds.entries = left;
    let is_late = left % ENTRIES_PER_LOOK == 0 && Instant::now() >= bounds.until;
    is_late.then(|| {
        bounds.entries = 0;
        "counting took too long"
    })
}

fn sorted(directory: &Path) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).ok()?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort_unstable();
    Some(paths)
}

fn note(path: &Path, metadata: &Metadata, exposure: &mut Exposure) {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        return;
    }
    let mode = metadata.mode();
    if kind.is_file() {
        exposure.files += 1;
        exposure.bytes = exposure.bytes.saturating_add(metadata.len());
        if mode & SETUID_OR_SETGID != 0 && mode & 0o111 != 0 {
            exposure.setuid.add(path);
        }
        if exposure.secrets.len() < MOST_SECRETS
            && let Some(what) = looks_like_secret(path, metadata)
        {
            exposure.secrets.push(Secret {
                path: path.to_path_buf(),
                what,
                is_readable: mode & OTHERS_READ != 0,
            });
        }
    }
    if kind.is_socket() {
        exposure.sockets.add(path);
    }
    let is_kept = kind.is_dir() && mode & STICKY != 0;
    if mode & OTHERS_WRITE != 0 && !is_kept && (kind.is_file() || kind.is_dir()) {
        exposure.world_writable.add(path);
    }
}
