//! Vectors: `tests/data/opt_server_config/*.json`, and what is expected of each in `expectations.tsv`.
//! A new vector gets a row with its name; `UPDATE_EXPECTATIONS=1` fills in the rest, for you to judge.

mod extensions;
mod files;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Command, Config, ConfigError, Extensions, MountDependencies};
use crate::opt_server::expectations::Expectations;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/opt_server_config")
}

fn parse(text: &[u8]) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("config.json"))
}

fn full() -> Vec<u8> {
    fs::read(data().join("full.json")).unwrap()
}

/// A vector's outcome, as `expectations.tsv` has it.
fn outcome(file: &str) -> Vec<String> {
    let row = |outcome: &str, message: String| {
        assert_eq!(message.lines().count(), 1, "{file}: {message}");
        let message = message
            .strip_prefix("config.json")
            .unwrap()
            .trim_start_matches(':')
            .to_owned();
        format!("{file}\t{outcome}\t{message}")
    };
    match parse(&fs::read(data().join(file)).unwrap()) {
        Ok(config) if config.warnings.is_empty() => vec![format!("{file}\tok")],
        Ok(config) => config
            .warnings
            .iter()
            .map(|warning| row("warns", warning.to_string()))
            .collect(),
        Err(error) => vec![row("refused", error.to_string())],
    }
}

#[test]
fn every_vector_does_as_expected() {
    let expectations = Expectations::of(&data());
    let files = expectations.files();
    let found: Vec<String> = files.iter().flat_map(|file| outcome(file)).collect();
    expectations.hold(&found);

    let listed: BTreeSet<String> = files.iter().map(|file| (*file).to_owned()).collect();
    let there: BTreeSet<String> = fs::read_dir(data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(listed, there, "every vector is expected to do something");
}

#[test]
fn a_full_file_is_read_whole() {
    let config = parse(&full()).unwrap();
    let owned = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let variables = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
    };
    let gams = Command {
        name: "gams".to_owned(),
        executable: "/opt/gams/gams".into(),
        mount_readable: vec!["/opt/gams".into(), "/opt/data files".into()],
        mount_dependencies: MountDependencies::Files,
        environment_variables: variables(&[
            ("ZED", "last first"),
            ("PATH", "/opt/gams"),
            ("EMPTY", ""),
        ]),
        append_options: owned(&["execMode=4", "two words", "$HOME", "*"]),
        extensions: Extensions::default(),
        line: 5,
    };
    let cafe = Command {
        name: "café-2".to_owned(),
        executable: "/usr/bin/cbc".into(),
        mount_readable: vec![],
        mount_dependencies: MountDependencies::Directories,
        environment_variables: variables(&[("B", "1=2"), ("A", "")]),
        append_options: owned(&["two words", "", "# not a comment", "$HOME"]),
        extensions: Extensions::default(),
        line: 14,
    };
    let glpsol = Command {
        name: "glpsol".to_owned(),
        executable: "/usr/bin/glpsol".into(),
        mount_readable: vec![],
        mount_dependencies: MountDependencies::Directories,
        environment_variables: vec![],
        append_options: vec![],
        extensions: Extensions::default(),
        line: 21,
    };
    assert_eq!(config.server_name.as_deref(), Some("My Server"));
    assert_eq!(config.path, Path::new("config.json"));
    assert_eq!(config.commands, [gams, cafe, glpsol]);
    assert_eq!(config.warnings, []);
}

#[test]
fn hash_in_a_word_is_not_a_comment() {
    let config = parse(&fs::read(data().join("hash-inside-word.json")).unwrap()).unwrap();
    assert_eq!(config.commands[0].append_options, ["a#b", "# c", "#d"]);
}

#[test]
fn unknown_commands_are_told_what_there_is() {
    let config = parse(&full()).unwrap();
    assert_eq!(config.command("gams").unwrap().line, 5);
    for (name, message) in [
        (
            "glpslo",
            r#"config.json: no command "glpslo"; did you mean "glpsol"? it has "gams", "café-2", "glpsol""#,
        ),
        (
            "GAMS",
            r#"config.json: no command "GAMS"; did you mean "gams"? it has "gams", "café-2", "glpsol""#,
        ),
        (
            "a\nb",
            r#"config.json: no command "a\nb"; it has "gams", "café-2", "glpsol""#,
        ),
        (
            "",
            r#"config.json: no command ""; it has "gams", "café-2", "glpsol""#,
        ),
    ] {
        assert_eq!(config.command(name).unwrap_err().to_string(), message);
    }
    let none = parse(b"{}").unwrap().command("gams").unwrap_err();
    assert_eq!(
        none.to_string(),
        r#"config.json: no command "gams"; it has no commands at all"#
    );

    let entry = |number| format!(r#"{{"name": "command-{number}", "executable": "/a"}}"#);
    let many = format!(
        r#"{{"commands": [{}]}}"#,
        (0..25).map(entry).collect::<Vec<_>>().join(",")
    );
    let message = parse(many.as_bytes())
        .unwrap()
        .command("zzz")
        .unwrap_err()
        .to_string();
    assert!(message.ends_with(r#""command-19" and 5 more"#), "{message}");
}

#[test]
fn no_damage_to_a_good_file_makes_us_panic() {
    let text = full();
    for end in 0..text.len() {
        let read = parse(&text[..end]);
        assert_eq!(
            read.is_ok(),
            end == text.len() - 1,
            "only the last newline can be spared: {end}"
        );
    }
    for at in 0..text.len() {
        for byte in *b"\0\"\\{}[],:# \n\xff0" {
            let mut damaged = text.clone();
            damaged[at] = byte;
            if let Err(error) = parse(&damaged) {
                assert_eq!(error.to_string().lines().count(), 1);
            }
            damaged.remove(at);
            let _ = parse(&damaged);
        }
    }
}

#[test]
fn the_models_own_files_are_read() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/models");
    for (file, commands) in [("config.json", 6), ("gams.config.json", 3)] {
        let text = fs::read_to_string(models.join(file)).unwrap();
        let config = parse(text.replace("@GAMS@", "/opt/gams").as_bytes()).unwrap();
        assert_eq!(
            (config.commands.len(), config.warnings.len()),
            (commands, 0)
        );
    }
}

#[test]
fn the_largest_files_are_read_in_reasonable_time() {
    let keys: Vec<String> = (0..75_000)
        .map(|number| format!("\"k{number}\":1"))
        .collect();
    let entry = |number| format!("{{\"name\":\"c{number}\",\"executable\":\"/a\"}}");
    let commands: Vec<String> = (0..25_000).map(entry).collect();
    let began = processor_time();
    assert_eq!(
        parse(format!("{{{}}}", keys.join(",\n")).as_bytes())
            .unwrap()
            .warnings
            .len(),
        75_000
    );
    let text = format!("{{\"commands\":[{}]}}", commands.join(",\n"));
    assert_eq!(
        parse(text.as_bytes())
            .unwrap()
            .commands
            .last()
            .unwrap()
            .line,
        25_000
    );
    // Not by the clock: the machine may be busy with something else.
    let took = processor_time() - began;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// What this thread has used (proc_pid_schedstat: nanoseconds first).
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = text.split_whitespace().next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

#[test]
fn strict_refuses_what_would_only_be_warned_of() {
    let read = |name: &str| parse(&fs::read(data().join(name)).unwrap()).unwrap();
    let error = read("unknown-keys.json").strict().unwrap_err().to_string();
    assert_eq!(
        error,
        "config.json:2: unknown key \"server-id\" is ignored; --strict refuses it, and 4 more"
    );
    assert!(read("full.json").strict().is_ok());
}
