//! What crates of others the project is made of: what `hack/supply-chain` looks at as a step of `hack/test`, and that it
//! would refuse what is not named, a known advisory and what is not used.

use std::fs;
use std::path::{Path, PathBuf};

use integration::{Outcome, Tool};
use tempfile::TempDir;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A program that `hack/supply-chain` installs beside this build.
fn tool(name: &str) -> Tool {
    let own = std::env::current_exe().expect("the path of this program");
    let target = own.ancestors().nth(3).expect("a target directory");
    let path = target.join("tools/supply-chain/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: hack/supply-chain first, or use hack/test",
        path.display()
    );
    Tool::new(path)
}

/// What is said of all crates by `deny`; what is named there for nothing is refused, too.
fn checked_by(deny: &str, what: &str) -> Outcome {
    let strict =
        "[licenses]\nunused-allowed-license = \"deny\"\nunused-license-exception = \"deny\"\n";
    let place = tempfile::tempdir().expect("a directory");
    let config = place.path().join("deny.toml");
    fs::write(&config, deny.replace("[licenses]\n", strict)).expect("write deny.toml");
    let tool = tool("cargo-deny").args(["--offline", "--locked", "--color", "never", "--config"]);
    let tool = tool
        .arg(&config)
        .args(["check", "--allow", "no-license-field"]);
    let unused = ["--deny", "unmatched-skip", "--deny", "unnecessary-skip"];
    tool.args(unused).args([what]).current_dir(&top()).run()
}

/// `deny` with the list of this name emptied, and what was in it.
fn emptied(deny: &str, list: &str) -> (String, String) {
    let start = format!("\n{list} = [\n");
    let (before, rest) = deny.split_once(&start).expect("a list");
    let (inside, after) = rest.split_once("\n]").expect("an end");
    (format!("{before}{start}]{after}"), inside.to_owned())
}

/// The first word in quotes of each line, without a version.
fn named(list: &str) -> Vec<&str> {
    let lines = list.lines().filter(|line| !line.contains("# "));
    let names = lines.map(|line| line.split(['"', '@']).nth(1).expect("a name"));
    names.collect()
}

#[test]
fn no_crate_has_a_licence_source_or_second_version_that_is_not_named() {
    let deny = fs::read_to_string(top().join("deny.toml")).expect("deny.toml");
    for what in ["licenses", "bans", "sources"] {
        let outcome = checked_by(&deny, what);
        assert_eq!(outcome.code, Some(0), "{what}: {outcome}");
    }
    for (list, what) in [
        ("allow", "licenses"),
        ("exceptions", "licenses"),
        ("skip", "bans"),
    ] {
        let (without, inside) = emptied(&deny, list);
        let (outcome, names) = (checked_by(&without, what), named(&inside));
        assert!(outcome.code != Some(0) && names.len() > 2, "{outcome}");
        for name in names {
            assert!(outcome.stderr.contains(name), "{list}: {name}");
        }
    }
    let nowhere = deny.replace("[sources]", "[sources]\nallow-registry = []");
    let outcome = checked_by(&nowhere, "sources");
    assert!(outcome.code != Some(0), "{outcome}");
    assert!(outcome.stderr.contains("source-not-allowed"), "{outcome}");
}

/// A repository of advisories with one that is made up, against a crate that the project has.
fn made_up_advisories() -> TempDir {
    let place = tempfile::tempdir().expect("a directory");
    let of = place.path().join("crates/anyhow");
    fs::create_dir_all(&of).expect("make a directory");
    let text = "```toml\n[advisory]\nid = \"RUSTSEC-2099-0001\"\npackage = \"anyhow\"\ndate = \"2026-01-01\"\n\n\
        [versions]\npatched = []\n```\n\n# A made-up advisory\n\nNone.\n";
    fs::write(of.join("RUSTSEC-2099-0001.md"), text).expect("write an advisory");
    let git = |words: &[&str]| {
        let git = Tool::new("git").args([
            "-c",
            "user.name=nobody",
            "-c",
            "user.email=nobody@localhost",
        ]);
        git.args(words).current_dir(place.path()).expect(0);
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "one"]);
    place
}

#[test]
fn a_crate_with_a_known_advisory_is_refused() {
    let advisories = made_up_advisories();
    let check = Tool::new(top().join("hack/supply-chain"))
        .env("OPT_ADVISORY_DB", advisories.path().to_str().expect("text"))
        .current_dir(&top());
    let outcome = check.run();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("A made-up advisory"), "{outcome}");
}

/// A crate with one file of Rust, `code`.
fn crate_at(place: &Path, name: &str, code: &str, dependencies: &str) {
    fs::create_dir_all(place.join("src")).expect("make a directory");
    fs::write(place.join("src/lib.rs"), code).expect("write code");
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}"
    );
    fs::write(place.join("Cargo.toml"), manifest).expect("write a manifest");
}

#[test]
fn a_dependency_that_nothing_uses_is_refused() {
    let look = |place: &Path, more: &[&str]| {
        let shear = tool("cargo-shear").args(["--offline"]).args(more);
        shear.current_dir(place).run()
    };
    let outcome = look(&top(), &["--locked"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let place = tempfile::tempdir().expect("a directory");
    let needs = "other = { path = \"other\" }\n";
    crate_at(&place.path().join("other"), "other", "", "");
    crate_at(place.path(), "one", "pub use other as used;\n", needs);
    let outcome = look(place.path(), &[]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    crate_at(place.path(), "one", "", needs);
    let outcome = look(place.path(), &[]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.to_string().contains("other"), "{outcome}");
}
