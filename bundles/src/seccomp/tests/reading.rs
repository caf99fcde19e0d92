//! How profiles of others are read, and which are refused.

use std::collections::BTreeMap;

use oci_spec::runtime::LinuxSeccompAction::*;
use oci_spec::runtime::LinuxSeccompOperator::*;
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompFilterFlag, LinuxSyscall};

use super::*;

/// A profile of the shape that engines write.
const ENGINE: &str = include_str!("../../../tests/data/seccomp-engine.json");

/// What libseccomp 2.5.4 does with the same rules, as measured.
#[test]
fn precedence_is_that_of_libseccomp() {
    let allow = |args: &[_]| rule("setpgid", ScmpActAllow, None, args);
    let deny = |args: &[_]| rule("setpgid", ScmpActErrno, Some(7), args);
    let decide = |rules| {
        let filter = compile_strict(&profile(ScmpActErrno, rules))?;
        Ok::<_, SeccompError>([5, 7].map(|pid| filter.decide(&first("setpgid", pid))))
    };
    let five = [(0, ScmpCmpEq, 5, 0)];
    let not_five = [(0, ScmpCmpNe, 5, 0)];
    let over_three = [(0, ScmpCmpGt, 3, 0)];
    let (yes, no, default) = (Decision::Allow, Decision::Errno(7), Decision::Errno(1));
    assert_eq!(decide(vec![allow(&[]), deny(&[])]), Ok([yes, yes]));
    assert_eq!(decide(vec![deny(&[]), allow(&[])]), Ok([no, no]));
    assert_eq!(decide(vec![deny(&[]), allow(&five)]), Ok([no, no]));
    assert_eq!(decide(vec![deny(&five), allow(&not_five)]), Ok([no, yes]));
    assert_eq!(
        decide(vec![
            rule("setpgid", ScmpActErrno, Some(1), &[]),
            allow(&five)
        ]),
        Ok([yes, default])
    );
    let shadowed = decide(vec![allow(&[]), deny(&five)]);
    assert!(
        matches!(shadowed, Err(SeccompError::Shadowed { .. })),
        "{shadowed:?}"
    );
    let ambiguous = decide(vec![allow(&over_three), deny(&five)]);
    assert!(
        matches!(ambiguous, Err(SeccompError::Ambiguous { .. })),
        "{ambiguous:?}"
    );
}

#[test]
fn refused_profiles_say_why() {
    let plain = || profile(ScmpActErrno, vec![]);
    let with = |rule| profile(ScmpActErrno, vec![rule]);
    let mut no_names = LinuxSyscall::default();
    no_names.set_action(ScmpActAllow);
    let native_arch = if cfg!(target_arch = "x86_64") {
        Arch::ScmpArchX86_64
    } else {
        Arch::ScmpArchAarch64
    };
    let change = |change: &dyn Fn(&mut LinuxSeccomp)| {
        let mut profile = plain();
        change(&mut profile);
        profile
    };
    let cases = [
        (
            with(rule("opne", ScmpActAllow, None, &[])),
            "unknown system call \"opne\"",
        ),
        (
            with(rule("read", ScmpActNotify, None, &[])),
            "system call read: seccomp notification (SCMP_ACT_NOTIFY, listenerPath, listenerMetadata) is not for sealed bundles",
        ),
        (
            with(rule("read", ScmpActErrno, Some(4096), &[])),
            "system call read: errno 4096 is out of range",
        ),
        (
            with(rule("read", ScmpActAllow, Some(1), &[])),
            "system call read: SCMP_ACT_ALLOW takes no errno",
        ),
        (
            with(rule("read", ScmpActAllow, None, &[(6, ScmpCmpEq, 0, 0)])),
            "system call read: no argument 6",
        ),
        (
            with(rule(
                "read",
                ScmpActAllow,
                None,
                &[(0, ScmpCmpGt, 1, 0), (0, ScmpCmpLt, 9, 0)],
            )),
            "system call read: two conditions on argument 0 in one rule, which engines read differently",
        ),
        (with(no_names), "seccomp rule 0 names no system call"),
        (
            profile(ScmpActNotify, vec![]),
            "default action: seccomp notification (SCMP_ACT_NOTIFY, listenerPath, listenerMetadata) is not for sealed bundles",
        ),
        (
            change(&|p| {
                p.set_listener_path(Some("/run/x".into()));
            }),
            "listener: seccomp notification (SCMP_ACT_NOTIFY, listenerPath, listenerMetadata) is not for sealed bundles",
        ),
        (
            change(&|p| {
                p.set_flags(Some(vec![LinuxSeccompFilterFlag::SeccompFilterFlagLog]));
            }),
            "seccomp flag SECCOMP_FILTER_FLAG_LOG is not for sealed bundles",
        ),
        (
            change(&|p| {
                p.set_architectures(Some(vec![native_arch, Arch::ScmpArchX86]));
            }),
            "architecture SCMP_ARCH_X86: a sealed bundle's filter is for the native one only",
        ),
    ];
    for (profile, message) in cases {
        let error = compile_strict(&profile).expect_err(message).to_string();
        assert_eq!(error, message);
        assert!(!error.contains('\n') && !error.ends_with('.'));
    }
    let only_foreign = change(&|p| {
        p.set_architectures(Some(vec![Arch::ScmpArchS390x]));
    });
    assert!(matches!(
        compile_strict(&only_foreign),
        Err(SeccompError::NativeArchitectureMissing { .. })
    ));
    let ignored = change(&|p| {
        p.set_flags(Some(vec![LinuxSeccompFilterFlag::SeccompFilterFlagTsync]));
    });
    assert!(compile_strict(&ignored).is_ok());
}

/// Names of all architectures, three errnos, rules that overlap only in appearance.
#[test]
#[cfg(target_arch = "x86_64")]
fn engine_profile() {
    let mut engine: LinuxSeccomp = serde_json::from_str(ENGINE).unwrap();
    assert!(matches!(
        compile_strict(&engine),
        Err(SeccompError::ForeignArchitecture { .. })
    ));
    engine.set_architectures(Some(vec![Arch::ScmpArchX86_64]));
    assert!(matches!(
        compile_strict(&engine),
        Err(SeccompError::UnknownSyscall { .. })
    ));
    let filter = compile(&engine).unwrap();
    assert_eq!(filter.unknown_names(), ["no_such_call"; 0]);
    let expected: BTreeMap<&str, (Call, Decision)> = BTreeMap::from([
        ("read", (first("read", 0), Decision::Allow)),
        (
            "setns: twice, the first counts",
            (first("setns", 0), Decision::Allow),
        ),
        ("bpf", (first("bpf", 0), Decision::Errno(1))),
        ("vmsplice", (first("vmsplice", 0), Decision::Errno(1))),
        (
            "io_uring",
            (first("io_uring_setup", 0), Decision::Errno(38)),
        ),
        ("personality 8", (first("personality", 8), Decision::Allow)),
        (
            "personality 9",
            (first("personality", 9), Decision::Errno(38)),
        ),
        (
            "netlink audit",
            (native("socket", [16, 3, 9, 0, 0, 0]), Decision::Errno(22)),
        ),
        (
            "netlink route",
            (native("socket", [16, 3, 0, 0, 0, 0]), Decision::Allow),
        ),
        (
            "inet",
            (native("socket", [2, 1, 0, 0, 0, 0]), Decision::Allow),
        ),
    ]);
    for (what, (call, decision)) in expected {
        assert_eq!(filter.decide(&call), decision, "{what}");
    }
    // The promise's check finds out that this profile is no sealed one.
    let passed: Vec<&str> = banned_calls()
        .iter()
        .filter(|(call, _)| !filter.decide(call).refuses())
        .map(|(_, why)| *why)
        .collect();
    assert!(
        passed.iter().any(|why| why.contains("AF_ALG"))
            && passed.iter().any(|why| why.contains("TIOCSTI"))
    );
}
