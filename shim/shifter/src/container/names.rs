//! Users and groups as the host knows them: those of a directory service (LDAP, sssd), too.
//!
//! Who asks the name service loads what nsswitch.conf(5) names. A static program can't do that safely, and one that runs
//! as root shouldn't: getent(1) does it here, as nobody where we are root. Without it, or where it knows nothing, the files count.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use bundles::shifter::accounts::groups_of;
use nix::unistd::geteuid;

pub(super) const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Where the program is: not where a variable says.
const PROGRAMS: [&str; 2] = ["/usr/bin/getent", "/bin/getent"];

/// Nobody's uid and gid.
const NOBODY: u32 = 65_534;

/// Lines of passwd(5), among them that of the user with this name or number, if there is one.
pub(super) fn passwd(key: &str) -> Result<String> {
    match ask("passwd", &[key]) {
        Some(lines) => Ok(lines),
        None => read(PASSWD),
    }
}

/// Lines of group(5), among them those of these gids.
pub(super) fn group(gids: &[u32]) -> Result<String> {
    let keys: Vec<String> = gids.iter().map(u32::to_string).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    match ask("group", &keys) {
        Some(lines) => Ok(lines),
        None => read(GROUP),
    }
}

/// The groups that this user is in besides their own.
pub(super) fn groups_of_user(name: &str) -> Result<Vec<u32>> {
    match ask("initgroups", &[name]) {
        Some(line) => Ok(numbers(&line)),
        None => Ok(groups_of(&read(GROUP)?, name)),
    }
}

/// `NAME GID GID …`
fn numbers(line: &str) -> Vec<u32> {
    let words = line.split_ascii_whitespace().skip(1);
    words.filter_map(|word| word.parse().ok()).collect()
}

/// What `getent DATABASE KEY…` prints, if that is anything.
fn ask(database: &str, keys: &[&str]) -> Option<String> {
    // No name begins so, and none is an option.
    if keys.is_empty() || keys.iter().any(|key| key.starts_with('-')) {
        return None;
    }
    let program = PROGRAMS.into_iter().find(|path| Path::new(path).exists())?;
    let mut command = Command::new(program);
    command
        .arg(database)
        .args(keys)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let said = command.output().ok()?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    (!said.trim().is_empty()).then_some(said)
}

fn read(path: &str) -> Result<String> {
    let text = fs::read(path).with_context(|| format!("read {path}"))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_what_follows_the_name() {
        assert_eq!(numbers("ann                  50 1234\n"), [50, 1234]);
        assert_eq!(numbers("50 7 x\n"), [7]);
        assert_eq!(numbers("root                 \n"), [0; 0]);
    }

    #[test]
    fn root_is_found_whoever_is_asked() {
        let lines = passwd("root").unwrap();
        assert!(
            lines.lines().any(|line| line.starts_with("root:")),
            "{lines}"
        );
        assert!(group(&[0]).unwrap().contains(":0:"));
        assert_eq!(ask("passwd", &["-s"]), None);
    }
}
