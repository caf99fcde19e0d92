//! An image has a link where the runtime mounts the terminal: `/dev/console` leads to a file of the host's or of procfs.
//! With an engine that takes the terminal, and with `exec`: `tests/terminal/hostile.rs`.

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, Bundle, Session, plain};
use serde_json::json;

use crate::attacker::Exchanging;

const STARTS: usize = 30;

/// With the image's own `/dev`, a devpts in it, and a terminal.
fn bundle(bench: &Bench, words: &[&str]) -> Bundle {
    let bundle = plain::bundle(bench, "image", words);
    fs::create_dir(bundle.rootfs().join("dev/pts")).expect("a directory");
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(true);
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.retain(|mount| mount["destination"] != "/dev");
        mounts.push(json!({
            "destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["newinstance", "ptmxmode=0666", "mode=0620"],
        }));
    });
    bundle
}

/// Writes to whatever is there, and tells what is mounted.
const HOSTILE: [&str; 3] = [
    "sh",
    "-c",
    "echo hostile > /dev/console; cat /proc/self/mountinfo",
];

/// Runs it to its end, and fails where a terminal is mounted anywhere else than in these places.
#[track_caller]
fn run(bench: &Bench, bundle: &Bundle, places: &[&str]) -> Option<i32> {
    let mut session = Session::start(bundle.run(bench), 24, 80);
    let code = session.ends();
    let shown = session.shown();
    let terminals = shown.lines().filter(|line| line.contains(" - devpts "));
    for line in terminals {
        let place = line.split(' ').nth(4).expect("a place");
        assert!(places.contains(&place), "{line}");
    }
    assert!(code != Some(0) || shown.contains(" - devpts "), "{shown}");
    code
}

#[test]
fn a_console_that_is_a_link_is_not_followed() {
    let bench = Bench::new();
    let marker = bench.file("marker", "unchanged");
    let bundle = bundle(&bench, &HOSTILE);
    let console = bundle.rootfs().join("dev/console");
    for target in [
        marker.to_str().expect("a path"),
        "/proc/sys/kernel/core_pattern",
        "pts/0",
        "/nowhere",
    ] {
        let _ = fs::remove_file(&console);
        symlink(target, &console).expect("a link");
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("the setting");
        let code = run(&bench, &bundle, &["/dev/pts", "/dev/console"]);
        assert!(matches!(code, Some(0 | 125)), "{target}: {code:?}");
        assert_eq!(
            fs::read_to_string(&marker).expect("the marker"),
            "unchanged",
            "{target}"
        );
        let after = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("the setting");
        assert_eq!(after, pattern, "{target}");
        assert_eq!(bench.state_names(), [""; 0]);
    }
}

#[test]
fn a_console_that_is_exchanged_meanwhile_is_not_followed() {
    let bench = Bench::new();
    let marker = bench.file("marker", "unchanged");
    let bundle = bundle(&bench, &HOSTILE);
    let dev = bundle.rootfs().join("dev");
    fs::write(dev.join("console"), "").expect("a file");
    symlink(&marker, dev.join("link")).expect("a link");
    let attacker = Exchanging::names(&dev.join("console"), &dev.join("link"));
    for _ in 0..STARTS {
        // What was the console may be called otherwise since.
        let code = run(&bench, &bundle, &["/dev/pts", "/dev/console", "/dev/link"]);
        assert!(matches!(code, Some(0 | 125)), "{code:?}");
        assert_eq!(
            fs::read_to_string(&marker).expect("the marker"),
            "unchanged"
        );
    }
    assert!(attacker.stop() > STARTS);
}
