//! A `config.json`, a process for `exec` and limits for `update` with something wrong in them.

use std::fs;
use std::path::Path;

use integration::{Bench, Bundle, Container, Runtime, plain};
use serde_json::Value;

use super::refusal::{Log, Refusals};
use super::table::{Change, changes};

/// No spec, whoever reads it.
const UNREADABLE: &str = include_str!("unreadable.tsv");

/// A spec, and no container.
const IMPOSSIBLE: &str = include_str!("impossible.tsv");

/// Texts that aren't JSON, or no object, and what the refusal says.
const TEXTS: [(&[u8], &str); 18] = [
    (b"", "config.json: the file is empty"),
    (b" \n", "the file is empty, at line 2, column 0"),
    (
        b"{",
        "not JSON: EOF while parsing an object, at line 1, column 1",
    ),
    (
        b"{\n  \"ociVersion\": \"1.0.2\",\n}",
        "not JSON: trailing comma, at line 3, column 1",
    ),
    (
        b"{} {}",
        "not JSON: trailing characters, at line 1, column 4",
    ),
    (
        b"ociVersion: 1.0.2\n",
        "not JSON: expected value, at line 1, column 1",
    ),
    (
        b"// comment\n{}",
        "not JSON: expected value, at line 1, column 1",
    ),
    (
        b"\xef\xbb\xbf{}",
        "not JSON: expected value, at line 1, column 1",
    ),
    (
        b"\xff\xfe{\0}\0",
        "not JSON: expected value, at line 1, column 1",
    ),
    (
        b"{\"ociVersion\": \"1.0.\xff\"}",
        "not JSON: invalid unicode code point, at line 1, column",
    ),
    (b"{\"ociVersion\": \"1\n\"}", "not JSON: control character"),
    (
        b"{\"ociVersion\": 01}",
        "not JSON: invalid number, at line 1, column",
    ),
    (
        b"[]",
        "expected an object, found an array, at line 1, column 1",
    ),
    (
        b"null",
        "expected an object, found null, at line 1, column 1",
    ),
    (b"{}", "ociVersion is \"\", it must be 1.x.y"),
    (
        b"{\"ociVersion\": \"1.0.2\",\n\"root\": {\"path\": \"a\"},\n\"root\": {\"path\": \"b\"}}",
        "root: it is there twice",
    ),
    // As it is read where something is filled in for the caller: here, the user.
    (
        b"{\"ociVersion\": \"1.0.2\", \"process\": {\"cwd\": \"/\"},\n\"root\": {\"path\": \"a\"},\n\"root\": {\"path\": \"b\"}}",
        "root: it is there twice",
    ),
    (
        b"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"a\\u0000b\"}, \"unknown\": 1e999}",
        "not JSON: number out of range, at line 1, column",
    ),
];

/// Each of many commands in one form of log: a table has them all.
const FORMS: [(&str, Log); 5] = [
    ("create", Log::Json),
    ("run", Log::Text),
    ("check", Log::None),
    ("explain", Log::Json),
    ("seal", Log::Text),
];

fn refused_by(
    refusals: &mut Refusals<'_>,
    bundle: &Bundle,
    commands: &[&str],
    name: &str,
    says: &str,
) {
    let directory = &bundle.directory;
    let wanted = FORMS
        .iter()
        .filter(|(command, _)| commands.contains(command));
    for (command, log) in wanted {
        let name = format!("{command}: {name}");
        refusals.expect_in(&[*log], &name, 125, says, |tool| match *command {
            "create" => tool.args(["create", "--bundle"]).arg(directory).arg("bad"),
            "seal" => {
                let new = directory.join("sealed");
                tool.arg("seal").arg(directory).arg("--output").arg(new)
            }
            command => tool.arg(command).arg(directory),
        });
    }
    assert!(!directory.join("sealed").exists());
}

/// A bundle with nothing wrong, to be changed.
fn good(bench: &Bench) -> (Bundle, Value) {
    let bundle = plain::bundle(bench, "bundle", &["true"]);
    let spec = bundle.spec();
    (bundle, spec)
}

#[test]
fn a_config_that_is_no_json_is_told_by_line_and_column() {
    let bench = Bench::new();
    let (bundle, _) = good(&bench);
    let mut refusals = Refusals::on(&bench);
    for (text, says) in TEXTS {
        fs::write(bundle.directory.join("config.json"), text).expect("write");
        let name = String::from_utf8_lossy(text);
        refused_by(
            &mut refusals,
            &bundle,
            &["create", "run", "check"],
            &name,
            says,
        );
    }
    refusals.end();
}

#[test]
fn a_config_that_is_deep_or_huge_is_refused_at_once() {
    let bench = Bench::new();
    let (bundle, _) = good(&bench);
    let mut refusals = Refusals::on(&bench);
    let path = bundle.directory.join("config.json");
    let deep = |open: &str, count: usize| format!("{{\"x\": {}", open.repeat(count));
    for (name, text, says) in [
        (
            "arrays",
            deep("[", 200_000),
            "nested more than 127 levels deep",
        ),
        (
            "objects",
            deep("{\"a\":", 200_000),
            "nested more than 127 levels deep",
        ),
        (
            "a long string",
            format!("{{\"ociVersion\": {{\"{}\": 1}}}}", "x".repeat(10 << 20)),
            "ociVersion: expected a string, found an object",
        ),
        (
            "a long value",
            format!("{{\"ociVersion\": \"{}\"}}", "\\u001b".repeat(1 << 20)),
            "ociVersion is \"\\u{1b}",
        ),
        (
            "huge",
            " ".repeat((16 << 20) + 1),
            "larger than 16777216 bytes",
        ),
    ] {
        fs::write(&path, text).expect("write");
        refused_by(
            &mut refusals,
            &bundle,
            &["create", "run", "check"],
            name,
            says,
        );
    }
    // Larger than memory, where it is read at all.
    fs::File::create(&path)
        .and_then(|file| file.set_len(1 << 40))
        .expect("a sparse file");
    refused_by(
        &mut refusals,
        &bundle,
        &["run"],
        "sparse",
        "larger than 16777216 bytes",
    );
    refusals.end();
}

#[test]
fn a_config_with_a_wrong_type_is_told_by_its_key() {
    let bench = Bench::new();
    let (bundle, spec) = good(&bench);
    let mut refusals = Refusals::on(&bench);
    let all = changes(UNREADABLE);
    for change in &all {
        bundle.set_spec(&change.of(&spec));
        let commands = ["create", "run", "check"];
        refused_by(
            &mut refusals,
            &bundle,
            &commands,
            &change.name,
            &change.says,
        );
    }
    let last = all.last().expect("a change");
    refused_by(
        &mut refusals,
        &bundle,
        &["explain", "seal"],
        &last.name,
        &last.says,
    );
    refusals.end();
}

#[test]
fn a_config_of_no_possible_container_is_told_by_its_key() {
    let bench = Bench::new();
    let (bundle, spec) = good(&bench);
    let mut refusals = Refusals::on(&bench);
    for change in changes(IMPOSSIBLE) {
        bundle.set_spec(&change.of(&spec));
        refused_by(
            &mut refusals,
            &bundle,
            &["create", "run"],
            &change.name,
            &change.says,
        );
    }
    refusals.end();
}

/// The changes to what is at `pointer`, as changes to that alone.
fn below(pointer: &str) -> Vec<(String, Change)> {
    let key = pointer.trim_start_matches('/').replace('/', ".") + ".";
    let mut changes = changes(UNREADABLE);
    changes.retain(|change| {
        change.name.starts_with(&format!("{pointer}/")) && change.says.starts_with(&key)
    });
    assert!(changes.len() > 3, "{pointer}");
    let says = |change: &Change| change.says[key.len()..].to_owned();
    changes
        .into_iter()
        .map(|change| (says(&change), change))
        .collect()
}

#[test]
fn a_process_for_exec_is_read_as_a_config_is() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let mut spec = bundle.spec();
    spec["process"]["args"] = serde_json::json!(["true"]);
    let file = bench.path("process.json");
    let mut refusals = Refusals::on(&bench);
    let exec = |refusals: &mut Refusals<'_>, name: &str, file: &Path, says: &str| {
        refusals.expect(name, 125, says, |tool| {
            tool.args(["exec", "--process"])
                .arg(file)
                .arg(&container.id)
        });
    };
    for (says, change) in below("/process") {
        let process = &change.of(&spec)["process"];
        fs::write(&file, process.to_string()).expect("write");
        exec(&mut refusals, &change.name, &file, &says);
    }
    for (text, says) in [
        (&b""[..], "process.json: the file is empty"),
        (b"{", "process.json: not JSON"),
        (
            b"{\"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}}",
            "process.args",
        ),
        (
            b"{\"cwd\": \"/\", \"args\": [\"a\\u0000\"], \"user\": {\"uid\": 0, \"gid\": 0}}",
            "args[0]: it holds NUL",
        ),
        (
            b"{\"cwd\": \"x\", \"args\": [\"true\"], \"user\": {\"uid\": 0, \"gid\": 0}}",
            "cwd must be an absolute path",
        ),
    ] {
        fs::write(&file, text).expect("write");
        exec(&mut refusals, &String::from_utf8_lossy(text), &file, says);
    }
    exec(
        &mut refusals,
        "missing",
        &bench.path("no-such.json"),
        "no-such.json: No such file",
    );
    exec(
        &mut refusals,
        "a directory",
        &bench.directory("some"),
        "some: not a regular file",
    );
    refusals.end();
}

#[test]
fn limits_for_update_are_read_as_a_config_is() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let file = bench.path("limits.json");
    let mut refusals = Refusals::on(&bench);
    let wrong = [
        (
            "{\"memory\": {\"limit\": \"1G\"}}",
            "memory.limit: expected an integer, found a string, at line 1, column 22",
        ),
        (
            "{\"pids\": {\"limit\": 1e3}}",
            "pids.limit: expected an integer, found 1000.0",
        ),
        (
            "{\"cpu\": {\"shares\": -1}}",
            "cpu.shares: expected an integer from 0 to 18446744073709551615, found -1",
        ),
        ("{\"cpu\": []}", "cpu: expected an object, found an array"),
        ("", "the file is empty"),
        ("[1]", "expected an object, found an array"),
        ("{\"cpu\": {\"cpus\": \"0-99999\"}}", "cpu.cpus"),
        ("{\"cpu\": {\"cpus\": \"zero\"}}", "cpu.cpus"),
    ];
    for (text, says) in wrong {
        fs::write(&file, text).expect("write");
        refusals.expect(text, 1, says, |tool| {
            tool.args(["update", "--resources"])
                .arg(&file)
                .arg(&container.id)
        });
        refusals.expect(&format!("{text} on standard input"), 1, says, |tool| {
            tool.args(["update", "--resources", "-", &container.id])
                .input(text)
        });
    }
    refusals.expect("missing", 1, "no-such.json: No such file", |tool| {
        tool.args(["update", "--resources"])
            .arg(bench.path("no-such.json"))
            .arg(&container.id)
    });
    for (option, value) in [
        ("--memory", "much"),
        ("--memory", "-5"),
        ("--memory", "99999999999999999999"),
        ("--pids-limit", "1.5"),
        ("--cpu-period", "x"),
        ("--cpu-share", ""),
        ("--blkio-weight", "70000"),
    ] {
        refusals.expect(&format!("{option} {value:?}"), 125, option, |tool| {
            tool.args(["update", option, value, &container.id])
        });
    }
    refusals.end();
}
