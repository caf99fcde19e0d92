//! `list` in its forms, with runc's schema, and the `config.json` that `spec` writes.

use std::fs;

use integration::{Bench, Bundle, Outcome, Tool, plain};
use serde_json::{Value, json};

/// An id that no other run of these tests has.
fn own_id(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// Creates containers that wait for `start`, and whose output nobody reads.
fn create(bench: &Bench, bundle: &Bundle, id: &str) {
    let mut tool = bundle.create(bench, id);
    let quiet = || fs::File::create("/dev/null").expect("open /dev/null");
    let status = tool.command().stdout(quiet()).stderr(quiet()).status();
    assert!(status.expect("create").success());
}

fn list(bench: &Bench, arguments: &[&str]) -> Outcome {
    bench.runtime().arg("list").args(arguments).expect(0)
}

#[test]
fn containers_are_listed_in_three_forms() {
    let bench = Bench::new();
    assert_eq!(list(&bench, &["--format", "json"]).stdout, "[]\n");
    assert_eq!(list(&bench, &["-q"]).stdout, "");
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.edit(|spec| spec["annotations"] = json!({ "a": "b" }));
    let (first, second) = (&own_id("first"), &own_id("second"));
    create(&bench, &bundle, first);
    create(&bench, &bundle, second);

    assert_eq!(list(&bench, &["-q"]).stdout, format!("{first}\n{second}\n"));
    let listed: Vec<Value> =
        serde_json::from_str(&list(&bench, &["-f", "json"]).stdout).expect("JSON");
    let state = |id: &str| -> Value {
        let text = bench.runtime().args(["state", id]).expect(0).stdout;
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(listed, [state(first), state(second)]);
    for key in [
        "ociVersion",
        "id",
        "status",
        "bundle",
        "rootfs",
        "created",
        "owner",
    ] {
        assert!(listed[0][key].is_string(), "{key}: {}", listed[0]);
    }
    assert!(listed[0]["pid"].as_i64().is_some_and(|pid| pid > 0));
    assert_eq!(listed[0]["annotations"], json!({ "a": "b" }));

    let table = list(&bench, &[]).stdout;
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    );
    assert_eq!(lines[1][0], first);
    assert_eq!(lines[2][0], second);
    assert_eq!(lines[2][2], "created");
    for id in [first, second] {
        bench.runtime().args(["delete", "--force", id]).expect(0);
    }
    assert_eq!(list(&bench, &[]).stdout.lines().count(), 1);
}

#[test]
fn the_table_is_runcs() {
    integration::require_program("/usr/sbin/runc", "runc");
    let bench = Bench::new();
    let (ours, theirs) = (bench.directory("ours"), bench.directory("theirs"));
    let runc = Tool::new("runc").arg("--root").arg(&theirs).arg("list");
    let own = bench.runtime().arg("list").arg("--root").arg(&ours);
    let squeeze = |outcome: Outcome| -> Vec<String> {
        outcome
            .stdout
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(squeeze(own.expect(0)), squeeze(runc.expect(0)));
}

#[test]
fn what_can_not_be_read_is_named_and_doesnt_hide_the_rest() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let id = &own_id("good");
    create(&bench, &bundle, id);
    let broken = bench.root().join("broken");
    fs::create_dir(&broken).expect("a directory");
    fs::write(broken.join("state.json"), "{").expect("write");
    let outcome = list(&bench, &["-q"]);
    assert_eq!(outcome.stdout, format!("{id}\n"));
    assert!(outcome.one_line().contains("broken"), "{outcome}");
    bench
        .runtime()
        .args(["delete", "--force", "broken"])
        .expect(0);
    bench.runtime().args(["delete", "--force", id]).expect(0);
}

#[test]
fn the_written_spec_runs_and_is_never_overwritten() {
    let bench = Bench::new();
    let directory = bench.directory("fresh");
    plain::root_file_system(&directory.join("rootfs"));
    let spec = || bench.runtime().args(["spec", "--bundle"]).arg(&directory);
    spec().expect(0);
    let outcome = spec().expect(1);
    assert!(outcome.one_line().contains("exists"), "{outcome}");
    let bundle = Bundle::at(directory.clone(), &directory);
    bundle.edit(|spec| {
        assert_eq!(spec["process"]["terminal"], true);
        assert_eq!(spec["process"]["args"], json!(["sh"]));
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!([
            "sh",
            "-c",
            "id -u; cat /proc/self/status; ls /sys/fs/cgroup"
        ]);
    });
    let outcome = bundle.run(&bench).expect(0);
    outcome.says("0\n").says("NoNewPrivs:\t1");
    outcome.says("CapBnd:\t0000000020000420");
    outcome.says("pids");
    // In the current directory without --bundle.
    let here = bench.directory("here");
    bench.runtime().arg("spec").current_dir(&here).expect(0);
    assert!(here.join("config.json").is_file());
}

#[test]
fn the_rootless_spec_maps_the_caller() {
    let bench = Bench::new();
    let directory = bench.directory("fresh");
    let tool = bench.runtime().args(["spec", "--rootless", "-b"]);
    tool.arg(&directory).expect(0);
    let spec = Bundle::at(directory.clone(), &directory).spec();
    let mapping = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    assert_eq!(spec["linux"]["uidMappings"], mapping);
    assert_eq!(spec["linux"]["gidMappings"], mapping);
    let namespaces = spec["linux"]["namespaces"].as_array().expect("namespaces");
    let has = |kind: &str| namespaces.iter().any(|namespace| namespace["type"] == kind);
    assert!(has("user") && !has("network"));
}
