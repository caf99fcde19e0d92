//! Whether an image's file is the one that was made.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use integration::{Outcome, Tool, shifter, wait_until};

use crate::site::{SOON, Site};

/// The image `it`, with the SHA-256 of its file in its `.meta` file.
pub fn with_digest() -> (Site, PathBuf) {
    let site = Site::new("");
    site.image("it", "squashfs");
    let file = site.path("images/it.squashfs");
    let sum = Tool::new("sha256sum").arg(&file).expect(0).stdout;
    let digest = sum.split(' ').next().expect("a digest");
    let text = format!("FORMAT: squashfs\nENV: PATH=/bin\n#DIGEST: sha256:{digest}\n");
    site.describe("it", &text);
    (site, file)
}

/// Waits until a later change of the file would have a later time, also by a clock with large steps.
pub fn settle(file: &Path) {
    wait_until("its last change is long ago", SOON, || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let changed = file.metadata().expect("metadata").ctime();
        now.expect("a time").as_secs().cast_signed() > changed + 3
    });
}

fn policy(site: &Site, verify: &str) -> String {
    let text = format!("[shifter]\nverify-images = \"{verify}\"\n");
    let path = site.file(&format!("{verify}.toml"), &text);
    format!("--policy={}", path.display())
}

/// Runs a command in the image, with this policy.
fn run(site: &Site, image: &str, verify: &str) -> Outcome {
    let tool = site.tool("", "1234:1234").arg(policy(site, verify));
    let outcome = tool
        .arg(format!("--image={image}"))
        .args(["echo", "ran"])
        .run();
    site.assert_nothing_left(&outcome);
    outcome
}

#[track_caller]
fn assert_ran(outcome: &Outcome) {
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(0), "ran\n"),
        "{outcome}"
    );
}

/// No container was made, and whatever is told of it says `says`.
#[track_caller]
pub fn assert_none_made(outcome: &Outcome, says: &str) {
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.contains(says)),
        "{outcome}"
    );
}

#[track_caller]
fn assert_refused(outcome: &Outcome, says: &str) {
    assert_none_made(outcome, says);
    outcome.one_line();
}

/// What `explain` says of the file.
fn explained(site: &Site, verify: &str) -> String {
    let tool = site.tool("explain", "1234:1234").arg(policy(site, verify));
    let outcome = tool.args(["--json", "--image=it", "true"]).expect(0);
    site.assert_nothing_left(&outcome);
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    told["image"]["file"].as_str().expect("a text").to_owned()
}

/// Turns a byte in the middle over, where nothing that is read here is.
pub fn tamper(file: &Path) {
    let mut bytes = fs::read(file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("write");
}

#[test]
fn a_file_that_is_not_the_one_that_was_made_is_refused() {
    let (site, file) = with_digest();
    assert_ran(&run(&site, "it", "once"));
    assert_ran(&run(&site, "it", "required"));
    tamper(&file);
    assert_refused(
        &run(&site, "it", "once"),
        "is not the file that was made: its SHA-256 is sha256:",
    );
    // What costs nothing can't be done without fs-verity, and isn't said to have been.
    let told = explained(&site, "fs-verity");
    assert!(told.starts_with("not compared with its digest"), "{told}");
    // Without a digest there is nothing to compare.
    assert_ran(&run(&site, "plain", "once"));
    assert_refused(&run(&site, "plain", "required"), "no digest of it is known");
}

#[test]
fn a_file_is_read_once_on_a_node_and_again_when_it_changes() {
    let (site, file) = with_digest();
    settle(&file);
    let (now, before) = (
        "all of it was read now",
        "read before and not changed since",
    );
    for wanted in [now, before, before] {
        let told = explained(&site, "once");
        assert!(told.contains(wanted), "{told}");
    }
    assert_ran(&run(&site, "it", "once"));

    // Another file in its place, as long and as old.
    let times = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    let restore = |path: &Path| {
        let opened = fs::File::options().write(true).open(path).expect("open");
        opened.set_modified(times).expect("set its time");
    };
    let good = site.path("good");
    fs::copy(&file, &good).expect("copy");
    let other = site.path("images/other");
    fs::copy(&file, &other).expect("copy");
    tamper(&other);
    restore(&other);
    fs::rename(&other, &file).expect("rename");
    assert_refused(&run(&site, "it", "once"), "is not the file that was made");

    // The same file, written to.
    fs::copy(&good, &file).expect("copy");
    settle(&file);
    assert!(explained(&site, "once").contains(now));
    assert!(explained(&site, "once").contains(before));
    restore(&file);
    tamper(&file);
    restore(&file);
    assert_refused(&run(&site, "it", "once"), "is not the file that was made");
}

#[test]
fn what_was_read_is_known_to_root_alone() {
    let (site, file) = with_digest();
    settle(&file);
    assert_ran(&run(&site, "it", "once"));
    let checked = site.path("node/checked").metadata().expect("a directory");
    assert_eq!((checked.uid(), checked.mode() & 0o777), (0, 0o700));
}

#[test]
fn a_digest_that_is_none_or_is_there_twice_makes_no_image() {
    let (site, _) = with_digest();
    site.describe("it", "FORMAT: squashfs\n#DIGEST: sha256:12\n");
    assert_refused(
        &run(&site, "it", "never"),
        "it.meta:2: #DIGEST: \"sha256:12\" is no digest",
    );
    let digest = format!("#DIGEST: sha256:{}\n", "0".repeat(64));
    site.describe("it", &format!("FORMAT: squashfs\n{digest}{digest}"));
    assert_refused(
        &run(&site, "it", "never"),
        "it.meta:3: #DIGEST is there already",
    );
}

#[test]
fn files_are_verified_by_name_one_line_each() {
    let (site, file) = with_digest();
    let verify = |path: &Path| Tool::new(shifter()).args(["image", "verify"]).arg(path);
    let outcome = verify(&file).arg(site.path("images/it.squashfs")).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("is the file that was made: its digest"),
        "{outcome}"
    );
    let copy = site.path("images/copy.squashfs");
    fs::copy(&file, &copy).expect("copy");
    fs::copy(site.path("images/it.meta"), site.path("images/copy.meta")).expect("copy");
    tamper(&copy);
    let outcome = verify(&copy).arg(&file).expect(1);
    assert!(
        outcome
            .stderr
            .contains("copy.squashfs: is not the file that was made"),
        "{outcome}"
    );
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
}
