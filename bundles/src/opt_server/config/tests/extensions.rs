//! Extensions of our own.

use std::fs;

use super::super::{AtOutputLimit, Extensions, Limits, Network, Writable};
use super::{data, parse};

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
    assert_eq!(config.named_user_group("staff").unwrap().users, ["eve"]);
    let error = config.named_user_group("student").unwrap_err().to_string();
    assert!(
        error.ends_with(
            r#"no user group "student"; did you mean "students"? it has "students", "staff""#
        ),
        "{error}"
    );
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
