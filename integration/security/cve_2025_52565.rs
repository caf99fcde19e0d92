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

fn run(bench: &Bench, bundle: &Bundle) -> Option<i32> {
    Session::start(bundle.run(bench), 24, 80).ends()
}

#[test]
fn a_console_that_is_a_link_is_not_followed() {
    let bench = Bench::new();
    let marker = bench.file("marker", "unchanged");
    // Writes to whatever is there.
    let bundle = bundle(&bench, &["sh", "-c", "echo hostile > /dev/console; true"]);
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
        let code = run(&bench, &bundle);
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
    let bundle = bundle(&bench, &["sh", "-c", "echo hostile > /dev/console; true"]);
    let dev = bundle.rootfs().join("dev");
    fs::write(dev.join("console"), "").expect("a file");
    symlink(&marker, dev.join("link")).expect("a link");
    let attacker = Exchanging::names(&dev.join("console"), &dev.join("link"));
    for _ in 0..STARTS {
        let code = run(&bench, &bundle);
        assert!(matches!(code, Some(0 | 125)), "{code:?}");
        assert_eq!(
            fs::read_to_string(&marker).expect("the marker"),
            "unchanged"
        );
    }
    assert!(attacker.stop() > STARTS);
}
