//! Profiles through the whole chain: to_oci, compile, decide. Here ours, and what the other tests share.

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

use super::*;

mod actions;
mod libseccomp;
mod reading;

/// Lines of "call arguments: decision".
const VECTORS: &str = include_str!("../../tests/data/seccomp-opt-server.txt");

fn native(name: &str, args: [u64; 6]) -> Call {
    let nr = syscall_number(name).unwrap_or_else(|| panic!("{name}"));
    Call {
        arch: native_audit_arch().unwrap(),
        nr: u32::try_from(nr).unwrap(),
        args,
    }
}

fn first(name: &str, argument: u64) -> Call {
    native(name, [argument, 0, 0, 0, 0, 0])
}

fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(&hex.replace('_', ""), 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

/// "name", "nr:999", "x32:name", "arch:0x40000003:nr".
fn parse_call(words: &str) -> Option<Call> {
    let mut words = words.split_whitespace();
    let (head, mut args) = (words.next().unwrap(), [0; 6]);
    for (slot, word) in args.iter_mut().zip(words) {
        *slot = number(word);
    }
    let mut call = match head.split(':').collect::<Vec<_>>().as_slice() {
        ["nr", nr] => Call {
            arch: native_audit_arch()?,
            nr: u32::try_from(number(nr)).unwrap(),
            args,
        },
        ["arch", arch, nr] => Call {
            arch: u32::try_from(number(arch)).unwrap(),
            nr: u32::try_from(number(nr)).unwrap(),
            args,
        },
        [.., name] => native(name, args),
        [] => return None,
    };
    if head.starts_with("x32:") {
        call.nr |= X32_BIT;
    }
    Some(call)
}

#[test]
#[cfg(target_arch = "x86_64")]
fn opt_server_vectors() {
    let filter = compile_strict(&opt_server().to_oci()).unwrap();
    let mut count = 0;
    for line in VECTORS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (call, expected) = line.rsplit_once("=>").unwrap_or_else(|| panic!("{line}"));
        let decision = filter.decide(&parse_call(call).unwrap());
        assert_eq!(decision.to_string(), expected.trim(), "{line}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn opt_server_refuses_all_banned_calls() {
    let filter = compile_strict(&opt_server().to_oci()).unwrap();
    let calls = banned_calls();
    assert!(calls.len() > 50);
    for (call, reason) in calls {
        assert!(filter.decide(&call).refuses(), "{reason}: {call:x?}");
    }
}

/// Each unconditional rule means what it says, for any arguments, and no x32 number passes.
#[test]
fn opt_server_rules_are_kept() {
    let filter = compile_strict(&opt_server().to_oci()).unwrap();
    for rule in opt_server()
        .rules
        .iter()
        .filter(|rule| rule.args.is_empty())
    {
        let expected = match rule.action {
            RuleAction::Allow => Decision::Allow,
            RuleAction::Errno(errno) => Decision::Errno(u16::try_from(errno).unwrap()),
        };
        for name in rule
            .names
            .iter()
            .filter(|name| syscall_number(name).is_some())
        {
            for args in [[0; 6], [u64::MAX; 6], [1 << 32; 6]] {
                assert_eq!(filter.decide(&native(name, args)), expected, "{name}");
            }
        }
    }
    let arch = native_audit_arch().unwrap();
    let decide = |nr| {
        filter.decide(&Call {
            arch,
            nr,
            args: [0; 6],
        })
    };
    for nr in 500..2048 {
        assert_eq!(decide(nr), Decision::Errno(38), "{nr}");
        assert_eq!(decide(nr | X32_BIT), Decision::KillThread, "{nr}");
    }
    // -1: a tracer wants the call skipped, and the kernel skips it.
    assert_eq!(decide(u32::MAX), Decision::Errno(38));
    assert_eq!(decide(1 << 31), Decision::KillThread);
    for nr in 0..512 {
        let foreign = Call {
            arch: AUDIT_ARCH_I386,
            nr,
            args: [0; 6],
        };
        assert_eq!(filter.decide(&foreign), Decision::KillThread);
    }
}

/// The calls that the runtime makes from loading the filter to execve.
#[test]
fn opt_server_lets_the_runtime_finish() {
    let filter = compile_strict(&opt_server().to_oci()).unwrap();
    for name in [
        "accept",
        "accept4",
        "brk",
        "capget",
        "capset",
        "chdir",
        "close",
        "close_range",
        "execve",
        "execveat",
        "exit_group",
        "fchdir",
        "fcntl",
        "futex",
        "getpid",
        "mmap",
        "mprotect",
        "munmap",
        "newfstatat",
        "openat",
        "ppoll",
        "prctl",
        "read",
        "recvfrom",
        "recvmsg",
        "rt_sigaction",
        "rt_sigprocmask",
        "seccomp",
        "sendmsg",
        "sendto",
        "setgid",
        "setgroups",
        "setresgid",
        "setresuid",
        "setsid",
        "setuid",
        "sigaltstack",
        "umask",
        "write",
        "writev",
    ] {
        assert_eq!(
            filter.decide(&native(name, [0; 6])),
            Decision::Allow,
            "{name}"
        );
    }
}

fn profile(default: LinuxSeccompAction, rules: Vec<LinuxSyscall>) -> LinuxSeccomp {
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(default)
        .set_syscalls(Some(rules));
    profile
}

fn rule(
    name: &str,
    action: LinuxSeccompAction,
    errno: Option<u32>,
    args: &[(usize, LinuxSeccompOperator, u64, u64)],
) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_names(vec![name.to_owned()])
        .set_action(action)
        .set_errno_ret(errno);
    let args: Vec<LinuxSeccompArg> = args
        .iter()
        .map(|(index, op, value, two)| {
            let builder = LinuxSeccompArgBuilder::default().index(*index).op(*op);
            builder.value(*value).value_two(*two).build().unwrap()
        })
        .collect();
    rule.set_args((!args.is_empty()).then_some(args));
    rule
}
