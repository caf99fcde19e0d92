//! An image whose `/dev` is a symbolic link has the runtime make devices on the host (CVE-2026-41579 in runc,
//! CVE-2026-47766 in crun). Or it becomes one while the container is made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use integration::{Bench, Bundle, plain};
use serde_json::{Value, json};

use crate::attacker::{Exchanging, tree};

const STARTS: usize = 60;

fn add_bind(spec: &mut Value, source: &str, destination: &str) {
    let mount = json!({
        "destination": destination, "type": "bind", "source": source, "options": ["bind", "ro"],
    });
    spec["mounts"].as_array_mut().expect("mounts").push(mount);
}

/// A root file system in which `path` is a link to a marker directory of the host's.
fn linked(bench: &Bench, path: &str, name: &str) -> (Bundle, std::path::PathBuf) {
    let marker = bench.directory(&format!("marker-{name}"));
    let bundle = plain::bundle(bench, &format!("linked-{name}"), &["true"]);
    let place = bundle.rootfs().join(path);
    let _ = fs::remove_dir_all(&place);
    symlink(&marker, &place).expect("a link");
    (bundle, marker)
}

#[test]
fn a_link_for_what_the_runtime_relies_on_is_refused_and_its_target_unchanged() {
    let bench = Bench::new();
    for path in ["dev", "proc"] {
        let (bundle, marker) = linked(&bench, path, path);
        bench.assert_refused(&bundle.run(&bench).run(), "symbolic link");
        assert_eq!(integration::host::names_in(&marker), [""; 0]);
    }
}

#[test]
fn a_link_on_the_way_to_a_mount_is_followed_inside_and_its_target_on_the_host_unchanged() {
    let bench = Bench::new();
    let (bundle, marker) = linked(&bench, "data", "data");
    let whole = bundle.spec();
    for destination in ["/data", "/data/deeper"] {
        bundle.set_spec(&whole);
        bundle.edit(|spec| add_bind(spec, "/usr", destination));
        bundle.run(&bench).expect(0);
        assert_eq!(integration::host::names_in(&marker), [""; 0]);
    }
}

#[test]
fn relative_dangling_and_looping_links_are_refused_too() {
    let bench = Bench::new();
    for (name, target) in [
        ("up", "../../../../tmp"),
        ("dangling", "nowhere"),
        ("loop", "dev"),
    ] {
        let bundle = plain::bundle(&bench, name, &["true"]);
        let dev = bundle.rootfs().join("dev");
        fs::remove_dir_all(&dev).expect("remove");
        symlink(target, &dev).expect("a link");
        bench.assert_refused(&bundle.run(&bench).run(), "symbolic link");
    }
}

/// Starts it again and again while the two names are exchanged: what is made lands inside or nowhere.
fn race(bench: &Bench, bundle: &Bundle, [one, other]: [&Path; 2], marker: &Path) {
    let before = tree(marker);
    let attacker = Exchanging::names(one, other);
    for _ in 0..STARTS {
        let outcome = bundle.run(bench).run();
        assert!(matches!(outcome.code, Some(0 | 125)), "{outcome}");
        assert_eq!(tree(marker), before, "{outcome}");
    }
    assert!(attacker.stop() > STARTS);
    bench.assert_no_orphans();
}

/// The image's own `/dev`: nothing is mounted there.
fn with_its_own_dev(spec: &mut Value) {
    let mounts = spec["mounts"].as_array_mut().expect("mounts");
    mounts.retain(|mount| mount["destination"] != "/dev");
}

fn in_a_user_namespace(spec: &mut Value) {
    let ids = json!([{ "containerID": 0, "hostID": 0, "size": 65_536 }]);
    spec["linux"]["uidMappings"] = ids.clone();
    spec["linux"]["gidMappings"] = ids;
    let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
    namespaces.push(json!({ "type": "user" }));
}

#[test]
fn a_dev_that_becomes_a_link_meanwhile_has_nothing_made_on_the_host() {
    type Change = fn(&mut Value);
    let ways: [(&str, Change); 4] = [
        ("mounted", |_| {}),
        ("own", with_its_own_dev),
        ("mounted-user", in_a_user_namespace),
        ("own-user", |spec| {
            with_its_own_dev(spec);
            in_a_user_namespace(spec);
        }),
    ];
    for (name, change) in ways {
        let bench = Bench::new();
        let marker = bench.directory("marker");
        let bundle = plain::bundle(&bench, name, &["true"]);
        bundle.edit(change);
        let root = bundle.rootfs();
        symlink(&marker, root.join("link")).expect("a link");
        race(
            &bench,
            &bundle,
            [&root.join("dev"), &root.join("link")],
            &marker,
        );
    }
}

/// A device's own place, where the runtime makes a file to mount the host's device on.
#[test]
fn a_devices_place_that_becomes_a_link_meanwhile_is_not_made_on_the_host() {
    let bench = Bench::new();
    let marker = bench.directory("marker");
    let bundle = plain::bundle(&bench, "image", &["true"]);
    bundle.edit(|spec| {
        with_its_own_dev(spec);
        in_a_user_namespace(spec);
    });
    let dev = bundle.rootfs().join("dev");
    fs::write(dev.join("null"), "").expect("a file");
    symlink(marker.join("made"), dev.join("link")).expect("a link");
    race(
        &bench,
        &bundle,
        [&dev.join("null"), &dev.join("link")],
        &marker,
    );
}

/// A device below a volume that others write to.
#[test]
fn a_device_in_a_volume_is_made_there_or_nowhere() {
    let bench = Bench::new();
    let marker = bench.directory("marker");
    let volume = bench.directory("volume");
    fs::create_dir(volume.join("directory")).expect("a directory");
    symlink(&marker, volume.join("link")).expect("a link");
    let bundle = plain::bundle(&bench, "image", &["true"]);
    let device =
        |path: &str| json!({ "path": path, "type": "c", "major": 1, "minor": 3, "fileMode": 438 });
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.push(json!({
            "destination": "/dev/volume", "type": "bind", "source": volume, "options": ["rbind"],
        }));
        spec["linux"]["devices"] = json!([device("/dev/volume/directory/made")]);
    });
    let before = tree(&marker);
    let names = [volume.join("directory"), volume.join("link")];
    let attacker = Exchanging::names(&names[0], &names[1]);
    for _ in 0..STARTS {
        let outcome = bundle.run(&bench).run();
        assert!(matches!(outcome.code, Some(0 | 125)), "{outcome}");
        assert_eq!(tree(&marker), before, "{outcome}");
        for place in &names {
            if fs::symlink_metadata(place).is_ok_and(|status| status.is_dir()) {
                let _ = fs::remove_file(place.join("made"));
            }
        }
    }
    assert!(attacker.stop() > STARTS);
}
