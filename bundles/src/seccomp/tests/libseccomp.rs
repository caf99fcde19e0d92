//! What our programs decide is what libseccomp's decide, call by call, for the same profile.
//!
//! libseccomp is a witness only: a program in C, compiled here, writes its program down. Where there is no C
//! compiler or no libseccomp to compile with, the tests are skipped; hack/test installs both.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use oci_spec::runtime::LinuxSeccompAction::*;
use oci_spec::runtime::LinuxSeccompOperator::*;
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

use super::*;
use crate::seccomp::compile::compile_for;
use crate::seccomp::policy::Rules;
use crate::seccomp::program::Instruction;
use crate::seccomp::simulate::decide;
use crate::seccomp::table::{AARCH64, Architecture, Machine, X86_64, row};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/libseccomp-export.c");

const SMALL: &str = include_str!("../../../tests/data/seccomp-engine.json");

/// The witness, compiled once; `None` where it can't be.
fn witness() -> Option<&'static PathBuf> {
    static WITNESS: OnceLock<Option<PathBuf>> = OnceLock::new();
    WITNESS
        .get_or_init(|| {
            // Beside this program, in Cargo's own directory; made whole, for tests run side by side.
            let target = std::env::current_exe()
                .ok()?
                .with_file_name("libseccomp-export");
            let made = target.with_extension(std::process::id().to_string());
            let compiled = Command::new("cc")
                .args(["-O1", "-o"])
                .arg(&made)
                .args([SOURCE, "-lseccomp"])
                .stderr(Stdio::null())
                .status();
            if !compiled.is_ok_and(|status| status.success()) {
                eprintln!("skipped: no C compiler, or no libseccomp-dev");
                return None;
            }
            std::fs::rename(&made, &target).ok()?;
            Some(target)
        })
        .as_ref()
}

/// libseccomp's program for a profile, and the names that it doesn't know. An error where it refuses a rule.
fn theirs(profile: &LinuxSeccomp, machine: &Machine) -> Option<Result<Vec<Instruction>, ()>> {
    let mut child = Command::new(witness()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("start the witness");
    let mut input = child.stdin.take().expect("a pipe");
    input
        .write_all(text(profile, machine).as_bytes())
        .expect("write the profile");
    drop(input);
    let output = child.wait_with_output().expect("the witness ends");
    Some(match output.status.code() {
        Some(0) => Ok(output.stdout.chunks_exact(8).map(instruction).collect()),
        Some(3) => Err(()),
        other => panic!("the witness ended with {other:?}"),
    })
}

fn instruction(bytes: &[u8]) -> Instruction {
    Instruction {
        code: u16::from_ne_bytes(bytes[..2].try_into().unwrap()),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes(bytes[4..8].try_into().unwrap()),
    }
}

/// The profile as the witness reads it, with what runc and crun do before they hand rules to libseccomp.
fn text(profile: &LinuxSeccomp, machine: &Machine) -> String {
    let default = value(profile.default_action(), profile.default_errno_ret());
    let mut text = format!("default {default}\n");
    if machine.oci != X86_64.oci {
        text += &format!("only {}\n", machine.oci as u32);
    }
    for arch in profile.architectures().iter().flatten() {
        text += &format!("arch {}\n", *arch as u32);
    }
    for entry in profile.syscalls().iter().flatten() {
        let action = value(entry.action(), entry.errno_ret());
        if action == default {
            continue;
        }
        let args: Vec<String> = entry.args().iter().flatten().map(argument).collect();
        let repeated = entry.args().iter().flatten().any(|arg| {
            let all = entry.args().iter().flatten();
            all.filter(|other| other.index() == arg.index()).count() > 1
        });
        for name in entry.names() {
            if repeated {
                for arg in &args {
                    text += &format!("rule {action} {name} 1 {arg}\n");
                }
            } else {
                text += &format!("rule {action} {name} {} {}\n", args.len(), args.join(" "));
            }
        }
    }
    text
}

fn argument(arg: &LinuxSeccompArg) -> String {
    let operator = match arg.op() {
        ScmpCmpNe => 1,
        ScmpCmpLt => 2,
        ScmpCmpLe => 3,
        ScmpCmpEq => 4,
        ScmpCmpGe => 5,
        ScmpCmpGt => 6,
        ScmpCmpMaskedEq => 7,
    };
    let two = arg.value_two().unwrap_or(0);
    format!("{} {operator} {} {two}", arg.index(), arg.value())
}

/// linux/seccomp.h.
fn value(action: LinuxSeccompAction, errno: Option<u32>) -> u32 {
    let data = errno.unwrap_or(1);
    match action {
        ScmpActKill | ScmpActKillThread => 0,
        ScmpActKillProcess => 0x8000_0000,
        ScmpActTrap => 0x0003_0000,
        ScmpActErrno => 0x0005_0000 | data,
        ScmpActNotify => 0x7fc0_0000,
        ScmpActTrace => 0x7ff0_0000 | data,
        ScmpActLog => 0x7ffc_0000,
        ScmpActAllow => 0x7fff_0000,
    }
}

/// Arguments worth trying: what the profile compares with, and what is next to it.
fn interesting(profile: &LinuxSeccomp) -> Vec<u64> {
    let mut values = vec![0, 1, 0xffff_ffff, 1 << 32, u64::MAX];
    for entry in profile.syscalls().iter().flatten() {
        for arg in entry.args().iter().flatten() {
            for value in [arg.value(), arg.value_two().unwrap_or(0)] {
                values.extend([value, value.wrapping_sub(1), value.wrapping_add(1)]);
                values.extend([value ^ (1 << 32), value ^ (1 << 63), value << 32]);
            }
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Holds both programs against each other on every number, with `tries` sets of arguments for each that the
/// profile restricts by them. Gives the first call that they decide differently.
fn difference(
    profile: &LinuxSeccomp,
    machine: &Machine,
    their: &[Instruction],
    tries: usize,
) -> Option<String> {
    let filter = compile_for(profile, machine).expect("libseccomp takes it");
    let rules = Rules::new(profile).unwrap();
    let values = interesting(profile);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut architectures = vec![machine.native];
    let listed = profile.architectures().as_deref().unwrap_or_default();
    let others = listed
        .iter()
        .filter_map(|arch| Architecture::from_oci(*arch));
    architectures.extend(others.filter(|other| machine.others.contains(other)));
    for architecture in architectures {
        let policy = rules.policy(architecture).unwrap();
        let first =
            if architecture.audit() == machine.native.audit() && architecture != machine.native {
                X32_BIT
            } else {
                0
            };
        let numbers = (first..first + 700).chain([first + 983_042, first + 0x3fff_ffff, u32::MAX]);
        for nr in numbers {
            let known = policy.calls.iter().find(|(number, _)| *number == nr);
            let tries = match known {
                Some((_, clauses)) if !clauses[0].conditions.is_empty() => tries,
                _ => 1,
            };
            for _ in 0..tries {
                let call = Call {
                    arch: architecture.audit(),
                    nr,
                    args: std::array::from_fn(|_| match architecture.is_wide() {
                        true => random.one(&values),
                        false => random.one(&values) & 0xffff_ffff,
                    }),
                };
                let (ours, their) = (filter.decide(&call), decide(their, &call));
                // Beyond the last call that the profile names comes runc's stub, which libseccomp hasn't.
                let is_stub =
                    ours == Decision::Errno(38) && policy.last.is_some_and(|last| nr > last);
                if ours != their && !is_stub {
                    return Some(format!("{call:x?}: {ours}, libseccomp {their}"));
                }
            }
        }
    }
    let nowhere = Call {
        arch: 0x1234,
        nr: 0,
        args: [0; 6],
    };
    (filter.decide(&nowhere) != decide(their, &nowhere)).then(|| "bad architecture".to_owned())
}

fn agree(what: &str, mut profile: LinuxSeccomp, machine: &Machine) {
    drop_newer_names(&mut profile);
    let Some(their) = theirs(&profile, machine) else {
        return;
    };
    let their = their.unwrap_or_else(|()| panic!("{what}: refused"));
    let difference = difference(&profile, machine, &their, 300);
    assert_eq!(difference, None, "{what}");
    let ours = compile_for(&profile, machine).unwrap().program().len();
    println!("{what}: {ours} instructions, libseccomp {}", their.len());
}

/// The library of Debian 12 knows the calls of Linux 5.17.
fn drop_newer_names(profile: &mut LinuxSeccomp) {
    let mut entries = profile.syscalls().clone().unwrap_or_default();
    for entry in &mut entries {
        let mut names = entry.names().clone();
        names.retain(|name| {
            let number = row(name).and_then(|row| Architecture::Aarch64.number(row));
            number.is_none_or(|number| number <= 450)
                && !["map_shadow_stack", "uretprobe", "uprobe"].contains(&name.as_str())
        });
        entry.set_names(names);
    }
    profile.set_syscalls(Some(entries));
}

fn read(text: &str) -> LinuxSeccomp {
    serde_json::from_str(text).unwrap()
}

#[test]
fn profiles_of_engines() {
    for (what, text) in [
        (
            "podman",
            include_str!("../../../tests/data/seccomp-podman.json"),
        ),
        (
            "containerd",
            include_str!("../../../tests/data/seccomp-containerd.json"),
        ),
        ("small", SMALL),
    ] {
        let mut profile = read(text);
        agree(what, profile.clone(), &X86_64);
        for arches in [vec![], vec![Arch::ScmpArchX32], vec![Arch::ScmpArchX86]] {
            profile.set_architectures(Some(arches));
            agree(what, profile.clone(), &X86_64);
        }
        for arches in [vec![], vec![Arch::ScmpArchArm]] {
            profile.set_architectures(Some(arches));
            agree(what, profile.clone(), &AARCH64);
        }
        for default in [
            ScmpActAllow,
            ScmpActLog,
            ScmpActKill,
            ScmpActTrace,
            ScmpActErrno,
        ] {
            profile
                .set_default_action(default)
                .set_default_errno_ret(None);
            profile.set_architectures(Some(vec![Arch::ScmpArchX86, Arch::ScmpArchX32]));
            agree(what, profile.clone(), &X86_64);
        }
    }
}

#[test]
fn our_own_profile() {
    agree("opt-server", opt_server().to_oci(), &X86_64);
}

const NAMES: [&str; 6] = ["read", "openat", "socket", "semop", "mmap", "readv"];

const VALUES: [u64; 8] = [0, 1, 2, 7, 1 << 32, (1 << 32) + 1, u64::MAX, 0xffff_ffff];

const OPERATORS: [LinuxSeccompOperator; 7] = [
    ScmpCmpNe,
    ScmpCmpLt,
    ScmpCmpLe,
    ScmpCmpEq,
    ScmpCmpGe,
    ScmpCmpGt,
    ScmpCmpMaskedEq,
];

fn random_action(random: &mut Random) -> (LinuxSeccompAction, Option<u32>) {
    let action = random.one(&[
        ScmpActAllow,
        ScmpActErrno,
        ScmpActLog,
        ScmpActNotify,
        ScmpActTrap,
    ]);
    let errno = if random.below(2) == 0 { 3 } else { 4 };
    (action, (action == ScmpActErrno).then_some(errno))
}

/// One rule for each call, with up to three conditions of any kind.
fn single_rules(random: &mut Random) -> Vec<LinuxSyscall> {
    let rules = NAMES.iter().map(|name| {
        let first = random.below(4);
        let args: Vec<_> = (first..=first + random.below(3))
            .map(|index| {
                (
                    index,
                    random.one(&OPERATORS),
                    random.one(&VALUES),
                    random.one(&VALUES),
                )
            })
            .collect();
        let (action, errno) = random_action(random);
        rule(name, action, errno, &args)
    });
    rules.collect()
}

/// Several values of one argument, each with an action of its own, as profiles have them.
fn lists_of_values(random: &mut Random) -> Vec<LinuxSyscall> {
    let mut rules = vec![];
    for name in NAMES {
        let index = random.below(6);
        let first = random.below(VALUES.len());
        for value in VALUES.iter().cycle().skip(first).take(random.below(5) + 1) {
            // No two that are the same on 32 bits: there libseccomp refuses the second.
            let value = value & 0xffff_ffff | u64::from(name == "read") << 40;
            let (action, errno) = random_action(random);
            let known = rules.iter().any(|known: &LinuxSyscall| {
                known.names()[0] == name && known.args().as_ref().unwrap()[0].value() == value
            });
            if !known && (name != "socket" || rules.iter().all(|rule| rule.names()[0] != name)) {
                rules.push(rule(name, action, errno, &[(index, ScmpCmpEq, value, 0)]));
            }
        }
    }
    rules
}

/// Random, with a fixed seed, and no more than libseccomp 2.5.4 gets right. Where rules of one call overlap, or
/// begin with different arguments, its programs don't always do what they say, and it may not end; where the
/// call of highest priority isn't there on a second architecture, all calls of that one get the default.
#[test]
fn random_profiles() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let kinds: [fn(&mut Random) -> Vec<LinuxSyscall>; 2] = [single_rules, lists_of_values];
    for turn in 0..240 {
        let default = random.one(&[ScmpActAllow, ScmpActErrno, ScmpActKillProcess, ScmpActLog]);
        let mut profile = profile(default, kinds[turn % 2](&mut random));
        let (machine, architectures) = match turn / 2 % 3 {
            0 => (&X86_64, vec![]),
            1 => (&X86_64, vec![Arch::ScmpArchX32]),
            _ => (&AARCH64, vec![]),
        };
        profile.set_architectures(Some(architectures));
        profile.set_listener_path(Some("/run/agent".into()));
        let Some(their) = theirs(&profile, machine) else {
            return;
        };
        match (compile_for(&profile, machine), their) {
            (Ok(_), Ok(their)) => {
                let difference = difference(&profile, machine, &their, 100);
                assert_eq!(difference, None, "{}", text(&profile, machine));
            }
            (ours, their) => panic!("{ours:?} {}\n{}", their.is_ok(), text(&profile, machine)),
        }
    }
}
