//! Vectors: `tests/data/opt_server_audit/NAME.json`, what is found in each in `expectations.tsv`, and with
//! `NAME.fixed.json` the same without. `@` in them is a made-up host. A new vector gets a row with its name;
//! `UPDATE_EXPECTATIONS=1` fills in the rest, for you to judge.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use serde_json::json;

use super::*;
use crate::opt_server::expectations::Expectations;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/opt_server_audit")
}

/// A made-up host: programs, links, secrets. What it holds vanishes with it.
struct Host {
    directory: tempfile::TempDir,
    _listener: UnixListener,
}

impl Host {
    fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("opt-audit-test-")
            .tempdir_in("/var/tmp")
            .unwrap();
        let base = directory.path();
        let place = |name: &str, from: Result<&str, &str>, mode: u32| {
            let path = base.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match from {
                Ok(original) => drop(fs::copy(original, &path).unwrap()),
                Err(text) => fs::write(&path, text).unwrap(),
            }
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        for program in [
            "opt/solver/solver",
            "opt/solver/awk",
            "opt/solver/less",
            "opt/gams/gams",
            "opt/perl/perl5.36",
            "opt/python/python3.11",
            "opt/r/R",
            "opt/r/Rscript",
            "opt/xpress/mosel",
        ] {
            place(program, Ok("/usr/bin/true"), 0o755);
        }
        place("opt/solver/renamed", Ok("/bin/sh"), 0o755);
        place("opt/solver/wrapper", Err("#!/bin/sh\nexec solver\n"), 0o755);
        place("opt/solver/data/model", Err("data"), 0o644);
        place("secrets/id_rsa", Err("key"), 0o644);
        place("hidden/id_rsa", Err("key"), 0o600);
        place("open/plugin", Err("text"), 0o666);
        place("sockets/readme", Err("text"), 0o644);
        fs::create_dir_all(base.join("srv/out")).unwrap();
        for (link, target) in [
            ("opt/solver/link-to-shell", "/bin/sh"),
            ("opt/solver/busybox-link", "/usr/bin/busybox"),
            ("link-to-bin", "/usr/bin"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let _listener = UnixListener::bind(base.join("sockets/docker.sock")).unwrap();
        Self {
            directory,
            _listener,
        }
    }

    fn audit(&self, file: &str) -> Audit {
        let text = fs::read_to_string(data().join(file)).unwrap();
        let text = text.replace('@', &self.directory.path().display().to_string());
        let config = Config::parse(text.as_bytes(), Path::new("config.json")).unwrap();
        // Of the real host's own directories a part is enough.
        let bounds = Bounds {
            entries: 20_000,
            ..Bounds::patient()
        };
        Audit::of(&config, &Resolver::host().unwrap(), bounds)
    }
}

#[test]
fn every_vector_has_its_findings_and_loses_them_by_the_fix() {
    let host = Host::new();
    let expectations = Expectations::of(&data());
    let files = expectations.files();
    let mut found = vec![];
    let mut seen = BTreeSet::new();
    for file in &files {
        let mut audit = host.audit(file);
        // What lies in the real host's own directories is its administrator's affair.
        let place = host.directory.path().display().to_string();
        let is_ours = |one: &Finding| {
            let is_of_content = ["secret", "socket", "world-writable"].contains(&one.rule);
            let is_cut = one.message.contains("wasn't looked at whole");
            !is_cut && (!is_of_content || one.message.contains(&place))
        };
        audit.findings.retain(is_ours);
        if audit.findings.is_empty() {
            found.push((*file).to_owned());
        }
        for finding in &audit.findings {
            seen.insert(finding.rule);
            let Finding {
                rule,
                practice,
                level,
                line,
                ..
            } = finding;
            found.push(format!("{file}\t{rule}\t{practice}\t{level}\t{line}"));
            assert_eq!(finding.to_string().lines().count(), 2, "{finding}");
        }
        let fixed = file.replace(".json", ".fixed.json");
        if data().join(&fixed).exists() {
            let after = host.audit(&fixed);
            let rules: BTreeSet<&str> = audit.findings.iter().map(|one| one.rule).collect();
            assert!(!rules.is_empty(), "{file}: nothing to fix");
            let left = after.findings.iter().filter(|one| rules.contains(one.rule));
            let left: Vec<&Finding> = left
                .filter(|one| one.rule != "interpreter" && one.rule != "shell-escape")
                .collect();
            assert!(left.is_empty(), "{fixed}: {left:?}");
        }
    }
    expectations.hold(&found);
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(seen, all, "every rule finds something in some vector");
}

#[test]
fn what_was_not_looked_at_is_told() {
    let host = Host::new();
    let text = fs::read_to_string(data().join("secret.json")).unwrap();
    let text = text.replace('@', &host.directory.path().display().to_string());
    let config = Config::parse(text.as_bytes(), Path::new("config.json")).unwrap();
    let none = Bounds {
        entries: 0,
        ..Bounds::patient()
    };
    let audit = Audit::of(&config, &Resolver::host().unwrap(), none);
    let rules: Vec<&str> = audit.findings.iter().map(|one| one.rule).collect();
    assert_eq!(rules, ["not-examined"]);
}

#[test]
fn rules_are_in_the_order_of_the_practices_and_have_names_of_their_own() {
    assert!(RULES.is_sorted_by_key(|rule| rule.practice));
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(names.len(), RULES.len());
    assert!((1..=5).all(|practice| RULES.iter().any(|rule| rule.practice == practice)));
    for rule in &RULES {
        assert_eq!(Rule::named(rule.id).id, rule.id);
    }
}

#[test]
fn levels_are_reached_from_above() {
    let host = Host::new();
    let reached = |file: &str| {
        let audit = host.audit(file);
        [Level::Note, Level::Warning, Level::Error].map(|level| audit.reaches(level))
    };
    assert_eq!(reached("clean.json"), [false; 3]);
    assert_eq!(reached("seccomp.json"), [true, false, false]);
    assert_eq!(reached("network.json"), [true, true, false]);
    assert_eq!(reached("shell.json"), [true; 3]);
}

/// The properties that SARIF 2.1.0 requires of the objects that we make, and their types.
#[test]
fn sarif_has_the_shape_of_its_schema() {
    let text = |more: serde_json::Value| {
        let mut schema = json!({ "type": "string", "minLength": 1 });
        for (key, value) in more.as_object().unwrap() {
            schema[key] = value.clone();
        }
        schema
    };
    let message = json!({ "type": "object", "required": ["text"], "properties": { "text": text(json!({})) } });
    let rule = json!({
        "type": "object",
        "required": ["id"],
        "properties": { "id": text(json!({})), "shortDescription": message, "fullDescription": message },
    });
    let location = json!({ "type": "object", "required": ["physicalLocation"], "properties": { "physicalLocation": {
        "type": "object",
        "required": ["artifactLocation", "region"],
        "properties": {
            "artifactLocation": { "type": "object", "required": ["uri"], "properties": { "uri": text(json!({ "format": "uri-reference", "pattern": "^[A-Za-z0-9/:%._~-]+$" })) } },
            "region": { "type": "object", "required": ["startLine"], "properties": { "startLine": { "type": "integer", "minimum": 1 } } },
        },
    } } });
    let schema = json!({
        "type": "object",
        "required": ["version", "runs"],
        "properties": {
            "version": { "const": "2.1.0" },
            "$schema": text(json!({ "format": "uri" })),
            "runs": { "type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": { "type": "object", "required": ["driver"], "properties": { "driver": {
                        "type": "object",
                        "required": ["name", "rules"],
                        "properties": { "name": text(json!({})), "rules": { "type": "array", "items": rule, "uniqueItems": true } },
                    } } },
                    "columnKind": { "enum": ["utf16CodeUnits", "unicodeCodePoints"] },
                    "results": { "type": "array", "items": {
                        "type": "object",
                        "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
                        "properties": {
                            "message": message,
                            "ruleId": text(json!({})),
                            "ruleIndex": { "type": "integer", "minimum": 0, "maximum": RULES.len() - 1 },
                            "level": { "enum": ["none", "note", "warning", "error"] },
                            "locations": { "type": "array", "minItems": 1, "items": location },
                        },
                    } },
                },
            } },
        },
    });
    let validator = jsonschema::validator_for(&schema).unwrap();
    let host = Host::new();
    for file in ["clean.json", "shell.json", "etc.json", "seccomp.json"] {
        let audit = host.audit(file);
        let log = audit.sarif();
        let errors: Vec<String> = validator
            .iter_errors(&log)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{file}");
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), audit.findings.len());
        for (result, finding) in results.iter().zip(&audit.findings) {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(
                log["runs"][0]["tool"]["driver"]["rules"][index]["id"],
                finding.rule
            );
        }
    }
}
