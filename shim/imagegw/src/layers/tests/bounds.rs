//! What an archive may be at most: in bytes, in entries, in the length and the depth of its names.

use super::*;

#[test]
fn what_says_that_it_is_too_large_is_refused_before_a_byte_of_it_is_written() {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[0] = b'a';
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(1 << 40);
    header.set_cksum();
    let applied = apply(&[&[header.as_bytes().to_vec()]]);
    assert!(applied.refused().contains("more than 1048576 bytes"));
    assert!(!applied.path("a").exists());
    let size = pax(&[("size", b"1099511627776")]);
    let applied = apply(&[&[[size, file("b", "x")].concat()]]);
    assert!(applied.refused().contains("more than 1048576 bytes"));
}

#[test]
fn a_sparse_bomb_is_refused() {
    let sparse = |name: u8, real: u64, offset: u64| {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[0] = name;
        header.set_entry_type(EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_size(512);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(real);
        gnu.sparse[0].set_offset(offset);
        gnu.sparse[0].set_length(512);
        header.set_cksum();
        [&header.as_bytes()[..], &[7; 512]].concat()
    };
    let applied = apply(&[&[sparse(b'a', (1 << 40) + 512, 1 << 40)]]);
    assert!(applied.refused().contains("more than 1048576 bytes"));
    // Many, each of which would be small enough: their holes count.
    let many: Vec<_> = (b'a'..=b'z')
        .map(|name| sparse(name, 100_512, 100_000))
        .collect();
    let applied = apply(&[&many]);
    assert!(applied.refused().contains("more than 1048576 bytes"));
    let of_pax = pax(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.realsize", b"1099511627776"),
    ]);
    let applied = apply(&[&[[of_pax, file("GNUSparseFile.0/a", "x")].concat()]]);
    assert!(applied.refused().contains("sparse"));
}

#[test]
fn decompression_bombs_are_refused() {
    let zeros = vec![0; 4 << 20];
    let zstd = |bytes: &[u8]| {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let content = layer(&[entry("a", EntryType::Regular, "", 0o644, &zeros)]);
    let behind = [&layer(&[file("a", "")])[..], &zeros].concat();
    let twice: Vec<_> = [&content[..300_000], &content[..300_000]].concat();
    for (what, bomb) in [
        ("content", gzip(&content)),
        ("content, zstd", zstd(&content)),
        ("behind the end", gzip(&behind)),
        ("behind the end, zstd", zstd(&behind)),
        ("cut off", gzip(&twice)),
    ] {
        assert!(bomb.len() < 100_000, "{what}");
        let applied = apply_within(SMALL, &[bomb]);
        let told = applied.refused();
        assert!(told.contains("more than 1048576 bytes"), "{what}: {told}");
    }
}

#[test]
fn all_layers_together_have_one_bound() {
    let half = |name| layer(&[entry(name, EntryType::Regular, "", 0o644, &[7; 600_000])]);
    let applied = apply_within(SMALL, &[half("a"), half("a")]);
    assert!(applied.refused().contains("more than 1048576 bytes"));
    apply_within(SMALL, &[half("a")]).done.unwrap();
}

#[test]
fn more_entries_than_are_allowed_are_refused() {
    let many = |count: usize| -> Vec<_> {
        (0..count)
            .map(|number| file(&format!("{number}"), ""))
            .collect()
    };
    apply(&[&many(100)]).done.unwrap();
    assert!(
        apply(&[&many(101)])
            .refused()
            .contains("more than 100 entries")
    );
    assert!(
        apply(&[&many(60), &many(60)])
            .refused()
            .contains("more than 100 entries")
    );
    let whiteouts: Vec<_> = (0..101)
        .map(|number| file(&format!(".wh.{number}"), ""))
        .collect();
    assert!(
        apply(&[&whiteouts])
            .refused()
            .contains("more than 100 entries")
    );
}

#[test]
fn what_is_read_before_an_entry_is_seen_is_bounded() {
    let large = vec![b'a'; 4 << 20];
    let bounds = Bounds {
        bytes: 1 << 30,
        entries: 100,
    };
    for (what, head) in [
        (
            "long name",
            entry("n", EntryType::GNULongName, "", 0, &large),
        ),
        (
            "long link",
            entry("n", EntryType::GNULongLink, "", 0, &large),
        ),
        ("pax", pax(&[("comment", &large)])),
        (
            "global pax",
            entry("n", EntryType::XGlobalHeader, "", 0, &large),
        ),
        (
            "directory with content",
            entry("n", EntryType::Directory, "", 0o755, &large),
        ),
        (
            "link with content",
            entry("n", EntryType::Symlink, "m", 0o777, &large),
        ),
        (
            "whiteout with content",
            entry(".wh.n", EntryType::Regular, "", 0, &large),
        ),
        (
            "device with content",
            entry("n", EntryType::Char, "", 0, &large),
        ),
    ] {
        let applied = apply_within(bounds, &[gzip(&layer(&[head, file("a", "")]))]);
        let told = applied.refused();
        assert!(told.contains("headers are too large"), "{what}: {told}");
    }
}

#[test]
fn names_that_are_too_long_or_too_deep_are_refused() {
    for (name, fault) in [
        ("f".repeat(256), "255 bytes"),
        (format!("{}f", "d/".repeat(256)), "256 directories"),
        (
            "d".repeat(200) + &("/".to_owned() + &"d".repeat(200)).repeat(20),
            "4095 bytes",
        ),
    ] {
        let path = pax(&[("path", name.as_bytes())]);
        let applied = apply(&[&[[path, file("short", "")].concat()]]);
        assert!(
            applied.refused().contains(fault),
            "{fault}: {}",
            applied.refused()
        );
    }
    let zero = pax(&[("path", b"a\0b")]);
    let applied = apply(&[&[[zero, file("short", "")].concat()]]);
    assert!(applied.refused().contains("zero byte"));
}

#[test]
fn links_make_no_tree_deeper_than_names_could() {
    let deep = "d/".repeat(200);
    let long = |name: &str, entry: Vec<u8>| [pax(&[("path", name.as_bytes())]), entry].concat();
    let far = pax(&[("linkpath", deep.as_bytes())]);
    let applied = apply(&[&[
        long(&deep, directory("short")),
        [far, link("l", "short")].concat(),
        long(&format!("l/{deep}"), directory("short")),
    ]]);
    assert!(applied.refused().contains("256 directories deep"));
}

#[test]
fn links_in_a_circle_are_refused() {
    let applied = apply(&[&[link("a", "b"), link("b", "a"), file("a/x", "")]]);
    assert!(applied.refused().contains("too many links"));
}

#[test]
fn links_to_what_no_path_can_be_are_refused() {
    let applied = apply(&[&[link("a", "")]]);
    assert!(applied.refused().contains("no path"));
    let long = pax(&[("linkpath", &[b'a'; 4096])]);
    let applied = apply(&[&[[long, link("a", "short")].concat()]]);
    assert!(applied.refused().contains("no path"));
}
