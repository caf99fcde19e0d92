//! An Opt-Server's bad input: one clear line, a code that isn't 0, and nothing left behind.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use integration::{Bench, Outcome, Tool};
use serde_json::{Value, json};

/// Runs `opt-server` with this text as its configuration.
fn configured(bench: &Bench, text: &[u8]) -> Outcome {
    let project = bench.directory("project");
    let config = bench.file("config.json", text);
    bench.serve_with(&project, &config).arg("solver").run()
}

fn command(changes: Value) -> Vec<u8> {
    let mut command = json!({ "name": "solver", "executable": "/usr/bin/busybox" });
    for (key, value) in changes.as_object().expect("an object") {
        command[key] = value.clone();
    }
    json!({ "commands": [command] }).to_string().into_bytes()
}

#[test]
fn configurations_that_are_no_json() {
    let bench = Bench::new();
    let deep = "[".repeat(200_000);
    let huge = format!(
        "{{\"commands\": [], \"x-pad\": \"{}\"}}",
        "x".repeat(100 << 20)
    );
    for (text, says) in [
        (&b""[..], "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{\"commands\": []} x", "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\0", "not valid JSON"),
        (deep.as_bytes(), "not valid JSON"),
        (huge.as_bytes(), "config.json"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b"{}", "it has no commands at all"),
        (b"{\"commands\": 1}", "\"commands\" must be"),
        (b"{\"commands\": []}", "no command \"solver\""),
        (b"{\"commands\": [1]}", "must be an object"),
        (b"{\"commands\": [{}]}", "is missing"),
        (b"{\"commands\": [], \"commands\": []}", "already given"),
    ] {
        bench.assert_refused(&configured(&bench, text), says);
    }
}

#[test]
fn commands_that_are_wrong() {
    let bench = Bench::new();
    for (changes, says) in [
        (
            json!({ "executable": "/nowhere/solver" }),
            "/nowhere/solver",
        ),
        (json!({ "executable": "bin/solver" }), "absolute path"),
        (json!({ "executable": "/usr/bin/../bin/busybox" }), "\"..\""),
        (json!({ "executable": "/usr" }), "/usr"),
        (json!({ "executable": "/dev/null" }), "/dev/null"),
        (json!({ "executable": "/etc/passwd" }), "/etc/passwd"),
        (json!({ "executable": 7 }), "\"executable\" must be"),
        (json!({ "executable": "/a\u{0}b" }), "NUL"),
        (json!({ "executable": "" }), "\"executable\""),
        (
            json!({ "mount-dependancies": "FILES" }),
            "did you mean \"mount-dependencies\"",
        ),
        (
            json!({ "mount_dependencies": "FILES" }),
            "did you mean \"mount-dependencies\"",
        ),
        (json!({ "mount-dependencies": "files" }), "\"FILES\""),
        (
            json!({ "mount-dependencies": true }),
            "\"mount-dependencies\"",
        ),
        (json!({ "mount-readable": ["/nowhere"] }), "/nowhere"),
        (json!({ "mount-readable": ["relative"] }), "absolute path"),
        (json!({ "mount-readable": ["/"] }), "whole host"),
        (
            json!({ "mount-readable": ["/proc"] }),
            "the sandbox has its own",
        ),
        (
            json!({ "mount-readable": ["/dev/shm"] }),
            "the sandbox has its own",
        ),
        (
            json!({ "mount-readable": ["/tmp"] }),
            "the sandbox has its own",
        ),
        (
            json!({ "mount-readable": "/usr" }),
            "\"mount-readable\" must be",
        ),
        (
            json!({ "environment-variables": ["NOVALUE"] }),
            "without \"=\"",
        ),
        (
            json!({ "environment-variables": ["A=1", "A=2"] }),
            "already has",
        ),
        (json!({ "append-options": "'open" }), "quote"),
        (
            json!({ "append-options": { "a": 1 } }),
            "\"append-options\" must be",
        ),
        (
            json!({ "x-opt-runtime": { "net": "host" } }),
            "unknown key \"net\" in \"x-opt-runtime\"",
        ),
        (
            json!({ "x-opt-runtime": { "seccomp": ["mount"] } }),
            "can't allow \"mount\"",
        ),
        (
            json!({ "x-opt-runtime": { "mount-writable": ["/etc/cron.d"] } }),
            "/etc is the host's own",
        ),
        (
            json!({ "x-opt-runtime": { "devices": ["/dev/kmsg"] } }),
            "can't be in a sandbox",
        ),
    ] {
        let outcome = configured(&bench, &command(changes));
        bench.assert_refused(&outcome, says);
    }
}

#[test]
fn two_commands_of_one_name_and_a_command_that_is_not_there() {
    let bench = Bench::new();
    let one = json!({ "name": "solver", "executable": "/usr/bin/busybox" });
    let text = json!({ "commands": [one, one] }).to_string();
    bench.assert_refused(&configured(&bench, text.as_bytes()), "already taken");
    let project = bench.directory("project");
    let serve = || bench.serve(&project, &json!([one]));
    let outcome = serve().arg("solvr").run();
    bench.assert_refused(&outcome, "did you mean \"solver\"");
    let outcome = serve().arg("").run();
    bench.assert_refused(&outcome, "no command");
}

#[test]
fn configurations_that_are_no_files() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let fifo = bench.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let dangling = bench.path("dangling");
    symlink("nowhere", &dangling).expect("a link");
    for (path, says) in [
        (bench.path("nothere"), "nothere"),
        (bench.path(""), "directory"),
        (fifo, "fifo"),
        (dangling, "dangling"),
        ("/dev/zero".into(), "device"),
    ] {
        let outcome = bench.serve_with(&project, &path).arg("solver").run();
        bench.assert_refused(&outcome, says);
    }
}

#[test]
fn projects_that_are_none() {
    let bench = Bench::new();
    let config = bench.config(&json!([{ "name": "solver", "executable": "/usr/bin/busybox" }]));
    let here = bench.directory("project");
    let file = bench.file("a-file", "");
    for (project, says) in [
        (bench.path("nothere"), "nothere"),
        (file, "not a directory"),
        ("/".into(), "can't be a project"),
        ("/proc/self/fd".into(), "project"),
    ] {
        let tool = bench
            .serve_with(&here, &config)
            .arg("--project")
            .arg(&project);
        let outcome = tool.args(["solver", "true"]).run();
        bench.assert_refused(&outcome, says);
    }
}

const ANOTHER: u32 = 65_533;

/// A directory with a `config.json` in it: their owners and modes.
fn lying(bench: &Bench, name: &str, directory: (u32, u32), file: (u32, u32)) -> PathBuf {
    let place = bench.directory(name);
    let config = bench.file(&format!("{name}/config.json"), command(json!({})));
    for (path, (owner, mode)) in [(&config, file), (&place, directory)] {
        chown(path, Some(owner), Some(owner)).expect("chown");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }
    place
}

/// `opt-server run` in `place`, with nothing said about the configuration.
fn unnamed(bench: &Bench, place: &Path) -> Tool {
    Tool::new(integration::opt_server())
        .args(["run", "--root"])
        .arg(bench.root())
        .current_dir(place)
}

#[test]
fn a_configuration_that_someone_else_could_have_put_there_is_refused_unless_named() {
    let bench = Bench::new();
    for (name, directory, file, says) in [
        (
            "all",
            (ANOTHER, 0o755),
            (ANOTHER, 0o644),
            "config.json belongs to uid 65533, not to you",
        ),
        (
            "file",
            (0, 0o755),
            (ANOTHER, 0o644),
            "config.json belongs to uid 65533, not to you",
        ),
        (
            "directory",
            (ANOTHER, 0o755),
            (0, 0o644),
            "the directory of config.json belongs to uid 65533",
        ),
        (
            "file-mode",
            (0, 0o755),
            (0, 0o664),
            "config.json may be written by others (mode 0664)",
        ),
        (
            "directory-mode",
            (0, 0o775),
            (0, 0o644),
            "the directory of config.json may be written by others",
        ),
        (
            "in-a-tmp",
            (0, 0o1777),
            (ANOTHER, 0o644),
            "config.json belongs to uid 65533",
        ),
    ] {
        let place = lying(&bench, name, directory, file);
        let outcome = unnamed(&bench, &place).args(["solver", "true"]).run();
        bench.assert_refused(&outcome, says);
        bench.assert_refused(&outcome, "; hint: name it with --config");
        let named = unnamed(&bench, &place).args(["--config", "config.json"]);
        named.args(["solver", "true"]).expect(0);
    }
    for (name, directory) in [("own", (0, 0o755)), ("own-in-a-tmp", (0, 0o1777))] {
        let place = lying(&bench, name, directory, (0, 0o644));
        unnamed(&bench, &place).args(["solver", "true"]).expect(0);
    }
}

#[test]
fn a_configuration_that_is_a_link_is_refused_unless_named() {
    let bench = Bench::new();
    lying(&bench, "own", (0, 0o755), (0, 0o644));
    let place = bench.directory("linked");
    symlink("../own/config.json", place.join("config.json")).expect("a link");
    let outcome = unnamed(&bench, &place).args(["solver", "true"]).run();
    bench.assert_refused(&outcome, "symbolic link");
}

#[test]
fn a_configuration_that_everyone_may_write_is_refused_even_if_named() {
    let bench = Bench::new();
    let place = lying(&bench, "own", (0, 0o755), (0, 0o646));
    let named = unnamed(&bench, &place).args(["--config", "config.json"]);
    let outcome = named.args(["solver", "true"]).run();
    bench.assert_refused(&outcome, "config.json may be written by everyone");
}

#[test]
fn paths_that_are_not_utf_8_are_named() {
    let bench = Bench::new();
    let config = bench.config(&json!([{ "name": "solver", "executable": "/usr/bin/busybox" }]));
    let project = bench.path("").join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&project).expect("a directory");
    let outcome = bench
        .serve_with(&project, &config)
        .args(["solver", "true"])
        .run();
    bench.assert_refused(&outcome, "caf\\xE9\": a path that isn't UTF-8");

    let link = bench.path("link");
    symlink(&project, &link).expect("a link");
    let outcome = configured(&bench, &command(json!({ "mount-readable": [link] })));
    bench.assert_refused(
        &outcome,
        "caf\\xE9\" can't be mounted: a path that isn't UTF-8",
    );
}
