//! Filters of system calls: what our program decides is what the profile says, and what libseccomp's program decides.
//!
//! An input that begins as an object is a profile as bundles have it. Any other is choices: of a profile from which
//! libseccomp 2.5 makes what it says. Where rules of one call overlap it doesn't always, and may not come to an end.

use std::collections::BTreeMap;
use std::path::Path;

use bundles::seccomp::{
    Call, Decision, Filter, compile, compile_strict, native_audit_arch, syscall_number,
};
use integration::generated::Choices;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};
use serde_json::{Value, json};

use crate::Run;
use crate::properties::told;

#[cfg(feature = "libfuzzer")]
mod witness;

pub(super) fn make(_: &Path) -> Run {
    Box::new(|input| {
        let is_text = input.trim_ascii_start().first() == Some(&b'{');
        let profile: Option<LinuxSeccomp> = match is_text {
            true => serde_json::from_slice(input).ok(),
            false => serde_json::from_value(chosen(&mut Choices::of(input))).ok(),
        };
        let Some(profile) = profile else {
            assert!(is_text, "what is chosen is a profile");
            return;
        };
        let filter = match compile(&profile) {
            Ok(filter) => filter,
            Err(error) => {
                assert!(is_text, "what is chosen is compiled: {error}");
                return told(&error);
            }
        };
        is_loadable(&filter);
        if let Ok(strict) = compile_strict(&profile) {
            assert_eq!(strict.program(), filter.program());
        }
        let named = Named::of(&profile);
        let choice = input.iter().map(|byte| usize::from(*byte)).sum();
        let calls = calls(&profile, &named, choice);
        decides_what_is_said(&profile, &named, &filter, &calls);
        #[cfg(feature = "libfuzzer")]
        if !is_text {
            witness::agrees(&profile, &named, &filter, &calls);
        }
    })
}

/// The kernel's own check of a program: each jump ends within it, and so does the program.
fn is_loadable(filter: &Filter) {
    let program = filter.program();
    assert!(!program.is_empty() && program.len() <= 4096);
    for (at, instruction) in program.iter().enumerate() {
        let (is_jump, is_always) = (instruction.code & 7 == 5, instruction.code == 5);
        let furthest = match (is_jump, is_always) {
            (true, true) => instruction.k as usize,
            (true, false) => usize::from(instruction.jt.max(instruction.jf)),
            (false, _) => 0,
        };
        assert!(
            at + 1 + furthest < program.len() || instruction.code & 7 == 6,
            "instruction {at}"
        );
    }
}

/// Numbers of calls with and without a name, and arguments at and around those that the profile asks for.
fn calls(profile: &LinuxSeccomp, named: &Named<'_>, choice: usize) -> Vec<Call> {
    let values = values(profile);
    let native = native_audit_arch().expect("a machine that filters are made for");
    let mut calls = vec![];
    for nr in (0..700).chain([0x4000_0000, 0x4000_0001, 0x4000_0207, u32::MAX]) {
        let has_rules = !named.rules(nr).is_empty();
        if !has_rules && !named.is_edge(nr) && !is_turn_of(nr, choice) {
            continue;
        }
        let tries = if has_rules { values.len() } else { 1 };
        for turn in 0..tries {
            let pick = |index: usize| values[(turn * (2 * index + 1) + index) % values.len()];
            calls.push(Call {
                arch: native,
                nr,
                args: std::array::from_fn(pick),
            });
        }
    }
    calls.push(Call {
        arch: 0x1234,
        nr: 0,
        args: [0; 6],
    });
    calls
}

fn values(profile: &LinuxSeccomp) -> Vec<u64> {
    let entries = profile.syscalls().iter().flatten();
    let args = entries.flat_map(|entry| entry.args().iter().flatten());
    let mut values: Vec<u64> = args
        .flat_map(|arg| [arg.value(), arg.value_two().unwrap_or(0)])
        .take(6)
        .flat_map(|value| {
            [
                value,
                value.wrapping_sub(1),
                value.wrapping_add(1),
                value ^ (1 << 32),
                value ^ (1 << 63),
            ]
        })
        .chain([0, u64::MAX])
        .collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// All numbers take most of the time of an input: one in eight has them all, the others one in eight of them.
fn is_turn_of(nr: u32, choice: usize) -> bool {
    choice.is_multiple_of(8) || (nr as usize) % 8 == choice % 8
}

/// The profile's rules by the number of the call that they name.
struct Named<'a>(BTreeMap<u32, Vec<&'a LinuxSyscall>>);

impl<'a> Named<'a> {
    fn of(profile: &'a LinuxSeccomp) -> Self {
        let mut all: BTreeMap<u32, Vec<&LinuxSyscall>> = BTreeMap::new();
        for entry in profile.syscalls().iter().flatten() {
            let numbers = entry.names().iter().filter_map(|name| syscall_number(name));
            for number in numbers.filter_map(|number| u32::try_from(number).ok()) {
                all.entry(number).or_default().push(entry);
            }
        }
        Self(all)
    }

    fn rules(&self, number: u32) -> &[&'a LinuxSyscall] {
        self.0.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Whether it is next to one that has rules, where a mistake of ranges would show.
    fn is_edge(&self, number: u32) -> bool {
        let next = [number.wrapping_sub(1), number.wrapping_add(1)];
        next.iter().any(|number| self.0.contains_key(number))
    }

    /// Whether it is beyond what the profile knows: runc answers such calls with ENOSYS.
    fn is_beyond(&self, number: u32) -> bool {
        self.0
            .last_key_value()
            .is_some_and(|(last, _)| number > *last)
    }
}

/// For a native call it is an action of a rule that fits, or the default where none does.
fn decides_what_is_said(
    profile: &LinuxSeccomp,
    named: &Named<'_>,
    filter: &Filter,
    calls: &[Call],
) {
    let default = decision(profile.default_action(), profile.default_errno_ret());
    for call in calls {
        let found = filter.decide(call);
        if Some(call.arch) != native_audit_arch() || call.nr >= 0x4000_0000 {
            continue;
        }
        let rules = named.rules(call.nr).iter();
        let fitting: Vec<Decision> = rules
            .clone()
            .filter(|entry| may_fit(entry, call))
            .map(|entry| decision(entry.action(), entry.errno_ret()))
            .collect();
        let is_stub = found == Decision::Errno(38) && named.is_beyond(call.nr);
        assert!(
            fitting.contains(&found) || found == default || is_stub,
            "{call:x?}: {found}, of {fitting:?} or {default}"
        );
        // A rule that is sure to fit is never passed over for the default.
        let is_sure = rules.clone().any(|entry| fits(entry, call));
        assert!(
            !is_sure || fitting.contains(&found),
            "{call:x?}: {found}, of {fitting:?}"
        );
    }
}

/// All conditions hold, or, where two are about one argument, one of them.
fn may_fit(entry: &LinuxSyscall, call: &Call) -> bool {
    let args: Vec<_> = entry.args().iter().flatten().collect();
    let repeated = args.iter().any(|arg| {
        args.iter()
            .filter(|other| other.index() == arg.index())
            .count()
            > 1
    });
    match repeated {
        true => args.iter().any(|arg| holds(arg, call)),
        false => args.iter().all(|arg| holds(arg, call)),
    }
}

fn fits(entry: &LinuxSyscall, call: &Call) -> bool {
    entry.args().iter().flatten().all(|arg| holds(arg, call))
}

fn holds(arg: &LinuxSeccompArg, call: &Call) -> bool {
    use LinuxSeccompOperator::*;
    let Some(argument) = call.args.get(arg.index()).copied() else {
        return false;
    };
    let value = arg.value();
    match arg.op() {
        ScmpCmpNe => argument != value,
        ScmpCmpLt => argument < value,
        ScmpCmpLe => argument <= value,
        ScmpCmpEq => argument == value,
        ScmpCmpGe => argument >= value,
        ScmpCmpGt => argument > value,
        ScmpCmpMaskedEq => argument & value == arg.value_two().unwrap_or(0) & value,
    }
}

fn decision(action: LinuxSeccompAction, errno: Option<u32>) -> Decision {
    let errno = u16::try_from(errno.unwrap_or(1)).unwrap_or(u16::MAX);
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            Decision::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => Decision::KillProcess,
        LinuxSeccompAction::ScmpActTrap => Decision::Trap,
        // The kernel's greatest.
        LinuxSeccompAction::ScmpActErrno => Decision::Errno(errno.min(4095)),
        LinuxSeccompAction::ScmpActNotify => Decision::Notify,
        LinuxSeccompAction::ScmpActTrace => Decision::Trace(errno),
        LinuxSeccompAction::ScmpActLog => Decision::Log,
        LinuxSeccompAction::ScmpActAllow => Decision::Allow,
    }
}

const NAMES: [&str; 14] = [
    "read",
    "openat",
    "socket",
    "semop",
    "mmap",
    "readv",
    "clone",
    "ioctl",
    "prctl",
    "kill",
    "ptrace",
    "mount",
    "execve",
    "personality",
];

const VALUES: [u64; 12] = [
    0,
    1,
    2,
    7,
    38,
    1 << 31,
    1 << 32,
    (1 << 32) + 1,
    1 << 63,
    0x7e02_0000,
    0xffff_ffff,
    u64::MAX,
];

const OPERATORS: [&str; 7] = [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
];

const DEFAULTS: [&str; 4] = [
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_LOG",
];

const ACTIONS: [&str; 6] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_LOG",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_TRACE",
];

/// A profile with one rule a call, of up to three conditions on different arguments, or with several values of one
/// argument.
fn chosen(choices: &mut Choices<'_>) -> Value {
    let mut rules = vec![];
    for name in NAMES {
        match choices.below(4) {
            0 => {}
            1 => rules.push(rule(choices, name, &[])),
            2 => {
                let first = choices.below(4);
                let last = first + choices.below(3);
                let args: Vec<Value> = (first..=last)
                    .map(|index| argument(choices, index))
                    .collect();
                rules.push(rule(choices, name, &args));
            }
            _ => values_of_one(choices, name, &mut rules),
        }
    }
    json!({ "defaultAction": choices.one(&DEFAULTS), "syscalls": rules })
}

fn argument(choices: &mut Choices<'_>, index: usize) -> Value {
    json!({
        "index": index, "op": choices.one(&OPERATORS), "value": value(choices), "valueTwo": value(choices),
    })
}

fn value(choices: &mut Choices<'_>) -> u64 {
    match choices.below(4) {
        0 => choices.number(),
        _ => choices.one(&VALUES),
    }
}

fn values_of_one(choices: &mut Choices<'_>, name: &str, rules: &mut Vec<Value>) {
    let index = choices.below(6);
    let mut known = vec![];
    for _ in 0..=choices.below(4) {
        let value = value(choices);
        // libseccomp refuses a second rule that is the same on 32 bits.
        if !known.contains(&(value & 0xffff_ffff)) {
            known.push(value & 0xffff_ffff);
            let equal = json!({ "index": index, "op": "SCMP_CMP_EQ", "value": value });
            rules.push(rule(choices, name, &[equal]));
        }
    }
}

fn rule(choices: &mut Choices<'_>, name: &str, args: &[Value]) -> Value {
    let action = choices.one(&ACTIONS);
    let mut rule = json!({ "names": [name], "action": action, "args": args });
    if action == "SCMP_ACT_ERRNO" {
        rule["errnoRet"] = json!(choices.below(200));
    }
    rule
}
