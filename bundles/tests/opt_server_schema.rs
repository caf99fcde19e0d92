//! The published schema and the reference in the documentation against the table that they are made from, and
//! the schema against the parser's own vectors.
//!
//! `UPDATE_DOCS=1` writes both anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bundles::opt_server::config::{Config, reference, schema};
use serde_json::Value;

const BEGIN: &str = "<!-- keys: made from the table in bundles/src/opt_server/config/keys.rs; UPDATE_DOCS=1 cargo test -p bundles --test opt_server_schema -->\n";
const END: &str = "<!-- /keys -->";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

#[test]
fn the_shipped_schema_is_the_tables() {
    let path = here("../docs/opt-server.schema.json");
    let wanted = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if is_updating() {
        fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), wanted);
}

#[test]
fn the_reference_is_the_tables() {
    let path = here("../docs/opt-server-config.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if is_updating() {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", reference())).unwrap();
        return;
    }
    assert_eq!(found, reference());
}

#[test]
fn it_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

/// What the parser refuses and a schema has no words for.
fn cannot_be_told(message: &str) -> bool {
    const KINDS: [&str; 12] = [
        "is already given",
        "is already in the group",
        "already has",
        "already taken",
        "did you mean",
        "belongs in a command",
        "without its end",
        "taken for a comment",
        "beyond the last there is",
        "must not contain a control character: \"a\\nb\"",
        "nested too deeply",
        "there is no system call",
    ];
    // In an object of ours a misspelt key is one that isn't allowed.
    let is_ours = message.contains("in \"x-opt-runtime\"") || message.contains("in \"limits\"");
    // Where a required key is misspelt, it is missing.
    let is_missing = message.contains("did you mean \"name\"");
    !is_ours && !is_missing && KINDS.iter().any(|kind| message.contains(kind))
}

#[test]
fn a_name_has_the_characters_that_the_parser_lets_it_have() {
    let schema = schema();
    let name = &schema["$defs"]["command"]["properties"]["name"];
    let validator = jsonschema::validator_for(name).unwrap();
    for character in '\0'..=char::MAX {
        let wanted = character != '/' && !character.is_whitespace() && !character.is_control();
        let is_valid = validator.is_valid(&Value::String(format!("a{character}")));
        assert_eq!(is_valid, wanted, "{:x}", u32::from(character));
    }
}

#[test]
fn it_says_what_the_parser_says_as_far_as_a_schema_can() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let table = fs::read_to_string(here("tests/data/opt_server_config/expectations.tsv")).unwrap();
    let mut seen = BTreeSet::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let file = columns.next().unwrap();
        let outcome = columns.next().unwrap();
        let message = columns.next().unwrap_or_default();
        let text = fs::read(here("tests/data/opt_server_config").join(file)).unwrap();
        let Ok(value) = serde_json::from_slice::<Value>(&text) else {
            assert_eq!(outcome, "refused", "{file}");
            continue;
        };
        let is_valid = validator.is_valid(&value);
        let wanted = outcome != "refused" || cannot_be_told(message);
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(is_valid, wanted, "{file}: {message}: {errors:?}");
        seen.insert((outcome.to_owned(), is_valid));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

/// Whole configurations among the documentation's examples.
#[test]
fn the_documentations_examples_are_configurations() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut count = 0;
    for page in ["opt-server.md", "opt-server-config.md"] {
        let text = fs::read_to_string(here("../docs").join(page)).unwrap();
        let blocks = text.split("```json\n").skip(1);
        let blocks = blocks.filter_map(|block| block.split("```").next());
        for block in blocks {
            let value: Value = match serde_json::from_str(block) {
                Ok(value) => value,
                // A part of one.
                Err(_) => continue,
            };
            let whole = match value.get("commands") {
                Some(_) => value,
                None if value.get("executable").is_some() => {
                    serde_json::json!({ "commands": [value] })
                }
                None => continue,
            };
            let text = whole.to_string();
            assert!(validator.is_valid(&whole), "{page}: {text}");
            let config = Config::parse(text.as_bytes(), Path::new(page)).unwrap();
            assert_eq!(config.warnings, [], "{page}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn the_examples_keep_to_it() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for file in ["config.json", "gams.config.json"] {
        let text = fs::read_to_string(here("../integration/models").join(file)).unwrap();
        let value = serde_json::from_str(&text.replace("@GAMS@", "/opt/gams")).unwrap();
        assert!(validator.is_valid(&value), "{file}");
    }
    let mut count = 0;
    for entry in fs::read_dir(here("../docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert!(validator.is_valid(&value), "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}
