//! Vectors: `tests/data/opt_server_config/*.json`, and what is expected of each in `expectations.tsv`.
//! A new vector gets a row with its name; `UPDATE_EXPECTATIONS=1` fills in the rest, for you to judge.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, Instant};

use super::{
    AtOutputLimit, Command, Config, ConfigError, Extensions, Limits, MAX_SIZE, MountDependencies,
    Network, Writable,
};

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
    let table = fs::read_to_string(data().join("expectations.tsv")).unwrap();
    let wanted: Vec<&str> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let mut files: Vec<&str> = wanted
        .iter()
        .filter_map(|line| line.split('\t').next())
        .collect();
    files.dedup();
    let found: Vec<String> = files.iter().flat_map(|file| outcome(file)).collect();
    if std::env::var_os("UPDATE_EXPECTATIONS").is_some() {
        let heading = table.lines().filter(|line| line.starts_with('#'));
        let lines: Vec<&str> = heading.chain(found.iter().map(String::as_str)).collect();
        fs::write(data().join("expectations.tsv"), lines.join("\n") + "\n").unwrap();
    }
    for (wanted, found) in wanted.iter().zip(&found) {
        assert_eq!(wanted, found);
    }
    assert_eq!(wanted.len(), found.len());

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
fn files_are_loaded() {
    let path = data().join("full.json");
    let config = Config::load(&path).unwrap();
    assert_eq!((config.path, config.commands.len()), (path, 3));
}

#[test]
fn a_file_that_nobody_named_must_be_safe_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, "{}").unwrap();
    let owner = fs::metadata(&path).unwrap().uid();
    for (directory, file, says) in [
        (0o755, 0o644, ""),
        (0o1777, 0o600, ""),
        (0o755, 0o664, "may be written by others (mode 0664)"),
        (0o755, 0o1646, "may be written by others (mode 1646)"),
        (0o757, 0o644, "may be written by others (mode 0757)"),
    ] {
        fs::set_permissions(folder.path(), Permissions::from_mode(directory)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
        match Config::load_unnamed(&path, owner) {
            Ok(_) => assert_eq!(says, ""),
            Err(error) => assert!(
                !says.is_empty() && error.to_string().contains(says),
                "{error}"
            ),
        }
    }
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let error = Config::load_unnamed(&link, owner).unwrap_err().to_string();
    assert!(error.contains("symbolic link"), "{error}");
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
fn large_files_are_refused_without_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let began = Instant::now();
    let error = Config::load(&path).unwrap_err();
    assert!(
        began.elapsed() < Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
    let message = format!(
        "{}: 104857600 bytes, over the limit of 1048576",
        path.display()
    );
    assert_eq!(error.to_string(), message);

    let mut text = b"{}".to_vec();
    text.resize(MAX_SIZE as usize, b' ');
    fs::write(&path, &text).unwrap();
    assert!(Config::load(&path).is_ok(), "exactly the limit");
    File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b" ")
        .unwrap();
    assert!(matches!(
        Config::load(&path),
        Err(ConfigError::TooLarge {
            size: 1_048_577,
            ..
        })
    ));
    text.push(b' ');
    assert!(matches!(
        parse(&text),
        Err(ConfigError::TooLarge {
            size: 1_048_577,
            ..
        })
    ));
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
fn what_is_not_a_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        Process::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, kind) in [
        (&*fifo, "fifo"),
        (&*socket, "socket"),
        (folder.path(), "directory"),
        (Path::new("/dev/null"), "device"),
    ] {
        let message = format!(
            "cannot read {}: it is a {kind}, not a regular file",
            path.display()
        );
        assert_eq!(Config::load(path).unwrap_err().to_string(), message);
    }
    let missing = folder.path().join("missing.json");
    let message = format!(
        "cannot read {}: No such file or directory (os error 2)",
        missing.display()
    );
    assert_eq!(Config::load(&missing).unwrap_err().to_string(), message);
    std::os::unix::fs::symlink(data().join("full.json"), &missing).unwrap();
    assert!(Config::load(&missing).is_ok(), "a link to a file is a file");
}

#[test]
fn extensions_are_read_and_the_files_hold_for_every_command() {
    let config = parse(&fs::read(data().join("extensions.json")).unwrap()).unwrap();
    let writable = |path: &str, why: Option<&str>| Writable {
        path: path.into(),
        why: why.map(str::to_owned),
    };
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let server = Limits {
        max_memory: Some(1024),
        max_processes: Some(64),
        max_open_files: Some(256),
        scratch_size: Some(64 << 20),
        ..Limits::default()
    };
    let gurobi = Extensions {
        mount_writable: vec![
            writable("/srv/log", None),
            writable("/srv/cache", None),
            writable("/srv/licences", Some("tokens are counted there")),
        ],
        network: Network::Host,
        limits: Limits {
            max_time: Some(60),
            max_output: Some(1_000_000),
            grace: Some(0),
            ..server
        },
        seccomp: strings(&["io_setup", "io_submit"]),
        devices: vec!["/dev/dri/renderD128".into()],
        dlopen: vec!["/opt/gurobi/lib".into(), "libgurobi.so.11".into()],
        output: AtOutputLimit::Truncate,
        pool: 2,
    };
    let glpsol = Extensions {
        mount_writable: vec![writable("/srv/log", None)],
        limits: server,
        pool: 1,
        ..Extensions::default()
    };
    assert_eq!(config.commands[0].extensions, gurobi);
    assert_eq!(config.commands[1].extensions, glpsol);
    assert_eq!(config.extensions.limits, server);
    let range = config.extensions.identity.unwrap();
    assert_eq!((range.first, range.count), (2_000_000, 65_536));
    let students = config.user_group("bob").unwrap();
    assert_eq!(students.name, "students");
    assert_eq!(students.limits.max_parallel_processes, Some(2));
    assert!(!students.admin_rights && config.user_group("eve").unwrap().admin_rights);
    assert!(config.user_group("mallory").is_none());
}

#[test]
fn every_value_has_its_line() {
    let config = parse(&fs::read(data().join("extensions.json")).unwrap()).unwrap();
    for (pointer, line) in [
        ("", 1),
        ("/commands/0", 4),
        ("/commands/0/name", 5),
        ("/commands/0/x-opt-runtime/mount-writable/1/path", 8),
        ("/commands/0/x-opt-runtime/limits/max-memory", 10),
        ("/commands/0/x-opt-runtime/limits/nothing-there", 10),
        ("/commands/1", 18),
        ("/x-opt-runtime/identity", 24),
        ("/nothing/there", 1),
    ] {
        assert_eq!(config.lines.line(pointer), line, "{pointer}");
    }
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

#[test]
fn a_bad_new_file_is_an_error_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{"server-name": "one"}"#).unwrap();
    let owner = fs::metadata(&path).unwrap().uid();
    let old = Config::load_unnamed(&path, owner).unwrap();
    fs::write(&path, "{\"server-name\":\n 2}").unwrap();
    let error = old.reload().unwrap_err().to_string();
    assert!(
        error.ends_with("config.json:2: \"server-name\" must be a string, not a number"),
        "{error}"
    );
    assert_eq!(old.server_name.as_deref(), Some("one"));
    fs::write(&path, r#"{"server-name": "two"}"#).unwrap();
    assert_eq!(old.reload().unwrap().server_name.as_deref(), Some("two"));
    // As it was read at first: nobody named it, so others must not be able to write it.
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    assert!(
        old.reload()
            .unwrap_err()
            .to_string()
            .contains("may be written by others")
    );
    fs::remove_file(&path).unwrap();
    assert!(matches!(old.reload(), Err(ConfigError::Read { .. })));
}
