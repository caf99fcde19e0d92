//! The networked profile with what tasks of a parallel program have between them: for Shifter's containers.

use std::sync::{LazyLock, OnceLock};

use super::networked::networked;
use super::profile::{Profile, Rule, RuleAction};

/// Cross-memory attach, which the profile has beyond [`networked`]. The kernel lets it reach whom ptrace(2) may: processes that the caller can name by a pid of its
/// own namespace, of its own user and in its own user namespace, without any capability that it hasn't. Of those it has
/// `/proc/PID/mem` as well, which no filter sees; so a refusal would keep nobody out and only make messages slow.
pub const CROSS_MEMORY: [&str; 2] = ["process_vm_readv", "process_vm_writev"];

const RULE: Rule = Rule {
    group: "tracing",
    names: &CROSS_MEMORY,
    action: RuleAction::Allow,
    args: &[],
    reason: "MPI copies what is large from one task's memory to another's",
};

/// For Shifter's containers, in which programs are parallel: [`networked`], and copies from process to process.
pub fn parallel() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
        let networked = networked();
        let refuses_them = |rule: &&Rule| rule.names == CROSS_MEMORY;
        let others = networked.rules.iter().filter(|rule| !refuses_them(rule));
        Profile {
            name: "parallel",
            default_errno: networked.default_errno,
            rules: others.chain([&RULE]).cloned().collect(),
            written: OnceLock::new(),
        }
    });
    &PROFILE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::syscall_number;
    use crate::seccomp::{Call, Decision, banned_calls, compile_strict, native_audit_arch};

    #[test]
    fn it_refuses_all_that_is_banned_but_copies_between_memories() {
        let filter = compile_strict(&parallel().to_oci()).unwrap();
        let without = compile_strict(&networked().to_oci()).unwrap();
        let mut passed = vec![];
        for (call, reason) in banned_calls() {
            assert!(without.decide(&call).refuses(), "{reason}");
            if !filter.decide(&call).refuses() {
                passed.push(reason.split(':').next().unwrap());
            }
        }
        assert_eq!(passed, CROSS_MEMORY);
        for name in ["ptrace", "pidfd_getfd", "kcmp", "process_madvise"] {
            let call = Call {
                arch: native_audit_arch().unwrap(),
                nr: syscall_number(name).unwrap().try_into().unwrap(),
                args: [0; 6],
            };
            assert_eq!(filter.decide(&call), Decision::Errno(1), "{name}");
        }
    }
}
