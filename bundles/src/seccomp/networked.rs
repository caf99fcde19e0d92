//! The opt-server profile with the internet: for programs of other engines, whose network is theirs to choose.

use std::sync::{LazyLock, OnceLock};

use super::allowed::AF_UNIX;
use super::profile::{ArgCondition, EAFNOSUPPORT, Profile, Rule, RuleAction, opt_server};

/// AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK, which the C library asks for the interfaces. Not: raw packets,
/// kernel crypto, the hypervisor, and the forty families that no one has looked at for years.
const FAMILIES: &[u32] = &[1, 2, 10, 16];

const RULES: [Rule; 4] = [
    Rule {
        group: "sockets",
        names: &["socket"],
        action: RuleAction::Allow,
        args: &[ArgCondition::OneOf {
            index: 0,
            mask: u32::MAX,
            values: FAMILIES,
        }],
        reason: "unix sockets and the internet, as far as the network namespace reaches",
    },
    Rule {
        group: "sockets",
        names: &["socket"],
        action: RuleAction::Errno(EAFNOSUPPORT),
        args: &[ArgCondition::NoneOf {
            index: 0,
            values: FAMILIES,
        }],
        reason: "no kernel crypto (AF_ALG), no hypervisor (AF_VSOCK), no raw packets (AF_PACKET)",
    },
    Rule {
        group: "sockets",
        names: &["socketpair"],
        action: RuleAction::Allow,
        args: &[ArgCondition::Equal {
            index: 0,
            value: AF_UNIX,
        }],
        reason: "pairs exist of unix sockets only",
    },
    Rule {
        group: "sockets",
        names: &["socketpair"],
        action: RuleAction::Errno(EAFNOSUPPORT),
        args: &[ArgCondition::NotEqual {
            index: 0,
            value: AF_UNIX,
        }],
        reason: "pairs exist of unix sockets only",
    },
];

/// For containers that other engines make and the site seals: [`opt_server`], with internet sockets.
pub fn networked() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
        let opt_server = opt_server();
        let makes_sockets = |rule: &&Rule| rule.names.contains(&"socket");
        let others = opt_server.rules.iter().filter(|rule| !makes_sockets(rule));
        Profile {
            name: "networked",
            default_errno: opt_server.default_errno,
            rules: others.chain(&RULES).cloned().collect(),
            written: OnceLock::new(),
        }
    });
    &PROFILE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::{Call, Decision};
    use crate::seccomp::{banned_calls, compile, native_audit_arch, syscall_number};

    #[test]
    fn it_refuses_all_that_is_banned_and_no_more_sockets_than_it_must() {
        let filters = compile(&networked().to_oci()).unwrap();
        for (call, name) in banned_calls() {
            assert!(filters.decide(&call).refuses(), "{name}");
        }
        let socket = |family: u64| {
            filters.decide(&Call {
                arch: native_audit_arch().unwrap(),
                nr: syscall_number("socket").unwrap().try_into().unwrap(),
                args: [family, 1, 0, 0, 0, 0],
            })
        };
        for family in FAMILIES {
            assert_eq!(socket(u64::from(*family)), Decision::Allow, "{family}");
        }
        for family in [0, 3, 9, 17, 38, 40, 1 << 31] {
            assert!(socket(family).refuses(), "{family}");
        }
    }
}
