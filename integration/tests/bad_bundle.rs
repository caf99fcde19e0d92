//! Bad bundles: one clear line, a code that isn't 0, and nothing left behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use integration::{Bench, Bundle, plain};
use serde_json::{Value, json};

#[test]
fn usage_errors_are_125_too() {
    let bench = Bench::new();
    for arguments in [
        &["frobnicate"][..],
        &["run"],
        &["state"],
        &["run", "--nonsense", "x"],
        &[],
    ] {
        let outcome = bench.runtime().args(arguments).expect(125);
        let hint = "; hint: opt-runtime --help\n";
        assert!(outcome.stderr.ends_with(hint), "{outcome}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    }
}

/// A plain bundle whose `config.json` is this text.
fn with_text(bench: &Bench, text: &[u8]) -> Bundle {
    let directory = bench.directory("text");
    fs::create_dir_all(directory.join("rootfs")).expect("a directory");
    fs::write(directory.join("config.json"), text).expect("write");
    Bundle::at(directory.clone(), &directory)
}

#[test]
fn bundles_whose_config_is_no_spec() {
    let bench = Bench::new();
    let deep = format!("{{\"x\": {}", "[".repeat(200_000));
    let huge = format!("{{\"ociVersion\": \"{}\"}}", "x".repeat(100 << 20));
    for (text, says) in [
        (&b""[..], "config.json"),
        (b"{", "config.json"),
        (b"[]", "config.json"),
        (b"{}", "ociVersion"),
        (b"{\"ociVersion\": \"1.0.2\"}", "root is absent"),
        (
            b"{\"ociVersion\": \"2.0.0\", \"root\": {\"path\": \"rootfs\"}}",
            "ociVersion",
        ),
        (
            b"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"}}",
            "linux is absent",
        ),
        (b"{\"ociVersion\": 1}", "config.json"),
        (b"\xff", "config.json"),
        (deep.as_bytes(), "config.json"),
        (huge.as_bytes(), "larger than"),
    ] {
        let bundle = with_text(&bench, text);
        bench.assert_refused(&bundle.run(&bench).run(), says);
        bench.assert_refused(&bundle.create(&bench, "bad").run(), says);
    }
}

#[test]
fn bundles_that_are_none() {
    let bench = Bench::new();
    let file = bench.file("a-file", "");
    for path in [bench.path("nothere"), file, bench.directory("empty")] {
        let outcome = bench.runtime().arg("run").arg(&path).run();
        bench.assert_refused(
            &outcome,
            &path.file_name().expect("a name").to_string_lossy(),
        );
    }
}

/// A change to a spec, and what the refusal must name.
type Case = (fn(&mut Value), &'static str);

#[test]
fn specs_that_can_not_be_done() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let whole = bundle.spec();
    let cases: [Case; 16] = [
        (|spec| spec["process"]["args"] = json!([]), "process.args"),
        (|spec| spec["process"]["args"] = json!(["a\u{0}b"]), "NUL"),
        (|spec| spec["process"]["env"] = json!(["A=\u{0}"]), "NUL"),
        (
            |spec| spec["process"]["cwd"] = json!("relative"),
            "process.cwd",
        ),
        (
            |spec| spec["process"]["terminal"] = json!(true),
            "process.terminal",
        ),
        (
            |spec| spec["process"]["capabilities"] = json!({ "bounding": [7] }),
            "config.json",
        ),
        (
            |spec| spec["process"]["user"] = json!({ "uid": -1, "gid": 0 }),
            "config.json",
        ),
        (|spec| spec["root"]["path"] = json!("nothere"), "nothere"),
        (
            |spec| spec["root"]["path"] = json!("config.json"),
            "not a directory",
        ),
        (
            |spec| add_bind(spec, "/nothere-on-the-host", "/data"),
            "/nothere-on-the-host",
        ),
        (|spec| add_bind(spec, "/usr", "/a/../.."), "root"),
        (
            |spec| {
                let twice = spec["linux"]["namespaces"][0].clone();
                let listed = spec["linux"]["namespaces"].as_array_mut();
                listed.expect("namespaces").push(twice);
            },
            "\"pid\" more than once",
        ),
        (
            |spec| {
                let listed = spec["linux"]["namespaces"].as_array_mut();
                listed
                    .expect("namespaces")
                    .retain(|one| one["type"] != "network");
                spec["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1" });
            },
            "net.ipv4.ip_forward",
        ),
        (|spec| add_bind(spec, "/usr", "/"), "root"),
        (
            |spec| spec["linux"]["namespaces"][0]["path"] = json!("/nowhere/ns"),
            "/nowhere/ns",
        ),
        (|spec| spec["linux"] = Value::Null, "linux is absent"),
    ];
    let mut unclear = vec![];
    for (change, says) in cases {
        bundle.set_spec(&whole).edit(change);
        for tool in [bundle.run(&bench), bundle.create(&bench, "bad")] {
            let outcome = tool.run();
            assert_eq!(outcome.code, Some(125), "{says}: {outcome}");
            bench.assert_nothing_left_by(&outcome);
            if !outcome.one_line().contains(says) {
                unclear.push(format!("no \"{says}\": {}", outcome.one_line()));
            }
        }
    }
    assert!(unclear.is_empty(), "{unclear:#?}");
}

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
    for directory in ["/bin/busybox", "/nowhere/deep"] {
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
