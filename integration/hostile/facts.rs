//! What a process sees of itself and around it, mostly through /proc.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use integration::host::names_in;
use nix::unistd::{getegid, geteuid, getgid, getgroups, getsid, getuid};
use serde_json::{Value, json};

use crate::calls::call;

/// Everything.
pub fn all() -> Value {
    json!({
        "status": status(),
        "mounts": lines("/proc/self/mountinfo"),
        "descriptors": descriptors(),
        "namespaces": links("/proc/self/ns"),
        "environment": environment(),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "cwd": std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default(),
        "ids": ids(),
        "pid": std::process::id(),
        "session": getsid(None).map(nix::unistd::Pid::as_raw).unwrap_or(-1),
        "session_keyring": session_keyring(),
        "processes": processes(),
        "root": names_in(Path::new("/")),
        "temporary": names_in(Path::new("/tmp")),
        "devices": names_in(Path::new("/dev")),
        "hostname": fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim(),
        "interfaces": lines("/proc/net/dev").into_iter().skip(2).collect::<Vec<_>>(),
        "cgroup": lines("/proc/self/cgroup"),
        "core_limit": core_limit(),
        "oom_score_adj": fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default().trim(),
    })
}

/// Its serial number: `KEYCTL_GET_KEYRING_ID` of `KEY_SPEC_SESSION_KEYRING`, which is -3.
fn session_keyring() -> Option<usize> {
    call(libc::SYS_keyctl, &[0, usize::MAX - 2, 0]).ok()
}

/// Uids, gids and groups, as seen from inside.
pub fn ids() -> Value {
    let groups = getgroups().unwrap_or_default();
    json!({
        "uid": getuid().as_raw(),
        "euid": geteuid().as_raw(),
        "gid": getgid().as_raw(),
        "egid": getegid().as_raw(),
        "groups": groups.iter().map(|gid| gid.as_raw()).collect::<Vec<_>>(),
        "uid_map": lines("/proc/self/uid_map"),
    })
}

fn status() -> BTreeMap<String, String> {
    lines("/proc/self/status")
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn lines(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn links(directory: &str) -> BTreeMap<String, String> {
    names_in(Path::new(directory))
        .into_iter()
        .filter_map(|name| {
            let target = fs::read_link(Path::new(directory).join(&name)).ok()?;
            Some((name, target.display().to_string()))
        })
        .collect()
}

/// The open ones, without that of the directory that is being read.
fn descriptors() -> BTreeMap<String, String> {
    let mut found = links("/proc/self/fd");
    found.retain(|_, target| !target.starts_with("/proc/"));
    found
}

fn environment() -> Vec<String> {
    let text = fs::read("/proc/self/environ").unwrap_or_default();
    String::from_utf8_lossy(&text)
        .split_terminator('\0')
        .map(str::to_owned)
        .collect()
}

fn processes() -> Vec<String> {
    let mut pids = names_in(Path::new("/proc"));
    pids.retain(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids
}

fn core_limit() -> String {
    lines("/proc/self/limits")
        .into_iter()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap_or_default()
}
