//! Layers, made entry by entry with headers as no archiver would write them.

mod again;
mod bounds;
mod hostile;
mod lawful;
mod whiteouts;
mod written;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};
use tempfile::TempDir;

use super::*;
use crate::blobs::Algorithm;

const SMALL: Bounds = Bounds {
    bytes: 1 << 20,
    entries: 100,
};

/// An entry with its content; names are written as they are.
fn entry(name: &str, kind: EntryType, link: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(1000);
    header.set_cksum();
    let padding = content.len().next_multiple_of(512) - content.len();
    [&header.as_bytes()[..], content, &vec![0; padding]].concat()
}

fn file(name: &str, content: &str) -> Vec<u8> {
    entry(name, EntryType::Regular, "", 0o644, content.as_bytes())
}

fn directory(name: &str) -> Vec<u8> {
    entry(name, EntryType::Directory, "", 0o755, b"")
}

fn link(name: &str, target: &str) -> Vec<u8> {
    entry(name, EntryType::Symlink, target, 0o777, b"")
}

fn hard_link(name: &str, target: &str) -> Vec<u8> {
    entry(name, EntryType::Link, target, 0o644, b"")
}

/// A pax header for the next entry.
fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut content = vec![];
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        content.extend([format!("{length} {key}=").as_bytes(), value, b"\n"].concat());
    }
    entry("pax", EntryType::XHeader, "", 0o644, &content)
}

fn layer(entries: &[Vec<u8>]) -> Vec<u8> {
    [&entries.concat()[..], &[0; 1024]].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// What became of layers: a directory with the tree `image`, and a victim beside it.
struct Applied {
    directory: TempDir,
    done: Result<LeftOut, String>,
}

fn apply_within(bounds: Bounds, layers: &[Vec<u8>]) -> Applied {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("victim"), "untouched").unwrap();
    let image = directory.path().join("image");
    fs::create_dir(&image).unwrap();
    let done = lay(Layers::new(&image, bounds).unwrap(), layers);
    let applied = Applied { directory, done };
    written::must_be_the_same(&applied, bounds, layers);
    applied
}

/// Lays them, the lowest first; what was left out, or why they aren't laid.
fn lay(mut all: Layers, layers: &[Vec<u8>]) -> Result<LeftOut, String> {
    let applied = layers.iter().try_for_each(|layer| {
        all.apply(&layer[..], Algorithm::Sha256, &mut |_| true)
            .map(drop)
    });
    let left_out = all.left_out();
    applied
        .and_then(|()| all.complete())
        .map(|laid| must_be_known(&laid))
        .map(|()| left_out)
        .map_err(|error| error.to_string())
}

/// An image's digest, which was computed while it was written, has to be that of its file.
fn must_be_known(laid: &Laid) {
    if let Some(Whole { file, size, digest }) = &laid.image {
        assert_eq!(file.metadata().unwrap().len(), *size);
        assert_eq!(&image_files::verity_digest(file, 1).unwrap(), digest);
    }
}

/// Applies layers of these entries.
fn apply(layers: &[&[Vec<u8>]]) -> Applied {
    let layers: Vec<_> = layers.iter().map(|entries| layer(entries)).collect();
    apply_within(SMALL, &layers)
}

impl Applied {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("image").join(name)
    }

    /// All that is there, in order: `d NAME`, `f NAME=CONTENT`, `l NAME>TARGET`.
    fn told(&self) -> Vec<String> {
        self.done.as_ref().unwrap();
        let mut told = vec![];
        tell(&self.path(""), "", &mut told);
        told.sort();
        told
    }

    /// What was refused, and that nothing beside the tree was touched.
    fn refused(&self) -> &str {
        self.nothing_outside();
        self.done.as_ref().expect_err("it was taken")
    }

    fn nothing_outside(&self) {
        let mut names: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["image", "victim"]);
        let victim = self.directory.path().join("victim");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        let status = victim.metadata().unwrap();
        assert_eq!((status.nlink(), status.mode() & 0o7777), (1, 0o644));
    }

    fn mode(&self, name: &str) -> u32 {
        self.path(name)
            .symlink_metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }

    fn time(&self, name: &str) -> i64 {
        self.path(name).symlink_metadata().unwrap().mtime()
    }
}

fn tell(directory: &Path, above: &str, told: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            told.push(format!("d {name}"));
            tell(&entry.path(), &format!("{name}/"), told);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            told.push(format!("l {name}>{}", target.display()));
        } else {
            let content = fs::read(entry.path()).unwrap();
            told.push(format!("f {name}={}", String::from_utf8_lossy(&content)));
        }
    }
}
