//! The bill of materials that the package has. That it is one as CycloneDX has them, `hack/supply-chain` looks at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use integration::Tool;
use serde_json::Value;

/// What `hack/build-static` made.
fn made() -> PathBuf {
    let place = std::env::var_os("OPT_STATIC").map(PathBuf::from);
    place.expect("OPT_STATIC names what hack/build-static made, or use hack/test")
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The crates, as `NAME VERSION`, that Cargo says are in the programs of a package: what is compiled for them on this
/// machine, also what only runs then, and nothing that only tests need.
fn crates_by_cargo(package: &str) -> BTreeSet<String> {
    let tree = Tool::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--package", package])
        .current_dir(&top());
    let printed = tree.expect(0).stdout;
    let lines = printed.lines().filter(|line| !line.is_empty());
    let crates = lines.map(|line| {
        let mut words = line.split(' ');
        let words = words.next().zip(words.next());
        let (name, version) = words.expect("a name and a version");
        format!("{name} {}", version.trim_start_matches('v'))
    });
    crates.collect()
}

/// The package of a program: most are called as their programs are.
fn package_of(program: &str) -> &str {
    match program {
        "opt-runtime" => "runtime",
        "shifter-imagegw" => "imagegw",
        "containerd-shim-opt-v1" => "containerd-shim-opt",
        other => other,
    }
}

fn word<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().expect(key)
}

/// The digest that Cargo.lock has of a crate; none of the project's own.
fn locked_digest<'a>(lock: &'a str, name: &str, version: &str) -> Option<&'a str> {
    let head = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    let entry = lock
        .split("[[package]]")
        .find(|entry| entry.contains(&head));
    let entry = entry.unwrap_or_else(|| panic!("{name} {version} is not in Cargo.lock"));
    let line = entry
        .lines()
        .find_map(|line| line.strip_prefix("checksum = "));
    line.map(|digest| digest.trim_matches('"'))
}

#[test]
fn the_bill_of_materials_lists_exactly_the_crates_of_the_programs() {
    let text = fs::read_to_string(made().join("sbom.cdx.json")).expect("the bill");
    let bill: Value = serde_json::from_str(&text).expect("JSON");
    let components = bill["components"].as_array().expect("components");
    let listed: BTreeSet<String> = components
        .iter()
        .map(|one| format!("{} {}", word(one, "name"), word(one, "version")))
        .collect();
    assert_eq!(listed.len(), components.len(), "something is listed twice");

    let programs = integration::host::names_in(&made().join("bin"));
    let by_cargo: BTreeSet<String> = programs
        .iter()
        .flat_map(|program| crates_by_cargo(package_of(program)))
        .collect();
    let differ: Vec<_> = listed.symmetric_difference(&by_cargo).collect();
    assert!(differ.is_empty(), "only in one of the two: {differ:?}");

    let lock = fs::read_to_string(top().join("Cargo.lock")).expect("Cargo.lock");
    for one in components {
        let (name, version) = (word(one, "name"), word(one, "version"));
        assert_eq!(one["licenses"].as_array().map_or(0, Vec::len), 1, "{one}");
        let digest = one["hashes"][0]["content"].as_str();
        assert_eq!(digest, locked_digest(&lock, name, version), "{one}");
        let url = one["purl"].as_str();
        let wanted = digest.map(|_| format!("pkg:cargo/{name}@{version}"));
        assert_eq!(url, wanted.as_deref(), "{one}");
    }
}
