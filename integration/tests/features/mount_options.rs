//! Every mount option that `features` names, each tried on a mount whose line in mountinfo tells.

use std::fs;
use std::os::unix::fs::chown;

use integration::{Bench, Bundle, Outcome, Probe, plain};
use serde_json::{Value, json};

use super::{features, strings};

#[test]
fn every_mount_option_is_done() {
    let bench = Bench::new();
    let claimed = strings(&features()["mountOptions"]);
    let undone: Vec<_> = claimed
        .iter()
        .filter(|option| !is_done(&bench, option))
        .collect();
    assert!(undone.is_empty(), "claimed and not done: {undone:?}");
    assert!(claimed.len() > 50, "{claimed:?}");
}

/// Whether a container shows that `option` is done.
pub fn is_done(bench: &Bench, option: &str) -> bool {
    match option {
        "bind" | "rbind" => reaches_below(bench, option),
        "defaults" => Lines::of(bench, "", "private", &["bind", "defaults"])
            .outer
            .is_some(),
        "idmap" | "ridmap" => maps_ids(bench, option),
        "tmpcopyup" => copies_up(bench),
        "sync" | "async" | "dirsync" | "lazytime" | "nolazytime" => {
            sets_the_file_systems_flag(bench, option)
        }
        _ => match option
            .strip_prefix('r')
            .filter(|plain| ATTRIBUTES.iter().any(|row| row.0 == *plain))
        {
            Some(plain) => sets_the_attribute(bench, plain, "r"),
            None => sets_the_attribute(bench, option, ""),
        },
    }
}

/// An option, with what the source has before (an option of mount(8), or a propagation), a word that tells in
/// mountinfo, and whether it is there afterwards.
const ATTRIBUTES: &[(&str, &str, &str, bool)] = &[
    ("ro", "", "ro", true),
    ("rw", "ro", "ro", false),
    ("nosuid", "", "nosuid", true),
    ("suid", "nosuid", "nosuid", false),
    ("nodev", "", "nodev", true),
    ("dev", "nodev", "nodev", false),
    ("noexec", "", "noexec", true),
    ("exec", "noexec", "noexec", false),
    ("nodiratime", "", "nodiratime", true),
    ("diratime", "nodiratime", "nodiratime", false),
    ("nosymfollow", "", "nosymfollow", true),
    ("symfollow", "nosymfollow", "nosymfollow", false),
    ("noatime", "", "noatime", true),
    ("atime", "noatime", "noatime", false),
    ("relatime", "noatime", "relatime", true),
    ("strictatime", "", "relatime", false),
    ("nostrictatime", "strictatime", "relatime", true),
    ("shared", "", "shared:", true),
    ("private", "shared", "shared:", false),
    ("slave", "shared", "master:", true),
    ("unbindable", "", "unbindable", true),
];

const PROPAGATIONS: [&str; 4] = ["shared", "private", "slave", "unbindable"];

fn sets_the_attribute(bench: &Bench, option: &str, depth: &str) -> bool {
    let row = ATTRIBUTES.iter().find(|row| row.0 == option);
    let (_, before, word, wanted) = row.unwrap_or_else(|| panic!("no test for {option}"));
    let (flags, propagation) = if PROPAGATIONS.contains(before) {
        ("", *before)
    } else {
        (*before, "private")
    };
    let tried = format!("{depth}{option}");
    let with = Lines::of(bench, flags, propagation, &["rbind", &tried]);
    let without = Lines::of(bench, flags, propagation, &["rbind"]);
    // The outer mount has it. The inner one has it if the option is recursive, else it is as it was.
    let outer = with.outer_has(word) == *wanted;
    let inner = with.inner_has(word)
        == if depth.is_empty() {
            without.inner_has(word)
        } else {
            *wanted
        };
    let matters = without.outer_has(word) != *wanted;
    assert!(matters, "{tried}: nothing to see: {without:?}");
    if !(outer && inner) {
        println!("{tried}: {with:?}");
    }
    with.outer.is_some() && outer && inner
}

/// What the container sees of the source, at /data, and of the mount below it.
#[derive(Debug)]
struct Lines {
    outer: Option<String>,
    inner: Option<String>,
}

impl Lines {
    /// In a mount namespace of the test's own, a tmpfs with another one in it, both with these `flags`, is
    /// bound with `options`.
    fn of(bench: &Bench, flags: &str, propagation: &str, options: &[&str]) -> Self {
        let source = bench.directory("source");
        let bundle = bundle(bench);
        bundle.edit(|spec| {
            *mount(spec) = json!({
                "destination": "/data", "type": "bind", "source": source, "options": options,
            });
            // Else what is shared outside has become a slave before it is bound.
            spec["linux"]["rootfsPropagation"] = match propagation {
                "shared" => json!("shared"),
                _ => Value::Null,
            };
        });
        let script = format!(
            "mount -t tmpfs outer {source}; mkdir {source}/inner; mount -t tmpfs inner {source}/inner
            for m in {source} {source}/inner; do
                [ -z '{flags}' ] || mount -o remount,bind,{flags} $m
                mount --make-{propagation} $m
            done",
            source = source.display(),
        );
        let outcome = bundle.run(bench).after(&script).run();
        Self::read(&outcome)
    }

    /// Of a run of the probe; one that failed saw nothing.
    fn read(outcome: &Outcome) -> Self {
        if outcome.code != Some(0) {
            println!("{outcome}");
            return Self {
                outer: None,
                inner: None,
            };
        }
        let report = Probe::report(outcome);
        let line = |path: &str| {
            let lines = strings(&report["mounts"]);
            let found = lines
                .iter()
                .find(|line| line.split(' ').nth(4) == Some(path));
            found.cloned()
        };
        Self {
            outer: line("/data"),
            inner: line("/data/inner"),
        }
    }

    fn outer_has(&self, word: &str) -> bool {
        has(self.outer.as_deref().unwrap_or_default(), word)
    }

    fn inner_has(&self, word: &str) -> bool {
        has(self.inner.as_deref().unwrap_or_default(), word)
    }
}

/// Whether the mount's own part of a line of mountinfo has `word`, one that ends with a colon as a beginning.
fn has(line: &str, word: &str) -> bool {
    let own = line.split(" - ").next().unwrap_or_default();
    let mut words = own.split([' ', ',']);
    words.any(|have| have == word || word.ends_with(':') && have.starts_with(word))
}

/// A mount namespace of the test's own.
/// The bundle whose last mount each case replaces.
fn bundle(bench: &Bench) -> Bundle {
    let directory = bench.path("mounts");
    if directory.exists() {
        return Bundle::at(directory.clone(), &directory);
    }
    let bundle = plain::bundle(bench, "mounts", &["/bin/probe", "look"]);
    bundle.edit(|spec| {
        spec["mounts"]
            .as_array_mut()
            .expect("mounts")
            .push(json!({}));
    });
    bundle
}

fn mount(spec: &mut Value) -> &mut Value {
    spec["mounts"]
        .as_array_mut()
        .expect("mounts")
        .last_mut()
        .expect("one")
}

fn reaches_below(bench: &Bench, option: &str) -> bool {
    let lines = Lines::of(bench, "", "private", &[option]);
    lines.outer.is_some() && lines.inner.is_some() == (option == "rbind")
}

/// What the kernel keeps with the file system is in the last field of its line.
fn sets_the_file_systems_flag(bench: &Bench, option: &str) -> bool {
    let (options, word, wanted) = match option {
        "async" => (vec!["sync", "async"], "sync", false),
        "nolazytime" => (vec!["lazytime", "nolazytime"], "lazytime", false),
        other => (vec![other], other, true),
    };
    let bundle = bundle(bench);
    bundle.edit(|spec| {
        *mount(spec) = json!({
            "destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": options,
        });
    });
    let line = Lines::read(&bundle.run(bench).run())
        .outer
        .unwrap_or_default();
    let flags = line.rsplit(' ').next().unwrap_or_default();
    !line.is_empty() && flags.split(',').any(|flag| flag == word) == wanted
}

/// A file of uid 3000's on the host is uid 5's inside.
fn maps_ids(bench: &Bench, option: &str) -> bool {
    let source = bench.directory("source");
    let bundle = bundle(bench);
    let stat = "stat -c '%u' /data/file /data/inner/file";
    bundle.edit(|spec| {
        let map = json!([{ "containerID": 3000, "hostID": 5, "size": 1 }]);
        *mount(spec) = json!({
            "destination": "/data", "type": "bind", "source": source, "options": ["rbind", option],
            "uidMappings": map, "gidMappings": map,
        });
        spec["process"]["args"] = json!(["/bin/busybox", "sh", "-c", format!("busybox {stat}")]);
    });
    let script = format!(
        "mount -t tmpfs outer {0}; mkdir {0}/inner; mount -t tmpfs inner {0}/inner
        for f in {0}/file {0}/inner/file; do touch $f; chown 3000:3000 $f; done",
        source.display(),
    );
    let outcome = bundle.run(bench).after(&script).expect(0);
    bundle.edit(|spec| spec["process"]["args"] = json!(["/bin/probe", "look"]));
    let below = if option == "ridmap" { "5" } else { "3000" };
    outcome.stdout == format!("5\n{below}\n")
}

fn copies_up(bench: &Bench) -> bool {
    let bundle = plain::bundle(bench, "copied", &["cat", "/etc/kept"]);
    let file = bundle.rootfs().join("etc/kept");
    fs::write(&file, "from the image").expect("write");
    chown(&file, Some(7), Some(7)).expect("chown");
    bundle.edit(|spec| {
        let mount = json!({
            "destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
        });
        spec["mounts"].as_array_mut().expect("mounts").push(mount);
    });
    bundle.run(bench).expect(0).stdout == "from the image"
}

/// What holds for all below holds for a file system that is made, too, which has nothing below it.
#[test]
fn recursive_options_hold_for_file_systems_that_are_made() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "made", &["cat", "/proc/self/mountinfo"]);
    bundle.edit(|spec| {
        let mount = json!({
            "destination": "/made", "type": "tmpfs", "source": "tmpfs",
            "options": ["rro", "rnosuid", "rnodev", "rnoexec"],
        });
        spec["mounts"].as_array_mut().expect("mounts").push(mount);
    });
    let outcome = bundle.run(&bench).expect(0);
    let lines = outcome.stdout.lines();
    let made: Vec<&str> = lines.filter(|line| line.contains(" /made ")).collect();
    assert_eq!(made.len(), 1, "{outcome}");
    assert!(made[0].contains(" ro,nosuid,nodev,noexec"), "{outcome}");
}

/// Its devices are made before it is.
#[test]
fn a_dev_that_is_read_only_has_its_devices() {
    let bench = Bench::new();
    let script = "touch /dev/new 2>/dev/null && echo WRITTEN; ls -l /dev/null";
    let bundle = plain::bundle(&bench, "dev", &["sh", "-c", script]);
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        let dev = mounts
            .iter_mut()
            .find(|mount| mount["destination"] == "/dev");
        let options = &mut dev.expect("a /dev")["options"];
        options.as_array_mut().expect("options").push(json!("ro"));
    });
    let outcome = bundle.run(&bench).expect(0);
    assert!(!outcome.stdout.contains("WRITTEN"), "{outcome}");
    outcome.says("1,   3");
}

/// A path that leads through a file is none to hide.
#[test]
fn a_masked_path_through_a_file_hides_nothing() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "masked", &["cat", "/proc/version"]);
    bundle.edit(|spec| {
        spec["linux"]["maskedPaths"] = json!(["/proc/version/none", "/proc/none"]);
    });
    bundle.run(&bench).expect(0).says("Linux");
}
