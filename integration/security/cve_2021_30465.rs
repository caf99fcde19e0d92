//! A volume that two containers share: one exchanges the directory on which the runtime mounts something for a link, so
//! that the mount lands on the host's tree, and the source of the next mount is the attacker's.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use integration::{Bench, host, plain, require_program, wait_until};
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

/// Likewise a file that the runtime makes to mount another on: between that and its opening strace gives the attacker time.
#[test]
fn a_file_that_is_made_for_a_mount_and_becomes_a_link_leads_nowhere() {
    require_program("/usr/bin/strace", "strace");
    let bench = Bench::new();
    let volume = bench.directory("volume");
    let (shown, hosts) = (
        bench.file("shown", "shown\n"),
        bench.file("hosts", "the host's\n"),
    );
    let bundle = plain::bundle(&bench, "bundle", &["cat", "/volume/target"]);
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        for (source, destination) in [(&volume, "/volume"), (&shown, "/volume/target")] {
            mounts.push(json!({
                "destination": destination, "type": "bind", "source": source, "options": ["rbind"],
            }));
        }
    });
    let target = volume.join("target");
    let slowly = [
        "-f",
        "-o",
        "/dev/null",
        "-P",
        "target",
        "-e",
        "trace=openat",
        "-e",
    ];
    let slowly = [&slowly[..], &["inject=openat:delay_exit=300000"]].concat();
    let run = || bundle.run(&bench).within("strace", &slowly);
    // Still, it runs.
    assert_eq!(run().expect(0).stdout, "shown\n");
    fs::remove_file(&target).expect("the file");
    let link = bench.path("volume/link");
    symlink(&hosts, &link).expect("a link");
    let running = run().start();
    wait_until("the file is made", Duration::from_secs(10), || {
        target.exists()
    });
    fs::rename(&link, &target).expect("exchange");
    bench.assert_refused(&running.finish(), "(os error 40)");
    assert!(host::mounts_below(&bench.path("")).is_empty());
}
