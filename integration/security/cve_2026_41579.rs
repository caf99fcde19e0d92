//! An image whose `/dev` is a symbolic link has the runtime make devices on the host (CVE-2026-41579 in runc,
//! CVE-2026-47766 in crun).

use std::fs;
use std::os::unix::fs::symlink;

use integration::{Bench, Bundle, plain};
use serde_json::{Value, json};

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
