//! What is no image of the site's, and is never mounted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::store::{Store, give_away};

/// Fails unless the image is refused in one line that says this, and nothing is left.
#[track_caller]
fn assert_refused(store: &Store, id: &str, text: &str) {
    let outcome = store.script(id, "echo MOUNTED").expect(125);
    assert_eq!(outcome.stdout, "", "{outcome}");
    let line = outcome.one_line();
    assert!(line.contains(text), "no \"{text}\": {line}");
    store.assert_nothing_left();
}

#[test]
fn images_that_others_could_have_put_there_are_refused() {
    let store = Store::new();
    let path = store.make("it", "squashfs");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).expect("chmod");
    assert_refused(&store, "it", "has mode 0646");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
    give_away(&path);
    assert_refused(&store, "it", "belongs to uid 1234");

    let good = store.make("good", "squashfs");
    symlink(&good, store.path("link", "squashfs")).expect("a link");
    store.describe("link", "squashfs");
    assert_refused(&store, "link", "is a symbolic link");
    fs::create_dir(store.path("directory", "squashfs")).expect("a directory");
    store.describe("directory", "squashfs");
    assert_refused(&store, "directory", "is not a regular file");
    for id in ["../store/good", "/etc/passwd", ".", ".."] {
        assert_refused(&store, id, "");
    }

    fs::set_permissions(&store.directory, fs::Permissions::from_mode(0o777)).expect("chmod");
    assert_refused(&store, "good", "may be written by others");
}

#[test]
fn files_that_are_not_what_their_meta_file_says_are_refused() {
    let store = Store::new();
    let squashfs = fs::read(store.make("it", "squashfs")).expect("read");
    let erofs = fs::read(store.make("it", "erofs")).expect("read");
    let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).expect("write an image");

    store.describe("it", "squashfs");
    write(&store.path("it", "squashfs"), &erofs);
    assert_refused(&store, "it", "holds erofs, not squashfs");
    write(&store.path("it", "squashfs"), b"#!/bin/sh\n");
    assert_refused(&store, "it", "holds no file system that is known here");
    write(&store.path("it", "squashfs"), b"");
    assert_refused(&store, "it", "holds no file system");
    write(&store.path("it", "squashfs"), &squashfs[..5000]);
    assert_refused(&store, "it", "is cut off: its squashfs is");
    // As long as it should be, and nothing but its beginning.
    let mut broken = squashfs[..96].to_vec();
    broken.resize(squashfs.len(), 0xa5);
    write(&store.path("it", "squashfs"), &broken);
    assert_refused(&store, "it", "mount: ");

    store.describe("it", "erofs");
    write(&store.path("it", "erofs"), &erofs[..1500]);
    assert_refused(&store, "it", "is cut off: its erofs is");
    let mut broken = erofs[..1100].to_vec();
    broken[1024 + 14..1024 + 16].copy_from_slice(&[0xff, 0xff]);
    broken.resize(erofs.len(), 0xa5);
    write(&store.path("it", "erofs"), &broken);
    assert_refused(&store, "it", "mount: ");
}

#[test]
fn a_place_that_is_no_directory_is_refused_and_the_image_let_go() {
    let store = Store::new();
    store.make("it", "squashfs");
    fs::remove_dir(&store.place).expect("remove");
    assert_refused(&store, "it", "open the directory");
    symlink("/etc", &store.place).expect("a link");
    assert_refused(&store, "it", "open the directory");
}

#[test]
fn a_state_directory_that_others_may_write_is_refused() {
    let store = Store::new();
    store.make("it", "squashfs");
    fs::create_dir(&store.state).expect("a directory");
    fs::set_permissions(&store.state, fs::Permissions::from_mode(0o777)).expect("chmod");
    assert_refused(&store, "it", "state directory");
}
