//! Who the caller is, and what of the host he may use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::geteuid;
use rustix::process::{Resource, getrlimit};

use super::{Asked, Finding, program, text};
use crate::users;

const SYS_ADMIN: u64 = 1 << 21;
const SYS_RESOURCE: u64 = 1 << 24;

/// What podman asks for by itself.
const PODMANS_FILES: u64 = 1_048_576;

fn effective_capabilities() -> u64 {
    let status = text("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or_default()
}

pub(super) fn privilege(_: &Asked) -> Finding {
    judge_privilege(geteuid().as_raw(), effective_capabilities())
}

fn judge_privilege(uid: u32, capabilities: u64) -> Finding {
    const NAME: &str = "privilege";
    if uid != 0 {
        let found = format!("uid {uid}: containers in a user namespace only");
        return Finding::limited(NAME, found, "run as root for the others");
    }
    if capabilities & SYS_ADMIN == 0 {
        let found = "root without CAP_SYS_ADMIN: nothing can be mounted";
        return Finding::missing(NAME, found, "run with all of root's capabilities").essential();
    }
    if capabilities & SYS_RESOURCE == 0 {
        let found = "root without CAP_SYS_RESOURCE: hard limits can't be raised, oom_score_adj can't be lowered";
        let remedy = "podman: default_ulimits in containers.conf, not above this host's own limits";
        return Finding::limited(NAME, found, remedy);
    }
    Finding::ok(NAME, "root").essential()
}

pub(super) fn user_namespaces(_: &Asked) -> Finding {
    let finding = judge_user_namespaces();
    if geteuid().is_root() {
        finding
    } else {
        finding.essential()
    }
}

pub(super) fn judge_user_namespaces() -> Finding {
    const NAME: &str = "user namespaces";
    let number = |path: &str| text(path).trim().parse::<u64>().ok();
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        Finding::missing(
            NAME,
            "switched off",
            "sysctl user.max_user_namespaces=10000",
        )
    } else if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        let found = "for root only";
        Finding::limited(NAME, found, "sysctl kernel.unprivileged_userns_clone=1")
    } else if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        let found = "AppArmor keeps ordinary users from having any privilege in one";
        let remedy = "an AppArmor profile for opt-runtime with \"userns,\"";
        Finding::limited(NAME, found, remedy)
    } else {
        Finding::ok(NAME, "for everybody")
    }
}

pub(super) fn id_ranges(_: &Asked) -> Finding {
    const NAME: &str = "ranges of ids";
    let lacking: Vec<&str> = ["newuidmap", "newgidmap"]
        .into_iter()
        .filter(|name| !program(name).is_some_and(|path| is_privileged(&path)))
        .collect();
    if !lacking.is_empty() {
        let found = format!(
            "no {}: an ordinary user has one id in a container",
            lacking.join(", ")
        );
        return Finding::limited(NAME, found, "apt-get install uidmap");
    }
    let user = users::find(geteuid());
    let name = user.map_or_else(|| geteuid().to_string(), |user| user.name);
    let id = geteuid().to_string();
    let has = |path: &str| has_range(&text(path), &name, &id);
    if geteuid().is_root() || has("/etc/subuid") && has("/etc/subgid") {
        return Finding::ok(
            NAME,
            "newuidmap, newgidmap; users with lines in /etc/subuid and /etc/subgid",
        );
    }
    let found = format!("none for {name} in /etc/subuid and /etc/subgid: one id in a container");
    let remedy = format!("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}");
    Finding::limited(NAME, found, remedy)
}

/// By a setuid bit, or by a file capability, which a look at the mode doesn't show.
fn is_privileged(path: &std::path::Path) -> bool {
    let setuid = fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o4000 != 0);
    let mut none = [0_u8; 0];
    setuid
        || rustix::fs::getxattr(path, "security.capability", &mut none).is_ok_and(|size| size > 0)
}

/// A line is `USER:FIRST:COUNT`, the user by name or number (subuid(5)).
fn has_range(table: &str, name: &str, id: &str) -> bool {
    table.lines().any(|line| {
        let mut fields = line.split(':');
        let whose = fields.next().unwrap_or_default();
        let count = fields
            .nth(1)
            .and_then(|count| count.trim().parse::<u64>().ok());
        (whose == name || whose == id) && count.is_some_and(|count| count > 0)
    })
}

pub(super) fn limits(_: &Asked) -> Finding {
    const NAME: &str = "resource limits";
    let hard = |resource| getrlimit(resource).maximum;
    let shown =
        |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let files = hard(Resource::Nofile);
    let found = format!(
        "at most {} open files, {} processes, {} bytes of locked memory",
        shown(files),
        shown(hard(Resource::Nproc)),
        shown(hard(Resource::Memlock))
    );
    let may_raise = effective_capabilities() & SYS_RESOURCE != 0;
    if may_raise || files.is_none_or(|files| files >= PODMANS_FILES) {
        return Finding::ok(NAME, found);
    }
    let found = format!("{found}; podman asks for {PODMANS_FILES} files, which can't be had");
    let remedy = format!(
        "default_ulimits = [\"nofile={0}:{0}\"] in containers.conf",
        shown(files)
    );
    Finding::limited(NAME, found, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn root_needs_his_capabilities() {
        for (uid, capabilities, verdict) in [
            (0, u64::MAX, Verdict::Ok),
            (0, !SYS_RESOURCE, Verdict::Limited),
            (0, !SYS_ADMIN, Verdict::Missing),
            (1000, 0, Verdict::Limited),
        ] {
            assert_eq!(judge_privilege(uid, capabilities).verdict, verdict);
        }
    }

    #[test]
    fn ranges_are_found_by_name_and_number() {
        let table = "alice:100000:65536\n1001:165536:65536\nempty:5:0\n";
        assert!(has_range(table, "alice", "1000"));
        assert!(has_range(table, "bob", "1001"));
        assert!(!has_range(table, "bob", "1002"));
        assert!(!has_range(table, "empty", "7"));
        assert!(!has_range("", "alice", "1000"));
    }
}
