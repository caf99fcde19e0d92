//! Layers of an image: whatever an archive holds, nothing of it lands beside its tree, and nothing in it gives power.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use imagegw::blobs::Algorithm;
use imagegw::layers::{Bounds, LayerError, Layers};

use crate::Run;
use crate::properties::told;
use crate::tar;

const BOUNDS: Bounds = Bounds {
    bytes: 1 << 20,
    entries: 200,
};

/// Between one layer and the next of an input.
const NEXT: &[u8] = b"--next layer--";

pub(super) fn make(scratch: &Path) -> Run {
    let above = scratch.join("layers");
    let place = above.join("place");
    fs::create_dir_all(&place).expect("make a directory");
    let victims = [above.join("victim"), place.join("victim")];
    for victim in &victims {
        fs::write(victim, "untouched").expect("write a victim");
    }
    let image = place.join("image");
    Box::new(move |input| {
        fs::create_dir(&image).expect("make the tree");
        if let Err(error) = apply(&image, input) {
            told(&error);
        }
        nothing_outside(&above, &place, &victims);
        nothing_of_power(&image);
        fs::remove_dir_all(&image).expect("what was made can be taken away");
    })
}

fn apply(image: &Path, input: &[u8]) -> Result<(), LayerError> {
    let mut layers = Layers::new(image, BOUNDS)?;
    for layer in split(input) {
        let mut layer = layer.to_vec();
        tar::mend(&mut layer);
        let digest = layers.apply(&layer[..], Algorithm::Sha256, &mut |bytes| {
            bytes <= BOUNDS.bytes
        })?;
        assert!(digest.to_string().starts_with("sha256:"));
    }
    Ok(())
}

fn split(mut input: &[u8]) -> Vec<&[u8]> {
    let mut layers = vec![];
    while let Some(at) = input.windows(NEXT.len()).position(|window| window == NEXT) {
        layers.push(&input[..at]);
        input = &input[at + NEXT.len()..];
    }
    layers.push(input);
    layers
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("read a directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

fn nothing_outside(above: &Path, place: &Path, victims: &[PathBuf]) {
    assert_eq!(names(above), ["place", "victim"]);
    assert_eq!(names(place), ["image", "victim"]);
    for victim in victims {
        assert_eq!(fs::read(victim).expect("a victim"), b"untouched");
        let status = victim.symlink_metadata().expect("a victim");
        assert_eq!((status.nlink(), status.mode() & 0o7022), (1, 0));
    }
}

/// Files, directories and links only, without bits that make who executes them another user.
fn nothing_of_power(directory: &Path) {
    for entry in fs::read_dir(directory).expect("read the tree") {
        let path = entry.expect("an entry").path();
        let status = path.symlink_metadata().expect("look at it");
        let kind = status.file_type();
        assert!(
            kind.is_dir() || kind.is_file() || kind.is_symlink(),
            "{}",
            path.display()
        );
        assert!(
            !kind.is_block_device() && !kind.is_char_device(),
            "{}",
            path.display()
        );
        let mode = status.permissions().mode();
        assert!(
            kind.is_symlink() || mode & 0o6000 == 0,
            "{} has mode {mode:o}",
            path.display()
        );
        if kind.is_dir() {
            nothing_of_power(&path);
        }
    }
}
