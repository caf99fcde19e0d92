//! An image's `/dev/null` is a link, and the runtime binds what it leads to over the paths that it is to hide: a kernel
//! setting appears in the place of `/proc/keys`, and can be written to.

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, Bundle, Container, Runtime, plain};
use serde_json::json;

use crate::attacker::Exchanging;

const SETTING: &str = "/proc/sys/kernel/core_pattern";

const STARTS: usize = 40;

/// With an image's own `/dev`, and a script that tells what is in the place of what is hidden.
fn bundle(bench: &Bench, name: &str) -> Bundle {
    let script = format!(
        "ls -l /dev/null /proc/keys; cat /proc/keys; echo hostile > /proc/keys; cat {SETTING}"
    );
    let bundle = plain::bundle(bench, name, &["sh", "-c", &script]);
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.retain(|mount| mount["destination"] != "/dev");
        spec["linux"]["maskedPaths"] = json!(["/proc/keys", "/proc/acpi"]);
        spec["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
    });
    bundle
}

fn setting() -> String {
    fs::read_to_string(SETTING).expect("the setting")
}

#[test]
fn a_swapped_dev_null_hides_nothing_and_shows_nothing() {
    let bench = Bench::new();
    let before = setting();
    let bundle = bundle(&bench, "image");
    let null = bundle.rootfs().join("dev/null");
    let file = bench.file("file", "the host's").display().to_string();
    for target in [
        SETTING,
        "/proc/sysrq-trigger",
        "/nowhere",
        &file,
        "/proc/self/attr/exec",
    ] {
        let _ = fs::remove_file(&null);
        symlink(target, &null).expect("a link");
        let outcome = bundle.run(&bench).run();
        if outcome.code == Some(0) {
            outcome.says("crw-rw-rw-").says("1,   3");
        } else {
            assert_eq!(outcome.code, Some(125), "{target}: {outcome}");
            outcome.one_line();
        }
        assert_eq!(setting(), before, "{target}: {outcome}");
        assert_eq!(fs::read_to_string(&file).expect("the file"), "the host's");
    }
}

/// The same while the two are exchanged, without a pause.
#[test]
fn a_dev_null_that_is_swapped_meanwhile_shows_nothing() {
    let bench = Bench::new();
    let before = setting();
    let bundle = bundle(&bench, "image");
    let dev = bundle.rootfs().join("dev");
    fs::write(dev.join("null"), "").expect("a file");
    symlink(SETTING, dev.join("link")).expect("a link");
    let attacker = Exchanging::names(&dev.join("null"), &dev.join("link"));
    for _ in 0..STARTS {
        let outcome = bundle.run(&bench).run();
        assert!(matches!(outcome.code, Some(0 | 125)), "{outcome}");
        assert_eq!(setting(), before, "{outcome}");
        if let Some(line) = outcome
            .stdout
            .lines()
            .find(|line| line.ends_with("/proc/keys"))
        {
            assert!(
                line.starts_with("crw-rw-rw-") && line.contains("1,   3"),
                "{outcome}"
            );
        }
    }
    assert!(attacker.stop() > STARTS);
}

/// Not by a link of the image's: the bundle itself lists another device in that place, which can be read from.
#[test]
fn what_is_hidden_is_not_another_device_that_is_called_null() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "listed", &["ls", "-l", "/proc/keys"]);
    bundle.edit(|spec| {
        spec["linux"]["maskedPaths"] = json!(["/proc/keys"]);
        spec["linux"]["devices"] = json!([
            { "path": "/dev/null", "type": "c", "major": 1, "minor": 5, "fileMode": 438 },
        ]);
    });
    bench.assert_refused(&bundle.run(&bench).run(), "not the null device");
    // Where nothing is to be hidden, it is the bundle's affair.
    bundle.edit(|spec| {
        spec["linux"]["maskedPaths"] = json!([]);
        spec["process"]["args"] = json!(["ls", "-l", "/dev/null"]);
    });
    bundle.run(&bench).expect(0).says("1,   5");
}

/// A sealed bundle's `/dev` is its own; in it, `null` is the device, and what is hidden is it or an empty directory.
#[test]
fn in_a_sealed_bundle_what_is_hidden_is_the_null_device() {
    let bench = Bench::new();
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let script = "for path in /proc/kcore /proc/keys /proc/timer_list; do \
                  [ ! -e $path ] || busybox stat -c '%n %F %t:%T' $path; done";
    let bundle = bench.sealed("sealed", &command, &["sh", "-c", script]);
    let outcome = bundle.run(&bench).expect(0);
    outcome.says("/proc/keys");
    for line in outcome.stdout.lines() {
        assert!(line.ends_with("character special file 1:3"), "{line}");
    }
}

/// The control: Debian's runc, 1.1.5, follows the link; a mended one doesn't. Nothing is written there.
#[test]
fn under_runc_the_setting_is_in_the_place_of_what_is_hidden() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "control");
    symlink(SETTING, bundle.rootfs().join("dev/null")).expect("a link");
    bundle.edit(|spec| spec["process"]["args"] = json!(["sleep", "1000"]));
    let container = Container::started(&bench, Runtime::Runc, &bundle);
    let outcome = container.shell("ls -l /proc/keys");
    let is_followed = outcome.stdout.starts_with("-rw-r--r--");
    let is_device = outcome.stdout.contains("1,   3");
    assert!(is_followed || is_device, "{outcome}");
}
