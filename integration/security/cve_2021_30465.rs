//! A volume that two containers share: one exchanges the directory on which the runtime mounts something for a link, so
//! that the mount lands on the host's tree, and the source of the next mount is the attacker's.

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, host, plain};
use serde_json::json;

use crate::attacker::{Exchanging, tree};

/// How many containers are started while the names change.
const STARTS: usize = 200;

#[test]
fn a_mount_whose_place_becomes_a_link_goes_nowhere_on_the_host() {
    let bench = Bench::new();
    // The directory of the host's in which volumes are, as kubelet has one; `second` is the one to be replaced.
    let volumes = bench.directory("volumes");
    let shared = bench.directory("volumes/shared");
    bench.directory("volumes/second");
    fs::write(volumes.join("second/right"), "").expect("a file");
    // If the volume were mounted on `volumes`, `volumes/second` would be the attacker's link to the host's root.
    symlink("/", shared.join("second")).expect("a link");
    fs::create_dir(shared.join("target")).expect("a directory");
    symlink(&volumes, shared.join("link")).expect("a link");
    let bundle = plain::bundle(
        &bench,
        "bundle",
        &["sh", "-c", "ls /second; cat /proc/self/mountinfo"],
    );
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        for (source, destination) in [
            (shared.clone(), "/shared"),
            (shared.clone(), "/shared/target"),
            (volumes.join("second"), "/second"),
        ] {
            mounts.push(json!({
                "destination": destination, "type": "bind", "source": source, "options": ["rbind"],
            }));
        }
    });
    // Still, it runs.
    bundle.run(&bench).expect(0).says("right\n");
    let before = tree(&volumes);
    let attacker = Exchanging::names(&shared.join("target"), &shared.join("link"));
    for _ in 0..STARTS {
        let outcome = bundle.run(&bench).run();
        // It is refused, or the third mount shows what was named.
        if outcome.code == Some(0) {
            assert!(outcome.stdout.starts_with("right\n"), "{outcome}");
        } else {
            assert_eq!(outcome.code, Some(125), "{outcome}");
            outcome.one_line();
        }
    }
    assert!(attacker.stop() > STARTS, "the names were hardly exchanged");
    assert_eq!(tree(&volumes), before);
    assert!(host::mounts_below(&volumes).is_empty());
}
