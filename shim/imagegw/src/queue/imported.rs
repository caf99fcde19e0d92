//! What kind of archive an imported file is, or which file system.

use std::fs::File;
use std::path::Path;

use image_files::{FileSystem, NotAnImage};

use crate::pull::Source;

/// `docker save`'s and an OCI layout's archives have a list each; some have both, and Docker's then says the same.
pub(super) fn source(path: &Path) -> Source {
    let (path, name) = (path.to_path_buf(), None);
    if File::open(&path).is_ok_and(|file| is_file_system(&file)) {
        return Source::ImageFile { path };
    }
    match is_layout(&path) {
        true => Source::OciArchive { path, name },
        false => Source::DockerArchive { path, name },
    }
}

fn is_file_system(file: &File) -> bool {
    // Half of one is told so by whoever reads it.
    matches!(FileSystem::of(file), Ok(_) | Err(NotAnImage::CutOff { .. }))
}

/// Whether it has an OCI layout's list and not Docker's. What is no archive at all is told by whoever reads it.
fn is_layout(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut archive = tar::Archive::new(file);
    let Ok(entries) = archive.entries_with_seek() else {
        return false;
    };
    let mut has_index = false;
    for entry in entries {
        let Ok(entry) = entry else { break };
        let name = entry.path_bytes();
        match name.strip_prefix(b"./").unwrap_or(&name) {
            b"manifest.json" => return false,
            b"index.json" => has_index = true,
            _ => {}
        }
    }
    has_index
}
