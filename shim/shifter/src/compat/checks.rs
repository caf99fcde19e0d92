//! The checks, one a row: what is looked at, what should be there, what is.

use super::probe::{NOTHING, Seen};
use super::{Kind, Row};

/// A check.
struct Check {
    name: &'static str,
    kind: Kind,
    expected: fn(&Seen) -> String,
    got: fn(&Seen) -> String,
    why: Option<&'static str>,
}

const NO_CAPABILITY: &str = "0000000000000000";

const fn check(
    kind: Kind,
    name: &'static str,
    expected: fn(&Seen) -> String,
    got: fn(&Seen) -> String,
) -> Check {
    Check {
        name,
        kind,
        expected,
        got,
        why: None,
    }
}

const fn differs(
    name: &'static str,
    expected: fn(&Seen) -> String,
    got: fn(&Seen) -> String,
    why: &'static str,
) -> Check {
    Check {
        name,
        kind: Kind::Difference,
        expected,
        got,
        why: Some(why),
    }
}

use Kind::{Documented, Upstream};

#[rustfmt::skip]
const CHECKS: &[Check] = &[
    check(Upstream, "CapInh", |_| NO_CAPABILITY.into(), |seen| seen.one("CapInh")),
    check(Upstream, "CapPrm", |_| NO_CAPABILITY.into(), |seen| seen.one("CapPrm")),
    check(Upstream, "CapEff", |_| NO_CAPABILITY.into(), |seen| seen.one("CapEff")),
    check(Upstream, "CapBnd", |_| NO_CAPABILITY.into(), |seen| seen.one("CapBnd")),
    check(Upstream, "/etc/mtab", |_| "/proc/mounts".into(), |seen| seen.one("mtab")),
    check(Upstream, "the user's line in /etc/passwd", |seen| seen.expected.passwd.clone(), passwd),
    check(Upstream, "/var/shifterConfig.json", record, |seen| seen.one("record")),
    check(Upstream, "/var/tmp", |_| "directory".into(), |seen| seen.one("/var/tmp")),
    check(Documented, "CapAmb", |_| NO_CAPABILITY.into(), |seen| seen.one("CapAmb")),
    check(Documented, "NoNewPrivs", |_| "1".into(), |seen| seen.one("NoNewPrivs")),
    check(Documented, "uid, four times", |seen| four(&field(&seen.expected.passwd, 2)), |seen| seen.one("Uid")),
    check(Documented, "/etc/shadow", |_| "empty".into(), |seen| seen.one("/etc/shadow")),
    check(Documented, "/opt/udiImage", |_| "directory".into(), |seen| seen.one("/opt/udiImage")),
    check(Documented, "SHIFTER_IMAGEREQUEST", |seen| seen.expected.request.clone(), |seen| seen.one("request")),
    check(Documented, "SHIFTER_IMAGE", identifier, |seen| seen.one("image")),
    check(Documented, "the caller's variables", |_| "the caller's".into(), |seen| seen.one("callers")),
    check(Documented, "the caller's directory", |seen| seen.expected.directory.clone(), |seen| seen.one("directory")),
    check(Documented, "the host's name", |seen| seen.expected.hostname.clone(), |seen| seen.one("hostname")),
    check(Documented, "a command's exit code", |_| "exit code 42".into(), |seen| seen.end("exit code")),
    check(Documented, "a command that isn't there", |_| "exit code 127".into(), |seen| seen.end("not found")),
    check(Documented, "--env=A='b c'", |_| "b c".into(), |seen| seen.end("--env")),
    check(Documented, "--clearenv", |_| "unset".into(), |seen| seen.end("--clearenv")),
    check(Documented, "--volume=/tmp:/mnt", |_| "mounted".into(), |seen| seen.end("--volume")),
    check(Documented, "--volume=/tmp:/etc/x", |_| "refused".into(), |seen| refused(seen, "volume on /etc")),
    check(Documented, "--volume=/tmp:/mnt:rec", |_| "refused".into(), |seen| refused(seen, "volume's flag")),
    differs("--env=A=", |_| "set".into(), |seen| seen.end("empty variable"),
        "Shifter refuses empty values, which its users ask for"),
    differs("--volume='/t mp:/mnt'", |_| "refused".into(), |seen| refused(seen, "volume's blank"),
        "Shifter deletes the blank and mounts /tmp: not what was asked for"),
    differs("umask", |seen| seen.expected.umask.clone(), |seen| seen.one("umask"),
        "Shifter sets 0022: what a user wants to keep to themselves would be everybody's to read"),
    differs("Seccomp", |_| "2".into(), |seen| seen.one("Seccomp"),
        "Shifter has no system call filter (0)"),
    differs("mounts that aren't nosuid", |_| "none".into(), setuid,
        "Shifter leaves /dev/shm, /dev/pts and what is below rec mounts as the host has them"),
];

/// Every check, on what was seen.
pub(super) fn judge(seen: &Seen) -> Vec<Row> {
    let row = |check: &Check| {
        let (expected, got) = ((check.expected)(seen), (check.got)(seen));
        Row {
            check: check.name,
            kind: check.kind,
            ok: expected == got,
            expected,
            got,
            why: check.why,
        }
    };
    CHECKS.iter().map(row).collect()
}

/// A field of a line of `passwd`.
fn field(line: &str, number: usize) -> String {
    let mut fields = line.split(':');
    fields.nth(number).unwrap_or_default().to_owned()
}

/// Real, effective, saved, and of file systems.
fn four(uid: &str) -> String {
    [uid; 4].join(" ")
}

/// The line of the user who the container's process is.
fn passwd(seen: &Seen) -> String {
    let uid = seen.one("Uid");
    let uid = uid.split([' ', '\t']).next().unwrap_or_default();
    let mut lines = seen.all("passwd").iter();
    let line = lines.find(|line| field(line, 2) == uid);
    line.cloned().unwrap_or_else(|| NOTHING.to_owned())
}

/// The image's name in the store: as it was asked for, or else what the container has been told.
fn identifier(seen: &Seen) -> String {
    let told = seen.one("image");
    let named = seen.expected.identifier.clone();
    let is_none = told.is_empty() || told == NOTHING || told.contains([':', '/']);
    named.unwrap_or(match is_none {
        true => "an identifier".to_owned(),
        false => told,
    })
}

fn record(seen: &Seen) -> String {
    format!(
        r#"{{"identifier":"{}","user":"{}","volMap":"","modules":"{}"}}"#,
        identifier(seen),
        field(&seen.expected.passwd, 0),
        seen.expected.modules
    )
}

/// Whether no container was made.
fn refused(seen: &Seen, name: &str) -> String {
    match seen.end(name).as_str() {
        "exit code 0" => "taken".to_owned(),
        "exit code 125" => "refused".to_owned(),
        other => other.to_owned(),
    }
}

fn setuid(seen: &Seen) -> String {
    match seen.all("setuid") {
        [] => "none".to_owned(),
        places => places.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::probe::Expected;

    fn failing(seen: &Seen) -> Vec<&'static str> {
        let rows = judge(seen).into_iter();
        let failing = rows.filter(|row| !row.ok);
        failing.map(|row| row.check).collect()
    }

    /// A container as it should be, but for command lines.
    fn good() -> Seen {
        let mut seen = Seen::expecting(Expected {
            passwd: "ann:x:7:8:Ann:/home/ann:/bin/sh".to_owned(),
            identifier: Some("abc".to_owned()),
            request: "id:abc".to_owned(),
            modules: "m,".to_owned(),
            hostname: "n1".to_owned(),
            directory: "/tmp".to_owned(),
            umask: "0031".to_owned(),
        });
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            seen.told(name, NO_CAPABILITY);
        }
        for (name, value) in [
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
            ("Uid", "7 7 7 7"),
            ("mtab", "/proc/mounts"),
            ("passwd", "root:x:0:0::/root:/bin/sh"),
            ("passwd", "ann:x:7:8:Ann:/home/ann:/bin/sh"),
            (
                "record",
                r#"{"identifier":"abc","user":"ann","volMap":"","modules":"m,"}"#,
            ),
            ("/var/tmp", "directory"),
            ("/etc/shadow", "empty"),
            ("/opt/udiImage", "directory"),
            ("request", "id:abc"),
            ("image", "abc"),
            ("callers", "the caller's"),
            ("directory", "/tmp"),
            ("hostname", "n1"),
            ("umask", "0031"),
        ] {
            seen.told(name, value);
        }
        seen
    }

    const COMMAND_LINES: [&str; 9] = [
        "a command's exit code",
        "a command that isn't there",
        "--env=A='b c'",
        "--clearenv",
        "--volume=/tmp:/mnt",
        "--volume=/tmp:/etc/x",
        "--volume=/tmp:/mnt:rec",
        "--env=A=",
        "--volume='/t mp:/mnt'",
    ];

    #[test]
    fn what_was_seen_is_held_against_what_should_be_there() {
        assert_eq!(failing(&good()), COMMAND_LINES);
        let mut seen = good();
        seen.told("setuid", "/dev/shm");
        seen.expected.modules = "n,".to_owned();
        seen.expected.passwd = "ann:x:7:8:Anna:/home/ann:/bin/sh".to_owned();
        let of_inside: Vec<&str> = failing(&seen)
            .into_iter()
            .filter(|check| !COMMAND_LINES.contains(check))
            .collect();
        assert_eq!(
            of_inside,
            [
                "the user's line in /etc/passwd",
                "/var/shifterConfig.json",
                "mounts that aren't nosuid"
            ]
        );
        // Nothing at all.
        assert_eq!(failing(&Seen::default()).len(), CHECKS.len() - 1);
    }

    #[test]
    fn every_difference_has_its_reason() {
        for check in CHECKS {
            assert_eq!(check.kind == Kind::Difference, check.why.is_some());
        }
    }
}
