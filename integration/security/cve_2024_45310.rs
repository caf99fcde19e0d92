//! The directories in which a mount point is missing are exchanged for a link while the runtime makes it: empty
//! directories and files appear on the host.

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, plain};
use serde_json::json;

use crate::attacker::{Exchanging, tree};

/// Without a race: links in a volume lead to what is on the host and not in the container.
#[test]
fn what_a_volumes_links_lack_inside_is_not_made_on_the_host() {
    let bench = Bench::new();
    let marker = bench.directory("marker");
    let file = bench.file("file", "").display().to_string();
    let volume = bench.directory("volume");
    symlink(marker.join("made"), volume.join("file")).expect("a link");
    symlink(&marker, volume.join("directory")).expect("a link");
    let bundle = plain::bundle(&bench, "image", &["true"]);
    let whole = bundle.spec();
    let before = tree(&marker);
    for (source, place) in [
        (&*file, "file"),
        ("/usr", "file"),
        (&*file, "directory/made"),
        ("/usr", "directory/made"),
        ("/usr", "directory/made/deeper"),
        ("/usr", "directory"),
    ] {
        bundle.set_spec(&whole).edit(|spec| {
            let mounts = spec["mounts"].as_array_mut().expect("mounts");
            for (source, destination) in [
                (volume.display().to_string(), "/volume".to_owned()),
                (source.to_owned(), format!("/volume/{place}")),
            ] {
                mounts.push(json!({
                    "destination": destination, "type": "bind", "source": source, "options": ["rbind"],
                }));
            }
        });
        let outcome = bundle.run(&bench).run();
        assert!(matches!(outcome.code, Some(0 | 125)), "{outcome}");
        assert_eq!(tree(&marker), before, "{place}: {outcome}");
        bench.assert_nothing_left_by(&outcome);
    }
}

const STARTS: usize = 100;

#[test]
fn missing_mount_points_are_never_made_on_the_host() {
    let bench = Bench::new();
    let marker = bench.directory("marker");
    let file = bench.file("file", "");
    let bundle = plain::bundle(&bench, "image", &["true"]);
    let root = bundle.rootfs();
    fs::create_dir(root.join("volume")).expect("a directory");
    symlink(&marker, root.join("link")).expect("a link");
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        for (source, destination) in [
            ("/usr".into(), "/volume/made/directory"),
            (file.display().to_string(), "/volume/made-file"),
            (file.display().to_string(), "/volume/made/below/file"),
        ] {
            mounts.push(json!({
                "destination": destination, "type": "bind", "source": source, "options": ["rbind", "ro"],
            }));
        }
        spec["process"]["cwd"] = json!("/volume/work/deep");
    });
    let before = tree(&marker);
    let attacker = Exchanging::names(&root.join("volume"), &root.join("link"));
    for _ in 0..STARTS {
        let outcome = bundle.run(&bench).run();
        assert!(matches!(outcome.code, Some(0 | 125)), "{outcome}");
        assert_eq!(tree(&marker), before, "{outcome}");
        // What was made inside is there for the next start: take it away as far as it can be found just now.
        for name in ["volume", "link"] {
            let place = root.join(name);
            if fs::symlink_metadata(&place).is_ok_and(|status| status.is_dir()) {
                for made in ["made", "made-file", "work"] {
                    let _ = fs::remove_file(place.join(made));
                    let _ = fs::remove_dir_all(place.join(made));
                }
            }
        }
    }
    assert!(attacker.stop() > STARTS);
    bench.assert_no_orphans();
}
