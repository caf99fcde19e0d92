//! Golden bundles: what a command line's `config.json` is, but for what differs from host to host.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use integration::golden::assert_golden;
use integration::{Bench, model};
use serde_json::Value;

/// The bundle's `config.json`, with the host's own bits replaced by names.
fn normalised(bench: &Bench, name: &str, arguments: &[&str]) -> String {
    let text = fs::read(model("config.json")).expect("read config.json");
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    let commands = config["commands"].as_array().expect("commands");
    let command = commands
        .iter()
        .find(|command| command["name"] == name)
        .expect("the command");
    let project = bench.directory("project");
    let bundle = bench.sealed_for(name, command, arguments, &project, 0);
    let mut spec = bundle.spec();
    // Lists of calls have a golden test of their own beside the profile.
    spec["linux"]["seccomp"]["syscalls"] = "(the opt-server profile)".into();
    let text = format!("{spec:#}\n");
    let scratch = bench.path("").display().to_string();
    let text = text.replace(scratch.trim_end_matches('/'), "@BENCH@");
    replace_numbers(&text)
}

/// `opt-server-3.json` is a matter of the harness.
fn replace_numbers(text: &str) -> String {
    let mut out = String::new();
    for (place, piece) in text.split("opt-server-").enumerate() {
        if place == 0 {
            out.push_str(piece);
            continue;
        }
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str("opt-server-N");
        out.push_str(rest);
    }
    out
}

#[test]
fn bundles_of_solvers_are_as_they_were_read_and_found_right() {
    let bench = Bench::new();
    for (name, arguments) in [
        ("glpsol", &["--math", "transport.mod"][..]),
        ("glpsol-files", &["--math", "transport.mod"]),
        ("python3", &["spawn.py"]),
        ("python3-files", &["spawn.py"]),
    ] {
        let text = normalised(&bench, name, arguments);
        assert_golden(&format!("{name}.config.json"), &text);
    }
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let bench = Bench::new();
    let once = normalised(&bench, "glpsol", &["--math", "transport.mod"]);
    fs::remove_dir_all(bench.path("glpsol")).expect("remove the bundle");
    assert_eq!(
        once,
        normalised(&bench, "glpsol", &["--math", "transport.mod"])
    );
}

#[test]
fn everything_readable_has_a_reason() {
    let bench = Bench::new();
    for name in [
        "glpsol",
        "glpsol-files",
        "python3",
        "python3-files",
        "cbc-files",
    ] {
        normalised(&bench, name, &[]);
        let explained = bench
            .runtime()
            .args(["explain", "--json"])
            .arg(bench.path(name))
            .expect(0);
        let explained: Value = serde_json::from_str(&explained.stdout).expect("JSON");
        let mut reasons = BTreeMap::new();
        for mount in explained["mounts"].as_array().expect("mounts") {
            let path = mount["path"].as_str().expect("a path");
            let why = mount["why"].as_str().expect("a reason");
            assert!(
                !why.is_empty() && !why.contains("gives no reason"),
                "{path}: {why}"
            );
            reasons.insert(path.to_owned(), why.to_owned());
        }
        assert!(
            reasons.contains_key("/project") && reasons.len() > 5,
            "{reasons:?}"
        );
        assert!(Path::new(&bench.path(name)).is_dir());
    }
}
