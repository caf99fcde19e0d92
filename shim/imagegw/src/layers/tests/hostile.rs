//! What an archive may try. Refused, or made harmless; nothing beside the tree is ever touched.

use super::*;

/// Where the directory beside the victim is from inside the tree, absolutely.
fn victim_of(directory: &Path) -> String {
    directory.join("victim").display().to_string()
}

#[test]
fn names_with_dot_dot_are_refused() {
    for name in [
        "../victim",
        "a/../../victim",
        "..",
        "a/..",
        "/../victim",
        "./../victim",
    ] {
        for make in [
            file(name, "x"),
            directory(name),
            link(name, "/"),
            hard_link(name, "a"),
        ] {
            let applied = apply(&[&[file("a", ""), make]]);
            assert!(applied.refused().contains("\"..\" in its name"), "{name}");
        }
    }
    let path = pax(&[("path", b"../victim")]);
    let applied = apply(&[&[[path, file("harmless", "x")].concat()]]);
    assert!(applied.refused().contains("\"..\" in its name"));
}

#[test]
fn absolute_names_are_below_the_images_root() {
    let applied = apply(&[&[file("/etc/passwd", "x"), file("//a", "y")]]);
    assert_eq!(applied.told(), ["d etc", "f a=y", "f etc/passwd=x"]);
}

#[test]
fn links_that_lead_out_are_kept_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    // What the link leads to goes on as the entry's name does.
    let beyond = outside.path().join("x");
    fs::create_dir(&beyond).unwrap();
    let path = outside.path().display().to_string();
    let up = "../".repeat(10) + &path;
    for target in [path.as_str(), &up, "..", "/", "../victim"] {
        let applied = apply(&[&[
            link("l", target),
            // Onto the link itself, through it, and a hard link of it.
            file("l/x/file", "inside"),
            hard_link("h", "l"),
        ]]);
        applied.done.as_ref().unwrap();
        assert_eq!(fs::read_link(applied.path("l")).unwrap(), Path::new(target));
        assert_eq!(fs::read_link(applied.path("h")).unwrap(), Path::new(target));
        applied.nothing_outside();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{target}");
        assert_eq!(fs::read_dir(&beyond).unwrap().count(), 0, "{target}");
    }
}

#[test]
fn a_file_on_a_link_replaces_the_link_and_is_not_written_through_it() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "untouched").unwrap();
    let victim = victim_of(outside.path());
    for target in [victim.as_str(), "../victim"] {
        for layers in [1, 2] {
            let entries = [link("l", target), file("l", "evil")];
            let applied = match layers {
                1 => apply(&[&entries]),
                _ => apply(&[&entries[..1], &entries[1..]]),
            };
            assert_eq!(applied.told(), ["f l=evil"]);
            applied.nothing_outside();
            let left = fs::read_to_string(&victim).unwrap();
            assert_eq!(left, "untouched", "{target}");
        }
    }
}

#[test]
fn a_directory_replaced_by_a_link_between_layers_leads_nowhere_else() {
    let applied = apply(&[
        &[directory("d"), file("d/x", "")],
        &[link("d", "../..")],
        &[file("d/victim", "inside"), file("d/image/y", "inside")],
    ]);
    applied.done.as_ref().unwrap();
    applied.nothing_outside();
    assert_eq!(
        fs::read_to_string(applied.path("victim")).unwrap(),
        "inside"
    );
}

#[test]
fn a_directory_entry_on_a_link_replaces_the_link() {
    let applied = apply(&[&[link("d", "..")], &[directory("d"), file("d/victim", "x")]]);
    assert_eq!(applied.told(), ["d d", "f d/victim=x"]);
    applied.nothing_outside();
}

#[test]
fn hard_links_to_outside_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "untouched").unwrap();
    let victim = victim_of(outside.path());
    for (target, fault) in [
        ("../victim", "\"..\""),
        (victim.as_str(), "isn't there"),
        ("up/victim", "isn't there"),
        ("out/victim", "isn't there"),
        ("nothing", "isn't there"),
        ("d", "to a directory"),
        ("", "to a directory"),
        (".", "to a directory"),
    ] {
        let target = Path::new(target)
            .strip_prefix("/")
            .map_or(target, |rest| rest.to_str().unwrap());
        let applied = apply(&[&[
            link("up", ".."),
            link("out", outside.path().to_str().unwrap()),
            directory("d"),
            hard_link("h", target),
        ]]);
        assert!(
            applied.refused().contains(fault),
            "{target}: {}",
            applied.refused()
        );
        let left = outside.path().join("victim").metadata().unwrap();
        assert_eq!(left.nlink(), 1);
    }
}

#[test]
fn a_hard_link_to_itself_changes_nothing() {
    let applied = apply(&[&[file("a", "1"), hard_link("a", "a"), hard_link("./a", "/a")]]);
    assert_eq!(applied.told(), ["f a=1"]);
}

#[test]
fn a_hard_link_over_what_it_is_a_link_to_is_refused() {
    let applied = apply(&[&[file("d/a", "1"), hard_link("d", "d/a")]]);
    assert!(applied.refused().contains("below itself"));
}

#[test]
fn devices_and_pipes_are_left_out_and_hide_what_was_there() {
    let mut entries = vec![];
    for (name, kind) in [
        ("char", EntryType::Char),
        ("block", EntryType::Block),
        ("fifo", EntryType::Fifo),
    ] {
        entries.push(entry(name, kind, "", 0o666, b""));
    }
    let applied = apply(&[&[file("char", "old"), file("a", "")], &entries]);
    assert_eq!(applied.told(), ["f a="]);
    assert_eq!(applied.done.as_ref().unwrap().special, 3);
}

#[test]
fn kinds_of_entries_that_nobody_writes_are_refused() {
    for kind in [b'D', b'M', b'V', b'N', b's', b'9', b'Z'] {
        let odd = entry("odd", EntryType::new(kind), "", 0o644, b"");
        let applied = apply(&[&[odd]]);
        assert!(applied.refused().contains("isn't known here"), "{kind}");
    }
}

#[test]
fn setuid_and_setgid_are_taken_away() {
    let set = |name, kind, mode| entry(name, kind, "", mode, b"");
    let applied = apply(&[&[
        set("u", EntryType::Regular, 0o4755),
        set("g", EntryType::Regular, 0o2755),
        set("both", EntryType::Regular, 0o6711),
        set("d", EntryType::Directory, 0o2775),
        hard_link("h", "u"),
    ]]);
    assert_eq!(applied.done.as_ref().unwrap().set_id, 4);
    let modes = ["u", "g", "both", "d", "h"].map(|name| applied.mode(name));
    assert_eq!(modes, [0o755, 0o755, 0o755, 0o775, 0o755]);
}

#[test]
fn attributes_are_taken_away() {
    let attributes = pax(&[
        (
            "SCHILY.xattr.security.capability",
            b"\x01\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        ("SCHILY.xattr.user.a", b"b"),
        ("LIBARCHIVE.xattr.security.selinux", b"YQ"),
    ]);
    let applied = apply(&[&[[attributes, file("a", "")].concat()]]);
    assert_eq!(applied.done.as_ref().unwrap().attributes, 3);
    let mut buffer = vec![0; 1024];
    let listed = rustix::fs::llistxattr(applied.path("a"), &mut buffer[..]);
    let names = String::from_utf8_lossy(&buffer[..listed.unwrap_or(0)]).into_owned();
    assert!(
        !names.contains("user.a") && !names.contains("capability"),
        "{names}"
    );
}

#[test]
fn the_root_stays_a_directory() {
    for (name, odd) in [
        (".", file(".", "x")),
        ("./", link("./", "/")),
        ("/", entry("/", EntryType::Char, "", 0, b"")),
        ("hard", hard_link(".", "a")),
    ] {
        let applied = apply(&[&[file("a", ""), odd]]);
        match applied.done {
            // A file whose name ends with a slash is a directory, to old archivers.
            Ok(_) => assert!(applied.path("").is_dir()),
            Err(ref error) => assert!(error.contains("instead of the root"), "{name}: {error}"),
        }
        applied.nothing_outside();
    }
}

#[test]
fn what_lies_below_a_file_is_refused() {
    let applied = apply(&[&[file("a", ""), file("a/b", "")]]);
    assert!(applied.refused().contains("no directory"));
}

#[test]
fn broken_archives_are_refused() {
    let good = layer(&[file("a", &"x".repeat(700))]);
    let mut sum = good.clone();
    sum[0] = b'b';
    let zipped = gzip(&good);
    let mut flipped = zipped.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for (what, layer) in [
        ("checksum", sum),
        ("cut off", good[..700].to_vec()),
        ("no archive", b"hello, world".to_vec()),
        ("gzip cut off", zipped[..zipped.len() - 10].to_vec()),
        ("gzip's sum", flipped),
        ("rubbish behind gzip", [&zipped[..], b"rubbish"].concat()),
        ("zstd cut off", b"\x28\xb5\x2f\xfd\x00".to_vec()),
        (
            "a window of 2 GB",
            b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00".to_vec(),
        ),
    ] {
        let applied = apply_within(SMALL, &[layer]);
        let told = applied.done.as_ref().expect_err(what);
        assert!(told.contains("broken"), "{what}: {told}");
    }
}

#[test]
fn whoever_does_not_want_it_any_more_is_obeyed() {
    let directory = tempfile::tempdir().unwrap();
    let mut layers = Layers::new(directory.path(), SMALL).unwrap();
    let archive = layer(&[file("a", ""), file("b", "")]);
    let stopped = layers.apply(&archive[..], Algorithm::Sha256, &mut |_| false);
    assert!(matches!(stopped, Err(LayerError::Stopped)));
    assert!(!directory.path().join("b").exists());
}
