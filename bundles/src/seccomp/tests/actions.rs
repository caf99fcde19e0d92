//! What the programs decide is what the rules of a profile say.

use oci_spec::runtime::LinuxSeccompAction::*;
use oci_spec::runtime::LinuxSeccompOperator::*;
use oci_spec::runtime::{LinuxSeccomp, LinuxSyscall};

use super::*;
use crate::seccomp::condition::Condition;

#[test]
fn every_action_next_to_every_default() {
    let actions = [
        (ScmpActKillProcess, None, Decision::KillProcess),
        (ScmpActKill, None, Decision::KillThread),
        (ScmpActTrap, None, Decision::Trap),
        (ScmpActErrno, Some(5), Decision::Errno(5)),
        (ScmpActTrace, Some(6), Decision::Trace(6)),
        (ScmpActLog, None, Decision::Log),
        (ScmpActAllow, None, Decision::Allow),
    ];
    let names = [
        "getpid", "getuid", "getgid", "geteuid", "getegid", "getppid", "gettid",
    ];
    let foreign = Call {
        arch: AUDIT_ARCH_I386,
        nr: 1,
        args: [0; 6],
    };
    for (default, errno, expected) in actions {
        let rules = names
            .iter()
            .zip(actions)
            .map(|(name, (action, errno, _))| rule(name, action, errno, &[]));
        let mut profile = profile(default, rules.collect());
        profile.set_default_errno_ret(errno.map(|errno| errno + 2));
        let expected = match expected {
            Decision::Errno(_) => Decision::Errno(7),
            Decision::Trace(_) => Decision::Trace(8),
            other => other,
        };
        let filter = compile(&profile).unwrap();
        for (name, (_, _, decision)) in names.iter().zip(actions) {
            assert_eq!(
                filter.decide(&native(name, [0; 6])),
                decision,
                "default {expected}"
            );
        }
        assert_eq!(filter.decide(&native("write", [0; 6])), expected);
        assert_eq!(
            filter.decide(&foreign),
            Decision::KillThread,
            "default {expected}"
        );
        let mut x32 = native("getpid", [0; 6]);
        x32.nr |= X32_BIT;
        assert!(filter.decide(&x32).refuses(), "default {expected}");
    }
}

#[test]
fn defaults_of_the_spec() {
    // EPERM without defaultErrnoRet, and a deny list whose program is never empty.
    let filter = compile(&profile(
        ScmpActErrno,
        vec![rule("bpf", ScmpActErrno, None, &[])],
    ))
    .unwrap();
    assert_eq!(filter.decide(&native("bpf", [0; 6])), Decision::Errno(1));
    let open = compile(&profile(ScmpActAllow, vec![])).unwrap();
    assert_eq!(open.decide(&native("bpf", [0; 6])), Decision::Allow);
}

#[test]
fn conditions_are_anded_and_rules_ored() {
    let filter = compile(&profile(
        ScmpActErrno,
        vec![
            rule(
                "fcntl",
                ScmpActAllow,
                None,
                &[(0, ScmpCmpEq, 3, 0), (1, ScmpCmpEq, 4, 0)],
            ),
            rule("fcntl", ScmpActAllow, None, &[(2, ScmpCmpGt, 1 << 40, 0)]),
            rule("write", ScmpActAllow, None, &[(0, ScmpCmpEq, 1, 0)]),
            rule("write", ScmpActAllow, None, &[]),
            rule("read", ScmpActAllow, None, &[(0, ScmpCmpLt, 0, 0)]),
            rule("kill", ScmpActAllow, None, &[(0, ScmpCmpMaskedEq, 0, 0)]),
        ],
    ))
    .unwrap();
    for (args, allowed) in [
        ([3, 4, 0, 0, 0, 0], true),
        ([3, 5, 0, 0, 0, 0], false),
        ([2, 4, 0, 0, 0, 0], false),
        ([2, 5, (1 << 40) + 1, 0, 0, 0], true),
        ([3 | 1 << 32, 4, 0, 0, 0, 0], false),
    ] {
        assert_eq!(
            filter.decide(&native("fcntl", args)) == Decision::Allow,
            allowed,
            "{args:x?}"
        );
    }
    assert_eq!(filter.decide(&first("write", 2)), Decision::Allow);
    assert_eq!(filter.decide(&first("read", 0)), Decision::Errno(1));
    assert_eq!(filter.decide(&first("kill", 9)), Decision::Allow);
}

/// Every operator, in every position, at the edges of 32 bits.
#[test]
fn operators_compile_to_what_they_say() {
    let edges = [
        0,
        1,
        5,
        0xffff_fffe,
        0xffff_ffff,
        1 << 32,
        (1 << 32) + 5,
        5 << 32,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    for op in [
        ScmpCmpNe,
        ScmpCmpLt,
        ScmpCmpLe,
        ScmpCmpEq,
        ScmpCmpGe,
        ScmpCmpGt,
        ScmpCmpMaskedEq,
    ] {
        for value in edges {
            let index = usize::try_from(value % 6).unwrap();
            let two = if op == ScmpCmpMaskedEq {
                5 | 5 << 32
            } else {
                0
            };
            let test = rule("write", ScmpActErrno, Some(9), &[(index, op, value, two)]);
            let filter = compile(&profile(ScmpActAllow, vec![test])).unwrap();
            for argument in edges {
                let mut args = [7; 6];
                args[index] = argument;
                let holds = match op {
                    ScmpCmpNe => argument != value,
                    ScmpCmpLt => argument < value,
                    ScmpCmpLe => argument <= value,
                    ScmpCmpEq => argument == value,
                    ScmpCmpGe => argument >= value,
                    ScmpCmpGt => argument > value,
                    ScmpCmpMaskedEq => argument & value == two & value,
                };
                let expected = if holds {
                    Decision::Errno(9)
                } else {
                    Decision::Allow
                };
                assert_eq!(
                    filter.decide(&native("write", args)),
                    expected,
                    "{argument:#x} {op:?} {value:#x}"
                );
            }
        }
    }
}

/// Long chains need helper jumps.
#[test]
fn long_rules_jump_right() {
    let all = |value: u64| {
        (0..6)
            .map(move |index| (index, ScmpCmpMaskedEq, u64::MAX - 1, value))
            .collect::<Vec<_>>()
    };
    let rules = (1..60).map(|value| rule("write", ScmpActAllow, None, &all(value * 2)));
    let last = rule("socket", ScmpActAllow, None, &[]);
    let rules = rules.chain([last]).collect();
    let filter = compile(&profile(ScmpActErrno, rules)).unwrap();
    for value in 0..130u64 {
        let expected = (2..120).contains(&value);
        assert_eq!(
            filter.decide(&native("write", [value; 6])) == Decision::Allow,
            expected,
            "{value}"
        );
        assert_eq!(
            filter.decide(&native("read", [value; 6])),
            Decision::Errno(1)
        );
        assert_eq!(
            filter.decide(&native("close", [value; 6])),
            Decision::Errno(1)
        );
    }
}

#[test]
fn too_long_is_an_error() {
    let rules = (0..1500)
        .map(|value| rule("write", ScmpActAllow, None, &[(0, ScmpCmpEq, value, 0)]))
        .collect();
    assert!(matches!(
        compile(&profile(ScmpActErrno, rules)),
        Err(SeccompError::TooLong { .. })
    ));
}

/// No profile and no call makes any of it panic. Random, with a fixed seed.
#[test]
fn random_profiles_do_what_their_rules_say() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let names = ["read", "write", "ioctl", "close"];
    let values = [0, 1, 2, 1 << 32, (1 << 32) + 1, u64::MAX];
    let ops = [
        ScmpCmpNe,
        ScmpCmpLt,
        ScmpCmpLe,
        ScmpCmpEq,
        ScmpCmpGe,
        ScmpCmpGt,
        ScmpCmpMaskedEq,
    ];
    let (mut compiled, mut refused) = (0, 0);
    for _ in 0..400 {
        let mut pick = |len: usize| usize::try_from(random(len as u64)).unwrap();
        let rules: Vec<LinuxSyscall> = (0..=pick(5))
            .map(|_| {
                let first = pick(3);
                let args: Vec<_> = (0..pick(3))
                    .map(|i| (first + i, ops[pick(7)], values[pick(6)], values[pick(6)]))
                    .collect();
                rule(
                    names[pick(4)],
                    [ScmpActAllow, ScmpActErrno, ScmpActLog, ScmpActTrap][pick(4)],
                    None,
                    &args,
                )
            })
            .collect();
        let default = [ScmpActAllow, ScmpActErrno, ScmpActKill, ScmpActLog][pick(4)];
        let profile = profile(default, rules);
        let Ok(filter) = compile_strict(&profile) else {
            refused += 1;
            continue;
        };
        compiled += 1;
        for _ in 0..60 {
            let name = names[pick(4)];
            let args: [u64; 6] = std::array::from_fn(|_| values[pick(6)]);
            let expected = reference(&profile, name, &args);
            assert_eq!(
                filter.decide(&native(name, args)),
                expected,
                "{name} {args:x?} {profile:?}"
            );
        }
    }
    assert!(compiled > 100 && refused > 20, "{compiled} {refused}");
}

/// The meaning of a profile that isn't refused, in the plainest form.
fn reference(profile: &LinuxSeccomp, name: &str, args: &[u64; 6]) -> Decision {
    let decision = |action| match action {
        ScmpActAllow => Decision::Allow,
        ScmpActErrno => Decision::Errno(1),
        ScmpActLog => Decision::Log,
        ScmpActTrap => Decision::Trap,
        _ => Decision::KillThread,
    };
    let default = decision(profile.default_action());
    let rules: Vec<&LinuxSyscall> = profile
        .syscalls()
        .iter()
        .flatten()
        .filter(|rule| rule.names()[0] == name)
        .collect();
    let plain = rules
        .iter()
        .find(|rule| rule.args().is_none() && decision(rule.action()) != default);
    if let Some(rule) = plain {
        return decision(rule.action());
    }
    // runc's stub: the profile's author knew no call with a greater number.
    let named = profile.syscalls().iter().flatten();
    let last = named
        .filter_map(|rule| syscall_number(&rule.names()[0]))
        .max();
    if default.refuses() && last.is_some_and(|last| syscall_number(name).unwrap() > last) {
        return Decision::Errno(38);
    }
    let holds = |rule: &&&LinuxSyscall| {
        rule.args()
            .iter()
            .flatten()
            .all(|arg| Condition::new(name, arg).unwrap().holds(args))
    };
    let matching = rules
        .iter()
        .filter(|rule| rule.args().is_some())
        .find(holds);
    matching.map_or(default, |rule| decision(rule.action()))
}
