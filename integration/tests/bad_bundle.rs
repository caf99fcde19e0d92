//! Root file systems that are made to mislead, and what is odd in a bundle and isn't refused. What is simply wrong is
//! in `bad_input/`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

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
fn a_capability_that_nobody_knows_is_told_and_ignored() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.edit(|spec| spec["process"]["capabilities"] = json!({ "bounding": ["CAP_FOO"] }));
    let outcome = bundle.run(&bench).expect(0);
    assert!(outcome.stderr.contains("warning") && outcome.stderr.contains("CAP_FOO"));
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

#[test]
fn a_file_where_dev_must_be_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "file", &["true"]);
    let dev = bundle.rootfs().join("dev");
    fs::remove_dir_all(&dev).expect("remove");
    fs::write(&dev, "").expect("a file");
    bench.assert_refused(&bundle.run(&bench).run(), "/dev");
}

#[test]
fn a_working_directory_that_can_not_be_entered_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for directory in ["/bin/busybox", "/bin/busybox/below"] {
        bundle.edit(|spec| {
            spec["root"]["readonly"] = json!(true);
            spec["process"]["cwd"] = json!(directory);
        });
        bench.assert_refused(&bundle.run(&bench).run(), directory);
    }
}

#[test]
fn a_root_file_system_that_is_a_link_is_followed_once_and_a_swapped_dev_null_is_not() {
    let bench = Bench::new();
    let bundle = plain::bundle(
        &bench,
        "plain",
        &["sh", "-c", "ls -l /dev/null; cat /proc/kcore | cat"],
    );
    // CVE-2025-31133: the image brings a /dev/null that leads to a kernel setting.
    let null = bundle.rootfs().join("dev/null");
    symlink("/proc/sys/kernel/core_pattern", &null).expect("a link");
    bundle.edit(|spec| spec["linux"]["maskedPaths"] = json!(["/proc/kcore"]));
    let outcome = bundle.run(&bench).expect(0);
    outcome.says("crw-rw-rw-").says("1,   3");
    assert!(Path::new("/proc/sys/kernel/core_pattern").exists());
}
