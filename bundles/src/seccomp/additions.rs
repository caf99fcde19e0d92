//! System calls that an administrator allows besides a profile's.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

use super::banned::{banned_calls, is_banned_name};
use super::profile::{Rule, RuleAction, opt_server};
use super::table::{native_audit_arch, syscall_number};

/// Why `name` can't be added to a sealed profile, whatever its arguments; `None` where it can.
///
/// A call that is allowed for some of its arguments can't be: those that are refused are what matters.
pub fn addition_refused(name: &str) -> Option<String> {
    let Some(number) = syscall_number(name) else {
        return Some("there is no system call of this name here".to_owned());
    };
    if let Some(rule) = refusing_rule(name)
        && is_refused_anywhere(name)
    {
        let some = if rule.args.is_empty() {
            ""
        } else {
            "for some arguments "
        };
        return Some(format!("{some}it would break the promise: {}", rule.reason));
    }
    let is_it =
        |call: &super::Call| native_audit_arch() == Some(call.arch) && i64::from(call.nr) == number;
    let tried = banned_calls().into_iter().find(|(call, _)| is_it(call));
    tried.map(|(_, reason)| format!("it would break the promise: {reason}"))
}

fn refusing_rule(name: &str) -> Option<&'static Rule> {
    opt_server()
        .rules
        .iter()
        .find(|rule| rule.names.contains(&name) && matches!(rule.action, RuleAction::Errno(_)))
}

fn is_refused_anywhere(name: &str) -> bool {
    refusing_rule(name).is_some_and(|rule| is_banned_name(name) || !rule.args.is_empty())
}

/// Every name that [`addition_refused`] refuses on any architecture that we know.
pub fn refused_additions() -> Vec<&'static str> {
    let named = opt_server().rules.iter().flat_map(|rule| rule.names);
    let mut names: Vec<&'static str> = named
        .copied()
        .filter(|name| is_refused_anywhere(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// `profile` with these calls allowed, whatever their arguments.
pub fn with_calls(mut profile: LinuxSeccomp, calls: &[String]) -> LinuxSeccomp {
    if calls.is_empty() {
        return profile;
    }
    let mut entries = profile.syscalls().clone().unwrap_or_default();
    for entry in &mut entries {
        let others = entry.names().iter().filter(|name| !calls.contains(name));
        let others = others.cloned().collect();
        entry.set_names(others);
    }
    entries.retain(|entry| !entry.names().is_empty());
    let mut allowed = LinuxSyscall::default();
    allowed
        .set_names(calls.to_vec())
        .set_action(LinuxSeccompAction::ScmpActAllow);
    entries.push(allowed);
    profile.set_syscalls(Some(entries));
    profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::{compile_strict, syscalls};

    /// Every call that may be added, added: nothing that is banned passes.
    #[test]
    fn all_additions_together_let_nothing_banned_pass() {
        let additions: Vec<String> = syscalls()
            .map(|(name, _)| name.to_owned())
            .filter(|name| addition_refused(name).is_none())
            .collect();
        assert!(additions.iter().any(|name| name == "io_setup"));
        let refused = refused_additions();
        assert!(refused.contains(&"mount") && refused.contains(&"ioctl"));
        assert!(refused.iter().all(|name| addition_refused(name).is_some()));
        assert!(!additions.iter().any(|name| refused.contains(&&**name)));
        assert!(additions.iter().all(|name| !is_banned_name(name)));
        let filter = compile_strict(&with_calls(opt_server().to_oci(), &additions)).unwrap();
        for (call, name) in banned_calls() {
            assert!(filter.decide(&call).refuses(), "{name}");
        }
    }

    #[test]
    fn what_would_break_the_promise_is_refused_with_its_reason() {
        for (name, says) in [
            ("mount", "made once"),
            ("ptrace", "other processes"),
            ("clone", "for some arguments"),
            ("clone3", "its flags are in memory"),
            ("io_uring_setup", "makes calls that no filter sees"),
            ("openat2", "its mode is in memory"),
            ("socket", "for some arguments"),
            ("open", "setuid"),
            ("mknod", "device nodes"),
            ("nosuchcall", "no system call"),
        ] {
            let reason = addition_refused(name).unwrap();
            assert!(reason.contains(says), "{name}: {reason}");
        }
        for name in ["io_setup", "vmsplice", "read", "modify_ldt"] {
            assert_eq!(addition_refused(name), None);
        }
    }
}
