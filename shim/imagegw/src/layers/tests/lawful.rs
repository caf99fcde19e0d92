//! What images have, and how it has to come out.

use std::os::unix::ffi::OsStrExt;

use super::*;

#[test]
fn files_directories_and_links_are_as_the_archive_says() {
    let applied = apply(&[&[
        directory("./"),
        directory("./a"),
        file("./a/b", "1"),
        link("c", "a/b"),
        hard_link("d", "a/b"),
        file("e/f/g", "2"),
    ]]);
    assert_eq!(
        applied.told(),
        [
            "d a",
            "d e",
            "d e/f",
            "f a/b=1",
            "f d=1",
            "f e/f/g=2",
            "l c>a/b"
        ]
    );
    let inode = |name| applied.path(name).metadata().unwrap().ino();
    assert_eq!(inode("a/b"), inode("d"));
}

#[test]
fn every_compression_gives_the_same_tree_and_the_same_digest() {
    let plain = layer(&[file("a", &"text ".repeat(50_000))]);
    let middle = plain.len() / 2;
    let members = [gzip(&plain[..middle]), gzip(&plain[middle..])].concat();
    let zstd = |bytes: &[u8]| {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(bytes, level)
    };
    let skipped = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let frames = [
        &zstd(&plain[..middle])[..],
        &skipped,
        &zstd(&plain[middle..]),
    ]
    .concat();
    let skipped_first = [&skipped[..], &zstd(&plain), &skipped].concat();
    let meant = Digest::of(&plain);
    for (what, layer) in [
        ("plain", plain.clone()),
        ("gzip", gzip(&plain)),
        ("gzip of two members", members),
        ("zstd", zstd(&plain)),
        ("zstd of two frames", frames),
        ("zstd behind a skipped frame", skipped_first),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut layers = Layers::new(directory.path(), SMALL).unwrap();
        let digest = layers.apply(&layer[..], Algorithm::Sha256, &mut |_| true);
        assert_eq!(digest.expect(what), meant, "{what}");
        let length = directory.path().join("a").metadata().unwrap().len();
        assert_eq!(length, 250_000, "{what}");
    }
}

#[test]
fn modes_let_everybody_read_and_the_owner_write() {
    let closed = |name, kind, mode| entry(name, kind, "", mode, b"");
    let applied = apply(&[&[
        closed("d", EntryType::Directory, 0o000),
        closed("d/e", EntryType::Directory, 0o100),
        closed("d/e/f", EntryType::Regular, 0o000),
        closed("x", EntryType::Regular, 0o100),
        closed("t", EntryType::Directory, 0o1777),
    ]]);
    applied.done.as_ref().unwrap();
    let modes = ["d", "d/e", "d/e/f", "x", "t"].map(|name| applied.mode(name));
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o755, 0o1777]);
}

#[test]
fn a_directory_closed_by_one_layer_is_filled_and_emptied_by_the_next() {
    let applied = apply(&[
        &[
            entry("d", EntryType::Directory, "", 0o000, b""),
            file("d/old", ""),
        ],
        &[file("d/new", "2"), file("d/.wh.old", "")],
    ]);
    assert_eq!(applied.told(), ["d d", "f d/new=2"]);
}

#[test]
fn times_are_those_of_the_archive_whatever_came_into_a_directory_later() {
    let late = pax(&[("mtime", b"1700000000.25")]);
    let applied = apply(&[
        &[
            directory("a"),
            file("a/x", ""),
            file("a/y", ""),
            link("l", "a"),
        ],
        &[file("a/z", ""), file("a/.wh.x", ""), file("b/c/d", "")],
        &[[late, file("a/y", "new")].concat()],
    ]);
    applied.done.as_ref().unwrap();
    for (name, meant) in [
        ("a", 1000),
        ("a/z", 1000),
        ("l", 1000),
        ("a/y", 1_700_000_000),
        // Implied by their entries, and nobody says of when.
        ("", 0),
        ("b", 0),
        ("b/c", 0),
        ("b/c/d", 1000),
    ] {
        assert_eq!(applied.time(name), meant, "{name}");
    }
}

#[test]
fn long_names_and_names_that_are_not_utf8_are_kept() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    let bytes: &[u8] = b"caf\xe9";
    let applied = apply(&[&[
        [pax(&[("path", long.as_bytes())]), file("short", "1")].concat(),
        [
            entry("n", EntryType::GNULongName, "", 0, bytes),
            file("short", "2"),
        ]
        .concat(),
    ]]);
    applied.done.as_ref().unwrap();
    assert_eq!(fs::read(applied.path(&long)).unwrap(), b"1");
    let name = std::ffi::OsStr::from_bytes(bytes);
    let path = applied.directory.path().join("image").join(name);
    assert_eq!(fs::read(path).unwrap(), b"2");
}

#[test]
fn a_link_of_a_lower_layer_leads_within_the_image_as_it_does_in_a_container() {
    let applied = apply(&[
        &[
            directory("usr/lib"),
            link("lib", "usr/lib"),
            link("run", "/usr/../../../usr/run"),
        ],
        &[file("lib/a", "1"), file("run/lock/b", "2")],
    ]);
    assert_eq!(
        applied.told(),
        [
            "d usr",
            "d usr/lib",
            "d usr/run",
            "d usr/run/lock",
            "f usr/lib/a=1",
            "f usr/run/lock/b=2",
            "l lib>usr/lib",
            "l run>/usr/../../../usr/run",
        ]
    );
    applied.nothing_outside();
}

#[test]
fn a_sparse_file_has_its_holes() {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[0] = b's';
    header.set_entry_type(EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_mtime(1000);
    header.set_size(512);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(500_512);
    gnu.sparse[0].set_offset(500_000);
    gnu.sparse[0].set_length(512);
    header.set_cksum();
    let sparse = [&header.as_bytes()[..], &[7; 512]].concat();
    let applied = apply(&[&[sparse]]);
    applied.done.as_ref().unwrap();
    let content = fs::read(applied.path("s")).unwrap();
    assert_eq!(content.len(), 500_512);
    assert!(content[..500_000].iter().all(|byte| *byte == 0));
    assert!(content[500_000..].iter().all(|byte| *byte == 7));
}

#[test]
fn of_two_entries_of_one_name_the_last_one_counts_whatever_they_are() {
    let applied = apply(&[&[
        file("a", "1"),
        file("a", "2"),
        directory("d"),
        file("d/x", ""),
        file("d", "3"),
        link("l", "/etc"),
        directory("l"),
        file("l/y", "4"),
        directory("m"),
        link("m", "a"),
    ]]);
    assert_eq!(
        applied.told(),
        ["d l", "f a=2", "f d=3", "f l/y=4", "l m>a"]
    );
}

#[test]
fn an_archive_may_end_with_the_last_byte_of_its_last_file() {
    for (content, is_whole) in [
        ("x", true),
        (&*"x".repeat(512), true),
        ("", true),
        ("x", false),
    ] {
        let mut archive = [file("a", "1"), file("b", content)].concat();
        archive.truncate(3 * 512 + content.len() - usize::from(!is_whole));
        let applied = apply_within(SMALL, &[archive]);
        match is_whole {
            true => assert_eq!(
                applied.told(),
                ["f a=1".to_owned(), format!("f b={content}")]
            ),
            false => assert!(applied.refused().contains("broken")),
        }
    }
}
