//! What a profile of ours is: rules with a reason each.

use std::sync::{LazyLock, OnceLock};

use oci_spec::runtime::LinuxSeccomp;

use super::{allowed, refused};

/// `EPERM`: banned, and said so.
pub const EPERM: u32 = 1;
/// `ENOSYS`: as on a kernel that doesn't have the call, so that libraries fall back to an older one.
pub const ENOSYS: u32 = 38;
/// `EAFNOSUPPORT`: as on a kernel that doesn't have the address family.
pub const EAFNOSUPPORT: u32 = 97;

/// A seccomp profile as data. What no rule names gets `default_errno`.
#[derive(Debug)]
pub struct Profile {
    /// Its name in reports.
    pub name: &'static str,
    /// Errno of calls that no rule names.
    pub default_errno: u32,
    /// The rules, allowed ones first. No call is matched by two of them.
    pub rules: Vec<Rule>,
    /// The same as the OCI spec writes it, once somebody has asked.
    pub(super) written: OnceLock<LinuxSeccomp>,
}

/// A copy is there to be changed: it is written anew.
impl Clone for Profile {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            default_errno: self.default_errno,
            rules: self.rules.clone(),
            written: OnceLock::new(),
        }
    }
}

/// System calls with a common action and a common reason.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What they are about, in a word: `explain` groups by it.
    pub group: &'static str,
    /// Names, sorted. May contain names that only one architecture has.
    pub names: &'static [&'static str],
    /// What happens to them.
    pub action: RuleAction,
    /// For which arguments: all of these hold. Empty: for any.
    pub args: &'static [ArgCondition],
    /// Why.
    pub reason: &'static str,
}

/// What happens to a call that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// It is made.
    Allow,
    /// It fails with this errno.
    Errno(u32),
}

/// A test on an argument.
///
/// The kernel takes an `int` or `unsigned int` argument from the lower half of a register and ignores the
/// upper half, while seccomp and the OCI spec compare all 64 bits: a rule that refuses `cmd == TIOCSTI`
/// lets `TIOCSTI | 1 << 32` pass (CVE-2019-10063). Each form here is safe under a 64-bit comparison: a
/// refusal ignores the upper half, and what is neither allowed nor refused gets the profile's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgCondition {
    /// All 64 bits are this value.
    Equal {
        /// Argument, from 0.
        index: u8,
        /// Its value.
        value: u64,
    },
    /// Some bit of the 64 differs from this value.
    NotEqual {
        /// Argument, from 0.
        index: u8,
        /// The value that it hasn't.
        value: u64,
    },
    /// The bits in `mask`, of the lower half, are one of `values`.
    OneOf {
        /// Argument, from 0.
        index: u8,
        /// The bits that count.
        mask: u32,
        /// What they may be.
        values: &'static [u32],
    },
    /// The lower half is none of `values`.
    NoneOf {
        /// Argument, from 0.
        index: u8,
        /// What it may not be.
        values: &'static [u32],
    },
    /// At least one of the bits in `mask`, of the lower half, is set.
    AnyBit {
        /// Argument, from 0.
        index: u8,
        /// The bits that count.
        mask: u32,
    },
}

/// For the commands of an Opt-Server: solvers, python3, g++, R, julia, GAMS, java.
///
/// They have no network, no privilege, and nobody to debug. Unknown calls fail with ENOSYS, which makes
/// the C library fall back; calls that are banned fail with EPERM, or with what a kernel built without
/// them says where programs know how to go on then.
pub fn opt_server() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(|| Profile {
        name: "opt-server",
        default_errno: ENOSYS,
        rules: allowed::RULES
            .iter()
            .chain(refused::RULES)
            .cloned()
            .collect(),
        written: OnceLock::new(),
    });
    &PROFILE
}

/// What a call is about, in a word, for reports on any profile: the group of the first rule of
/// [`opt_server`] that names it, "other" where none does.
pub fn group_of(name: &str) -> &'static str {
    let rule = opt_server()
        .rules
        .iter()
        .find(|rule| rule.names.binary_search(&name).is_ok());
    rule.map_or("other", |rule| rule.group)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::seccomp::table::{syscall_number, syscalls};

    #[test]
    fn names_are_sorted_and_each_rule_has_a_reason() {
        for rule in &opt_server().rules {
            assert!(
                rule.names.is_sorted_by(|a, b| a < b),
                "{}: {:?}",
                rule.reason,
                rule.names
            );
            assert!(
                !rule.names.is_empty() && rule.reason.len() > 10 && !rule.group.is_empty(),
                "{rule:?}"
            );
            assert!(rule.args.len() <= 6);
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_name_is_known() {
        for rule in &opt_server().rules {
            for name in rule.names {
                assert!(syscall_number(name).is_some(), "{name}");
            }
        }
    }

    /// No rule is redundant: a name is in one rule, or in several that all look at arguments, of which
    /// just one refuses.
    #[test]
    fn no_name_twice() {
        let mut seen: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
        for rule in &opt_server().rules {
            for name in rule.names {
                seen.entry(name).or_default().push(rule);
            }
        }
        for (name, rules) in seen.iter().filter(|(_, rules)| rules.len() > 1) {
            assert!(rules.iter().all(|rule| !rule.args.is_empty()), "{name}");
            let refusing = rules
                .iter()
                .filter(|rule| rule.action != RuleAction::Allow)
                .count();
            assert_eq!(refusing, 1, "{name}");
        }
    }

    #[test]
    fn groups() {
        assert_eq!(group_of("openat"), "files");
        assert_eq!(group_of("socket"), "sockets");
        assert_eq!(group_of("mount"), "mounts");
        assert_eq!(group_of("s390_pci_mmio_read"), "other");
    }

    /// A name that enters the table has to be thought about.
    #[test]
    fn every_call_is_decided() {
        let decided: Vec<&str> = opt_server()
            .rules
            .iter()
            .flat_map(|rule| rule.names.iter().copied())
            .collect();
        let missing: Vec<&str> = syscalls()
            .map(|(name, _)| name)
            .filter(|name| !decided.contains(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
