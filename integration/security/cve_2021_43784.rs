//! Lengths in `config.json` that overflow what the runtime's processes tell each other.

use integration::{Bench, Outcome, plain};
use serde_json::{Value, json};

fn long(length: usize) -> String {
    "x".repeat(length)
}

fn many(count: usize, item: impl Fn(usize) -> Value) -> Value {
    (0..count).map(item).collect()
}

/// What is done to a spec.
type Change = fn(&mut Value);

/// Changes that are too much, or nearly so.
fn changes() -> Vec<(&'static str, Change)> {
    vec![
        ("a mount's path of 64 KiB", |spec| {
            add_mount(spec, &format!("/{}", long(65536)));
        }),
        ("a mount's path of 64 KiB in short names", |spec| {
            add_mount(spec, &"/x".repeat(32768));
        }),
        ("a source of 64 KiB", |spec| {
            add_mount(spec, "/mnt");
            let mounts = spec["mounts"].as_array_mut().expect("mounts");
            let last = mounts.last_mut().expect("a mount");
            last["source"] = json!(format!("/{}", long(65536)));
        }),
        ("options of 64 KiB", |spec| {
            add_mount(spec, "/mnt");
            let mounts = spec["mounts"].as_array_mut().expect("mounts");
            let last = mounts.last_mut().expect("a mount");
            last["options"] = json!([format!("size={}", long(65536))]);
        }),
        ("10,000 variables", |spec| {
            spec["process"]["env"] = many(10_000, |number| json!(format!("V{number}={number}")));
        }),
        ("a variable of 4 MiB", |spec| {
            spec["process"]["env"] = json!([format!("V={}", long(4 << 20))]);
        }),
        ("200,000 arguments", |spec| {
            spec["process"]["args"] = many(200_000, |_| json!("true"));
        }),
        ("10,000 mounts on one place", |spec| {
            let mounts = many(
                10_000,
                |_| json!({ "destination": "/mnt/x", "type": "nonesuch", "source": "none" }),
            );
            spec["mounts"] = mounts;
        }),
        ("a host name of 64 KiB", |spec| {
            spec["hostname"] = json!(long(65536))
        }),
        ("10,000 mappings", |spec| {
            let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
            namespaces.push(json!({ "type": "user" }));
            for key in ["uidMappings", "gidMappings"] {
                spec["linux"][key] = many(
                    10_000,
                    |number| json!({ "containerID": number, "hostID": 100_000 + number, "size": 1 }),
                );
            }
        }),
        ("a namespace's path of 64 KiB", |spec| {
            let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
            namespaces[0]["path"] = json!(format!("/{}", long(65536)));
        }),
        ("70,000 groups", |spec| {
            spec["process"]["user"]["additionalGids"] = many(70_000, |number| json!(number));
        }),
        ("10,000 masked paths", |spec| {
            spec["linux"]["maskedPaths"] = many(10_000, |number| json!(format!("/none/{number}")));
        }),
        ("a cgroup's path of 64 KiB", |spec| {
            spec["linux"]["cgroupsPath"] = json!(format!("/{}", long(65536)));
        }),
        ("a label of 64 KiB", |spec| {
            spec["process"]["apparmorProfile"] = json!(long(65536));
            spec["linux"]["mountLabel"] = json!(long(65536));
        }),
        ("an id of 4 GiB and one", |spec| {
            spec["process"]["user"]["uid"] = json!(4_294_967_296_u64);
        }),
    ]
}

fn add_mount(spec: &mut Value, destination: &str) {
    let mount = json!({ "destination": destination, "type": "tmpfs", "source": "tmpfs" });
    spec["mounts"].as_array_mut().expect("mounts").push(mount);
}

#[track_caller]
fn assert_clean(bench: &Bench, what: &str, outcome: &Outcome) {
    let is_known = matches!(outcome.code, Some(0 | 125 | 126));
    // The whole could be megabytes long.
    let end: String = outcome.stderr.chars().take(500).collect();
    assert!(
        is_known,
        "{what}: {:?}, {:?}: {end}",
        outcome.code, outcome.signal
    );
    if outcome.code != Some(0) {
        let line = outcome.one_line();
        assert!(line.len() < 8300, "{what}: a line of {} bytes", line.len());
        for noise in integration::NOISE {
            assert!(!line.contains(noise), "{what}: {line}");
        }
    }
    bench.assert_nothing_left_by(outcome);
}

#[test]
fn what_is_too_much_is_refused_in_one_line_and_what_is_not_runs() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let whole = bundle.spec();
    let mut ran = vec![];
    for (what, change) in changes() {
        bundle.set_spec(&whole).edit(change);
        let outcome = bundle.run(&bench).run();
        assert_clean(&bench, what, &outcome);
        if outcome.code == Some(0) {
            ran.push(what);
        }
    }
    assert!(ran.contains(&"10,000 variables"), "{ran:?}");
}
