//! A seccomp profile, judged by what it decides and not by its text.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, Spec};

use crate::promise::exceptions;
use crate::promise::spec_view::linux;
use crate::promise::{Kind, Observed, Protection};
use crate::seccomp;

pub(crate) const ROW: Protection = Protection {
    name: "few system calls",
    reason: "Opt-Server: \"Opt-Servers can safely run even programs of untrusted users\"; most ways out of a container are system calls that no solver makes",
    meaning: "a system call filter for the native architecture: unknown calls fail with ENOSYS, banned ones with EPERM",
    lesser: None,
    in_config,
    on_process,
};

fn profile(spec: &Spec) -> Option<&LinuxSeccomp> {
    linux(spec).and_then(|linux| linux.seccomp().as_ref())
}

fn in_config(spec: &Spec, kind: Kind) -> Vec<String> {
    let Some(profile) = profile(spec) else {
        return vec!["linux.seccomp is absent".to_owned()];
    };
    let mut excepted = exceptions::system_calls(spec);
    if kind == Kind::Shifter {
        excepted.extend(seccomp::CROSS_MEMORY.map(str::to_owned));
    }
    seccomp::judged_strictly(profile, &excepted, broken)
        .unwrap_or_else(|error| vec![format!("linux.seccomp does not compile: {error}")])
}

fn broken(profile: &LinuxSeccomp, filter: &seccomp::Filter, excepted: &[String]) -> Vec<String> {
    let is_excepted = |call: &seccomp::Call| {
        seccomp::native_audit_arch() == Some(call.arch)
            && excepted
                .iter()
                .any(|name| seccomp::syscall_number(name) == Some(i64::from(call.nr)))
    };
    let mut broken: Vec<String> = seccomp::banned_calls()
        .into_iter()
        .filter(|(call, _)| !is_excepted(call))
        .filter(|(call, _)| !filter.decide(call).refuses())
        .map(|(_, name)| format!("linux.seccomp lets {name} pass"))
        .collect();
    broken.extend(named(profile, excepted));
    if profile.default_errno_ret() != Some(seccomp::ENOSYS) {
        broken.push("linux.seccomp.defaultErrnoRet must be 38 (ENOSYS)".to_owned());
    }
    broken
}

/// What is never to be called, and yet is named by an entry that lets some of its calls pass: which ones,
/// only the arguments say, and trying a few of them proves nothing.
fn named(profile: &LinuxSeccomp, excepted: &[String]) -> impl Iterator<Item = String> {
    profile
        .syscalls()
        .iter()
        .flatten()
        .enumerate()
        .filter(|(_, entry)| !refuses(entry.action()))
        .flat_map(|(index, entry)| entry.names().iter().map(move |name| (index, name)))
        .filter(|(_, name)| seccomp::is_banned_name(name) && !excepted.contains(name))
        .map(|(index, name)| {
            format!("linux.seccomp.syscalls[{index}] names {name}, which must never pass")
        })
}

fn refuses(action: LinuxSeccompAction) -> bool {
    use LinuxSeccompAction::{
        ScmpActErrno, ScmpActKill, ScmpActKillProcess, ScmpActKillThread, ScmpActTrap,
    };
    matches!(
        action,
        ScmpActErrno | ScmpActKill | ScmpActKillProcess | ScmpActKillThread | ScmpActTrap
    )
}

fn on_process(observed: &Observed, _: &Spec, _: Kind) -> Vec<String> {
    let status = &observed.status;
    let mut broken = vec![];
    if status.seccomp != 2 {
        broken.push(format!("Seccomp is {}, not 2 (filter)", status.seccomp));
    }
    if status.seccomp_filters < 1 {
        broken.push("no filter is loaded".to_owned());
    }
    broken
}
