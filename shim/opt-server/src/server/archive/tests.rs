use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tar::{EntryType, Header};
use tempfile::TempDir;

use super::*;

const BOUNDS: Bounds = Bounds {
    size: 10_000,
    entries: 10,
};

/// A tar archive with one entry, whose name is written as it is: the crate's own functions refuse to.
fn tar_of(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut archive = tar::Builder::new(vec![]);
    archive.append(&header, content).unwrap();
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn unpacked(archive: &[u8]) -> (TempDir, Result<(), String>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("archive");
    fs::write(&file, archive).unwrap();
    let project = directory.path().join("project");
    fs::create_dir(&project).unwrap();
    let done = unpack(File::open(file).unwrap(), &project, BOUNDS);
    (directory, done.map_err(|error| error.to_string()))
}

#[test]
fn each_kind_of_archive_is_told_by_its_content() {
    let tar = tar_of("a/b.txt", EntryType::Regular, "", b"text");
    let zip = zip_of(&[("a/b.txt", b"text")]);
    for archive in [gzip(&tar), tar, zip] {
        let (directory, done) = unpacked(&archive);
        done.unwrap();
        let file = directory.path().join("project/a/b.txt");
        assert_eq!(fs::read_to_string(file).unwrap(), "text");
    }
    unpacked(b"").1.unwrap();
}

#[test]
fn a_link_may_stay_in_the_project() {
    let (directory, done) = unpacked(&tar_of("a/link", EntryType::Symlink, "../b", b""));
    done.unwrap();
    let link = directory.path().join("project/a/link");
    assert_eq!(fs::read_link(link).unwrap(), PathBuf::from("../b"));
}

#[test]
fn hostile_archives_are_refused_and_write_nothing_outside() {
    let long = "d/".repeat(40) + "f";
    let bomb = vec![0; 1 << 20];
    let many: Vec<(String, &[u8])> = (0..11)
        .map(|number| (number.to_string(), &b""[..]))
        .collect();
    let many: Vec<(&str, &[u8])> = many
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    let mut twice = tar_of("a", EntryType::Regular, "", b"1");
    twice.truncate(1024);
    twice.extend(tar_of("a", EntryType::Regular, "", b"2"));
    let mut below_link = tar_of("a", EntryType::Symlink, ".", b"");
    below_link.truncate(512);
    below_link.extend(tar_of("a/b", EntryType::Regular, "", b"2"));
    let mut cut = gzip(&tar_of("a", EntryType::Regular, "", &[7; 900]));
    cut.truncate(cut.len() / 2);
    for (archive, fault) in [
        (
            tar_of("../evil", EntryType::Regular, "", b"x"),
            "has \"..\" in its path",
        ),
        (
            tar_of("a/../../evil", EntryType::Regular, "", b"x"),
            "has \"..\" in its path",
        ),
        (
            tar_of("/evil", EntryType::Regular, "", b"x"),
            "has an absolute path",
        ),
        (
            tar_of("a\\b", EntryType::Regular, "", b"x"),
            "isn't plain UTF-8",
        ),
        (
            tar_of("a", EntryType::Symlink, "/etc/passwd", b""),
            "leads out of the project",
        ),
        (
            tar_of("a/b", EntryType::Symlink, "../../x", b""),
            "leads out of the project",
        ),
        (tar_of("a", EntryType::Link, "b", b""), "is a hard link"),
        (tar_of("a", EntryType::Char, "", b""), "is a device"),
        (tar_of("a", EntryType::Block, "", b""), "is a device"),
        (tar_of("a", EntryType::Fifo, "", b""), "neither a file"),
        (zip_of(&[("../evil", b"x")]), "has \"..\" in its path"),
        (zip_of(&[("/evil", b"x")]), "has an absolute path"),
        (zip_of(&many), "more than 10 entries"),
        (zip_of(&[("a", &bomb)]), "more than 10000 bytes"),
        (
            gzip(&tar_of("a", EntryType::Regular, "", &bomb)),
            "more than 10000 bytes",
        ),
        (tar_of(&long, EntryType::Regular, "", b""), "too deep"),
        (twice, "is there twice"),
        (below_link, "lies below a link"),
        (cut, "broken"),
        (b"hello, world".to_vec(), "neither a tar archive"),
        (b"PK\x03\x04 and no more".to_vec(), "broken"),
    ] {
        let (directory, done) = unpacked(&archive);
        let told = done.expect_err(fault);
        assert!(told.contains(fault), "{fault}: {told}");
        let outside: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().collect();
        assert_eq!(outside.len(), 2, "{fault}: {outside:?}");
    }
}

/// Entries, each with the beginning of an archive that would go on.
fn tar_with(entries: &[Vec<u8>]) -> Vec<u8> {
    let without_end = |entry: &Vec<u8>| entry[..entry.len() - 1024].to_vec();
    let mut archive: Vec<u8> = entries.iter().flat_map(without_end).collect();
    archive.extend([0; 1024]);
    archive
}

#[test]
fn what_is_read_before_an_entry_is_seen_is_bounded() {
    let large = vec![b'a'; 4 << 20];
    let file = tar_of("a", EntryType::Regular, "", b"x");
    let pax = [&b"4194304 comment="[..], &large[17..], b"\n"].concat();
    for (what, entry) in [
        ("long name", tar_of("n", EntryType::GNULongName, "", &large)),
        ("long link", tar_of("n", EntryType::GNULongLink, "", &large)),
        ("pax", tar_of("n", EntryType::XHeader, "", &pax)),
        (
            "global pax",
            tar_of("n", EntryType::XGlobalHeader, "", &pax),
        ),
        ("directory", tar_of("n", EntryType::Directory, "", &large)),
        ("link", tar_of("n", EntryType::Symlink, "m", &large)),
    ] {
        let archive = gzip(&tar_with(&[entry, file.clone()]));
        assert!(archive.len() < 100_000, "{what}");
        let told = unpacked(&archive).1.expect_err(what);
        assert!(told.contains("headers are too large"), "{what}: {told}");
    }
    let long = "d".repeat(60) + "/" + &"f".repeat(60);
    let named = tar_of("n", EntryType::GNULongName, "", long.as_bytes());
    let (directory, done) = unpacked(&gzip(&tar_with(&[named, file])));
    done.unwrap();
    assert!(directory.path().join("project").join(long).exists());
}

/// A zip archive whose directory has `count` entries, all of the same file.
fn zip_of_many(count: u16) -> Vec<u8> {
    let mut archive = zip_of(&[("a", b"")]);
    let place = |archive: &[u8], magic: &[u8]| {
        let found = archive.windows(4).position(|window| window == magic);
        found.unwrap()
    };
    let end = archive.split_off(place(&archive, b"PK\x05\x06"));
    let directory = archive.split_off(place(&archive, b"PK\x01\x02"));
    let start = u32::try_from(archive.len()).unwrap();
    for _ in 0..count {
        archive.extend(&directory);
    }
    let size = u32::try_from(directory.len()).unwrap() * u32::from(count);
    archive.extend(&end[..8]);
    archive.extend(count.to_le_bytes().repeat(2));
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

#[test]
fn a_zip_archive_s_directory_is_read_so_far_and_no_further() {
    unpacked(&zip_of_many(1)).1.unwrap();
    let told = unpacked(&zip_of_many(60_000)).1.unwrap_err();
    assert!(told.contains("bytes of names"), "{told}");
}

#[test]
fn what_changed_comes_back_and_links_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path().join("project");
    fs::create_dir_all(project.join("deep/er")).unwrap();
    for name in ["same", "changed", "gone"] {
        fs::write(project.join(name), name).unwrap();
    }
    let saved = directory.path().join("manifest");
    Manifest::of(&project).unwrap().save(&saved).unwrap();
    fs::write(project.join("changed"), "otherwise").unwrap();
    fs::write(project.join("deep/er/new"), "new").unwrap();
    fs::remove_file(project.join("gone")).unwrap();
    symlink("/etc/passwd", project.join("link")).unwrap();
    let before = Manifest::load(&saved).unwrap();
    let changed = Manifest::of(&project).unwrap().changed_since(&before);
    assert_eq!(
        changed,
        [PathBuf::from("changed"), PathBuf::from("deep/er/new")]
    );
    let mut packed = vec![];
    let mut asked = changed.clone();
    asked.push("link".into());
    pack(File::open(&project).unwrap(), &asked, &mut packed).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*packed));
    let names: Vec<PathBuf> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().into_owned())
        .collect();
    assert_eq!(names, changed);
}
