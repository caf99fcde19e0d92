//! libseccomp's program for the same profile, run over the same calls.

use std::fs::File;
use std::io::{Read, Seek};

use super::Named;
use bundles::seccomp::{Call, Decision, Filter};
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator};

/// Both programs decide alike on each of these calls.
///
/// # Panics
/// Where they don't.
pub(super) fn agrees(profile: &LinuxSeccomp, named: &Named<'_>, filter: &Filter, calls: &[Call]) {
    let their = program(profile);
    for call in calls {
        let (ours, theirs) = (filter.decide(call), decision(run(&their, call)));
        // Beyond the last call that the profile names comes runc's stub, which libseccomp hasn't.
        let is_stub = ours == Decision::Errno(38) && named.is_beyond(call.nr);
        assert!(
            ours == theirs || is_stub,
            "{call:x?}: {ours}, libseccomp {theirs}\n{profile:?}"
        );
    }
}

/// An instruction as the kernel has it.
struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

fn program(profile: &LinuxSeccomp) -> Vec<Instruction> {
    let default = action(profile.default_action(), profile.default_errno_ret());
    let mut context = ScmpFilterContext::new(default).expect("a context");
    for entry in profile.syscalls().iter().flatten() {
        let action = action(entry.action(), entry.errno_ret());
        if action == default {
            continue;
        }
        let args: Vec<_> = entry.args().iter().flatten().map(compare).collect();
        for name in entry.names() {
            let call = ScmpSyscall::from_name(name).expect("a name that it knows");
            context
                .add_rule_conditional(action, call, &args)
                .expect("a rule that it takes");
        }
    }
    let memory = rustix::fs::memfd_create("program", rustix::fs::MemfdFlags::CLOEXEC);
    let mut file = File::from(memory.expect("a file in memory"));
    context.export_bpf(&file).expect("its program");
    file.rewind().expect("read it again");
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).expect("read it");
    let instructions = bytes.chunks_exact(8).map(|bytes| Instruction {
        code: u16::from_ne_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    });
    instructions.collect()
}

/// A machine of its own, so that a mistake of ours isn't on both sides: loads of words, masks, comparisons, returns.
fn run(program: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut a) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let branch = |taken: bool| usize::from(if taken { jt } else { jf });
        match code {
            0x20 => a = word(call, k),
            0x54 => a &= k,
            0x05 => at += k as usize,
            0x15 => at += branch(a == k),
            0x25 => at += branch(a > k),
            0x35 => at += branch(a >= k),
            0x45 => at += branch(a & k != 0),
            0x06 => return k,
            other => panic!("libseccomp's instruction {other:#x}"),
        }
    }
}

/// What the kernel makes of a program's answer: linux/seccomp.h.
fn decision(answer: u32) -> Decision {
    let data = (answer & 0xffff) as u16;
    match answer & 0xffff_0000 {
        0x8000_0000 => Decision::KillProcess,
        0 => Decision::KillThread,
        0x0003_0000 => Decision::Trap,
        0x0005_0000 => Decision::Errno(data.min(4095)),
        0x7fc0_0000 => Decision::Notify,
        0x7ff0_0000 => Decision::Trace(data),
        0x7ffc_0000 => Decision::Log,
        0x7fff_0000 => Decision::Allow,
        other => panic!("libseccomp's answer {other:#x}"),
    }
}

/// A word of `struct seccomp_data`, little endian.
fn word(call: &Call, offset: u32) -> u32 {
    match offset {
        0 => call.nr,
        4 => call.arch,
        8 | 12 => 0,
        _ => {
            let argument = call.args[(offset as usize - 16) / 8];
            (argument >> (8 * (offset & 4))) as u32
        }
    }
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> ScmpAction {
    let errno = errno.unwrap_or(1);
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            ScmpAction::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActErrno => ScmpAction::Errno(errno.cast_signed()),
        LinuxSeccompAction::ScmpActNotify => ScmpAction::Notify,
        LinuxSeccompAction::ScmpActTrace => ScmpAction::Trace(u16::try_from(errno).expect("short")),
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
    }
}

fn compare(arg: &LinuxSeccompArg) -> ScmpArgCompare {
    let (value, two) = (arg.value(), arg.value_two().unwrap_or(0));
    let (operator, datum) = match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => (ScmpCompareOp::NotEqual, value),
        LinuxSeccompOperator::ScmpCmpLt => (ScmpCompareOp::Less, value),
        LinuxSeccompOperator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, value),
        LinuxSeccompOperator::ScmpCmpEq => (ScmpCompareOp::Equal, value),
        LinuxSeccompOperator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, value),
        LinuxSeccompOperator::ScmpCmpGt => (ScmpCompareOp::Greater, value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => (ScmpCompareOp::MaskedEqual(value), two),
    };
    ScmpArgCompare::new(
        u32::try_from(arg.index()).expect("below six"),
        operator,
        datum,
    )
}
