//! The environment that a command gets: each variable once, and the HOME of its user, from the container's
//! own `/etc/passwd`.

use std::io::Read;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// The largest part of the file that is read, bytes; the file is the container's.
const MAX_SIZE: u64 = 1 << 20;

/// `listed` as runc and Docker understand it: of a variable that is listed twice the last value counts, in the first
/// one's place, and a HOME that is missing or empty is the home directory of `uid`. Call inside the container, as its
/// user.
pub(super) fn complete(listed: Vec<String>, uid: u32) -> Vec<String> {
    let mut environment: Vec<String> = vec![];
    for entry in listed {
        let name = name_of(&entry);
        match environment.iter_mut().find(|other| name_of(other) == name) {
            Some(other) => *other = entry,
            None => environment.push(entry),
        }
    }
    environment.retain(|entry| entry != "HOME=");
    if !environment.iter().any(|entry| entry.starts_with("HOME=")) {
        environment.push(format!("HOME={}", of(uid)));
    }
    environment
}

fn name_of(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

/// The home directory of `uid`, and `/` for a user whom the file doesn't have, as login(1) and runc do.
/// Call inside the container, as its user.
fn of(uid: u32) -> String {
    read("/etc/passwd")
        .and_then(|text| find(&text, uid))
        .unwrap_or_else(|| "/".to_owned())
}

/// A regular file only: a FIFO in its place would hold us, and a device could do worse.
fn read(path: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let probe = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let is_file =
        |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !fstat(&probe).is_ok_and(is_file) {
        return None;
    }
    let file = open(path, flags, Mode::empty()).ok()?;
    if !fstat(&file).is_ok_and(is_file) {
        return None;
    }
    let mut text = vec![];
    std::fs::File::from(file)
        .take(MAX_SIZE)
        .read_to_end(&mut text)
        .ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// passwd(5): the uid is the third field, the home directory the sixth.
fn find(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let home = fields.get(5)?;
        (fields.get(2) == Some(&uid.as_str()) && home.starts_with('/') && !home.contains('\0'))
            .then(|| (*home).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_with_the_uid_counts() {
        let passwd = "# a comment\nroot:x:0:0:root:/root:/bin/sh\nbroken:x:7\n\
                      a:x:7:7::/home/a:/bin/sh\nb:x:7:7::/home/b:/bin/sh\nc:x:8:8::relative:/bin/sh\n";
        for (uid, home) in [
            (0, Some("/root")),
            (7, Some("/home/a")),
            (8, None),
            (9, None),
        ] {
            assert_eq!(find(passwd, uid).as_deref(), home, "{uid}");
        }
    }

    #[test]
    fn each_variable_is_there_once() {
        // Nobody's: `/`.
        let of =
            |listed: &[&str]| complete(listed.iter().map(|&text| text.into()).collect(), u32::MAX);
        assert_eq!(
            of(&["ONE=two", "P=/bin", "ONE=", "HOME=/h"]),
            ["ONE=", "P=/bin", "HOME=/h"]
        );
        assert_eq!(of(&["HOME=/h", "HOME=", "A=b"]), ["A=b", "HOME=/"]);
        assert_eq!(
            of(&["HOMELY=1", "A=x=y", "A=z"]),
            ["HOMELY=1", "A=z", "HOME=/"]
        );
    }

    #[test]
    fn a_fifo_in_its_place_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passwd");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(path.to_str().unwrap()), None);
    }
}
