//! The kernel: its version, namespaces, system call filters, security modules.

use std::path::Path;

use super::{Asked, Finding, text};
use crate::container::{has_apparmor, has_selinux};

/// mount_setattr(2), by which every mount is finished.
const OLDEST: (u32, u32) = (5, 12);

const NAMESPACES: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

pub(super) fn version(_: &Asked) -> Finding {
    judge_version(text("/proc/sys/kernel/osrelease").trim())
}

fn judge_version(release: &str) -> Finding {
    const NAME: &str = "kernel";
    let mut numbers = release.split(['.', '-', '+']).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        let found = format!("Linux \"{release}\": not a version that can be read");
        return Finding::limited(NAME, found, "Linux 5.12 or newer").essential();
    };
    let finding = if (major, minor) < OLDEST {
        let found = format!("Linux {release}: no mount_setattr");
        Finding::missing(NAME, found, "Linux 5.12 or newer")
    } else {
        Finding::ok(NAME, format!("Linux {release}"))
    };
    finding.essential()
}

pub(super) fn namespaces(_: &Asked) -> Finding {
    const NAME: &str = "namespaces";
    let has = |name: &&&str| Path::new("/proc/self/ns").join(**name).exists();
    let (there, lacking): (Vec<&str>, Vec<&str>) = NAMESPACES.iter().partition(|name| has(name));
    let time = has(&&"time");
    let finding = if !lacking.is_empty() {
        let remedy = "a kernel built with CONFIG_NAMESPACES and all below it";
        Finding::missing(NAME, format!("no {}", lacking.join(", ")), remedy)
    } else if time {
        Finding::ok(NAME, format!("{}, time", there.join(", ")))
    } else {
        let found = format!(
            "{}; no time: bundles that ask for one are refused",
            there.join(", ")
        );
        Finding::limited(NAME, found, "Linux 5.6 or newer, built with CONFIG_TIME_NS")
    };
    finding.essential()
}

pub(super) fn seccomp(_: &Asked) -> Finding {
    judge_seccomp(text("/proc/sys/kernel/seccomp/actions_avail").trim())
}

fn judge_seccomp(actions: &str) -> Finding {
    const NAME: &str = "system call filters";
    let has = |action: &str| actions.split(' ').any(|one| one == action);
    let lacking: Vec<&str> = ["user_notif", "log", "kill_process"]
        .into_iter()
        .filter(|action| !has(action))
        .collect();
    let finding = if !has("errno") {
        let found = "none: no sealed bundle runs";
        Finding::missing(NAME, found, "a kernel built with CONFIG_SECCOMP_FILTER")
    } else if lacking.is_empty() {
        Finding::ok(NAME, actions)
    } else {
        let found = format!("{actions}; without {}", lacking.join(", "));
        Finding::limited(NAME, found, "Linux 5.0 or newer")
    };
    finding.essential()
}

pub(super) fn security_modules(_: &Asked) -> Finding {
    const NAME: &str = "security modules";
    let all = text("/sys/kernel/security/lsm");
    let all = all.trim();
    if has_selinux() {
        let found = "SELinux: labels of bundles (process.selinuxLabel) can't be set, such bundles are refused";
        return Finding::limited(NAME, found, "podman --security-opt label=disable");
    }
    if has_apparmor() {
        return Finding::ok(NAME, "AppArmor: profiles of bundles are applied");
    }
    let found = match all {
        "" => "no AppArmor, no SELinux: profiles and labels of bundles are left out".to_owned(),
        all => {
            format!("{all}; no AppArmor, no SELinux: profiles and labels of bundles are left out")
        }
    };
    Finding::ok(NAME, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn kernels_from_5_12_on_are_fit() {
        for (release, verdict) in [
            ("6.18.44-fc-v669", Verdict::Ok),
            ("5.12.0", Verdict::Ok),
            ("5.12", Verdict::Ok),
            ("7.0-rc1+", Verdict::Ok),
            ("5.11.22", Verdict::Missing),
            ("4.18.0-553.el8", Verdict::Missing),
            ("", Verdict::Limited),
        ] {
            assert_eq!(judge_version(release).verdict, verdict, "{release}");
        }
    }

    #[test]
    fn filters_need_errno_and_may_lack_the_rest() {
        let whole = "kill_process kill_thread trap errno user_notif trace log allow";
        assert_eq!(judge_seccomp(whole).verdict, Verdict::Ok);
        let old = "kill_thread trap errno trace allow";
        assert_eq!(judge_seccomp(old).verdict, Verdict::Limited);
        assert_eq!(judge_seccomp("").verdict, Verdict::Missing);
    }
}
