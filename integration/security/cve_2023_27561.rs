//! What the runtime relies on is a link, or no directory, in the image (CVE-2023-27561 and CVE-2023-28642, which brought
//! CVE-2019-19921 back).

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use integration::{Bench, Bundle, host, plain};
use serde_json::json;

use crate::attacker::tree;

const PLACES: [&str; 6] = ["proc", "sys", "dev", "dev/pts", "dev/shm", "dev/mqueue"];
const KINDS: [&str; 7] = [
    "absolute", "climbing", "inside", "dangling", "loop", "file", "fifo",
];

/// Puts something that isn't a directory in the place of one.
fn put(kind: &str, place: &Path, marker: &Path) {
    let _ = fs::remove_file(place);
    let _ = fs::remove_dir_all(place);
    fs::create_dir_all(place.parent().expect("a directory")).expect("a directory");
    let climbing = format!("{}{}", "../".repeat(12), &marker.display().to_string()[1..]);
    match kind {
        "absolute" => symlink(marker, place).expect("a link"),
        "climbing" => symlink(climbing, place).expect("a link"),
        "inside" => symlink("/tmp", place).expect("a link"),
        "dangling" => symlink("nowhere", place).expect("a link"),
        "loop" => symlink(place.file_name().expect("a name"), place).expect("a link"),
        "file" => fs::write(place, "").expect("a file"),
        _ => {
            let path = CString::new(place.as_os_str().as_bytes()).expect("a path");
            nix::unistd::mkfifo(path.as_c_str(), nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
        }
    }
}

/// A bundle that mounts all of them, but `/dev` where the image's own is to be seen.
fn bundle(bench: &Bench, place: &str) -> Bundle {
    let name = place.replace('/', "-");
    let bundle = plain::bundle(bench, &name, &["cat", "/proc/self/mountinfo"]);
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        if place.starts_with("dev/") {
            mounts.retain(|mount| mount["destination"] != "/dev");
        }
        let kinds = [
            ("/sys", "sysfs", json!(["ro"])),
            ("/dev/pts", "devpts", json!(["newinstance", "ptmxmode=0666"])),
            ("/dev/shm", "tmpfs", json!([])),
            ("/dev/mqueue", "mqueue", json!([])),
        ];
        for (destination, kind, options) in kinds {
            let shown = json!({ "destination": destination, "type": kind, "source": kind, "options": options });
            mounts.push(shown);
        }
    });
    bundle
}

#[test]
fn what_is_in_the_place_of_a_directory_is_refused_or_stays_inside() {
    let bench = Bench::new();
    let marker = bench.directory("marker");
    fs::write(marker.join("file"), "unchanged").expect("a file");
    let before = tree(&marker);
    for place in PLACES {
        let bundle = bundle(&bench, place);
        for kind in KINDS {
            put(kind, &bundle.rootfs().join(place), &marker);
            let outcome = bundle.run(&bench).run();
            let shown = format!("/{place} is {kind}");
            if outcome.code == Some(0) {
                // Only below `/dev` may a link be followed: as the container follows it.
                assert!(place.starts_with("dev/"), "{shown}: {outcome}");
            } else {
                assert_eq!(outcome.code, Some(125), "{shown}: {outcome}");
                assert!(
                    outcome.one_line().contains(&format!("/{place}")),
                    "{shown}: {outcome}"
                );
            }
            assert_eq!(tree(&marker), before, "{shown}: {outcome}");
            assert!(host::mounts_below(&bundle.directory).is_empty(), "{shown}");
            bench.assert_nothing_left_by(&outcome);
        }
    }
}

/// With nothing in its place the same bundle runs.
#[test]
fn the_same_image_with_plain_directories_runs() {
    let bench = Bench::new();
    for place in PLACES {
        let outcome = bundle(&bench, place).run(&bench).expect(0);
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        let is_there = |line: &&&str| line.contains(&format!(" /{place} "));
        assert_eq!(
            lines.iter().filter(is_there).count(),
            1,
            "{place}: {outcome}"
        );
    }
}
