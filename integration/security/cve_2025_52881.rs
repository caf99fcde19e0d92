//! A mount whose place is exchanged meanwhile lands over `/proc`, and what the runtime writes to procfs goes into the
//! attacker's files instead: a security label that is never set, or a setting of the attacker's choice.

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, Bundle, plain};
use serde_json::json;

use crate::attacker::{Exchanging, tree};

const STARTS: usize = 100;

/// What the runtime is to write, below the look-alike of a proc.
const FILES: [&str; 4] = [
    "sys/kernel/domainname",
    "self/attr/exec",
    "self/oom_score_adj",
    "self/setgroups",
];

/// A volume with a look-alike of `/proc` or of a directory in it, mounted where the attacker says.
fn bundle(bench: &Bench, place: &str) -> Bundle {
    let volume = bench.directory("volume");
    for file in FILES {
        let path = volume.join("fake").join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, "the attacker's").expect("a file");
    }
    fs::create_dir(volume.join("target")).expect("a directory");
    symlink(place, volume.join("link")).expect("a link");
    let below = place.trim_start_matches("/proc").trim_start_matches('/');
    let script = "ls /proc/self/attr > /dev/null && cat /proc/sys/kernel/domainname /proc/self/oom_score_adj \
                  && cat /proc/self/mountinfo";
    let bundle = plain::bundle(bench, "bundle", &["sh", "-c", script]);
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        for (source, destination) in [
            (volume.clone(), "/volume"),
            (volume.join("fake").join(below), "/volume/target"),
        ] {
            mounts.push(json!({
                "destination": destination, "type": "bind", "source": source, "options": ["rbind"],
            }));
        }
        spec["linux"]["sysctl"] = json!({ "kernel.domainname": "ours" });
        spec["process"]["oomScoreAdj"] = json!(500);
    });
    bundle
}

#[test]
fn what_is_written_to_procfs_never_goes_elsewhere() {
    never_goes_elsewhere("/proc");
}

/// A mount on a directory in procfs, which is on the way to what is written.
#[test]
fn what_is_written_in_procfs_never_goes_elsewhere() {
    never_goes_elsewhere("/proc/sys");
}

fn never_goes_elsewhere(place: &str) {
    let bench = Bench::new();
    let bundle = bundle(&bench, place);
    let volume = bench.path("volume");
    bundle.run(&bench).expect(0).says("ours\n500\n");
    let before = tree(&volume);
    let attacker = Exchanging::names(&volume.join("target"), &volume.join("link"));
    for _ in 0..STARTS {
        let outcome = bundle.run(&bench).run();
        if outcome.code == Some(0) {
            outcome.says("ours\n500\n");
            let covers =
                |line: &str| line.split(' ').nth(4) == Some(place) && !line.contains(" - proc ");
            assert!(!outcome.stdout.lines().any(covers), "{outcome}");
        } else {
            assert_eq!(outcome.code, Some(125), "{outcome}");
            outcome.one_line();
        }
    }
    assert!(attacker.stop() > STARTS);
    assert_eq!(
        tree(&volume),
        before,
        "something was written to the look-alike"
    );
}
