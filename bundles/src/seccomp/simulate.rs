//! What the kernel would answer: classic BPF run over a call.

use std::fmt;

use super::program::{ARGUMENTS, Instruction, code};

/// A system call as a filter sees it (`struct seccomp_data`, without the instruction pointer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// The number, x32 bit included.
    pub nr: u32,
    /// The six argument registers, all 64 bits of them.
    pub args: [u64; 6],
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// The process is killed (SIGSYS).
    KillProcess,
    /// The thread is killed (SIGSYS).
    KillThread,
    /// The thread gets a SIGSYS that it may catch.
    Trap,
    /// The call fails with this errno.
    Errno(u16),
    /// The listener decides; once there is none the call fails with ENOSYS.
    Notify,
    /// A tracer is asked; without one the call fails with ENOSYS.
    Trace(u16),
    /// The call is made, and logged.
    Log,
    /// The call is made.
    Allow,
}

impl Decision {
    /// Whether the call is certain not to be made.
    pub fn refuses(self) -> bool {
        matches!(
            self,
            Self::KillProcess | Self::KillThread | Self::Trap | Self::Errno(_)
        )
    }

    /// Position in the kernel's order of precedence, the strictest first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::KillProcess => 0,
            Self::KillThread => 1,
            Self::Trap => 2,
            Self::Errno(_) => 3,
            Self::Notify => 4,
            Self::Trace(_) => 5,
            Self::Log => 6,
            Self::Allow => 7,
        }
    }

    /// What a filter returns for it: linux/seccomp.h.
    pub(super) fn to_return(self) -> u32 {
        match self {
            Self::KillProcess => 0x8000_0000,
            Self::KillThread => 0,
            Self::Trap => 0x0003_0000,
            Self::Errno(errno) => 0x0005_0000 | u32::from(errno),
            Self::Notify => 0x7fc0_0000,
            Self::Trace(data) => 0x7ff0_0000 | u32::from(data),
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
        }
    }

    /// Reads a filter's return value as the kernel does (`__seccomp_filter`).
    pub(super) fn from_return(value: u32) -> Self {
        let data = (value & 0xffff) as u16;
        match value & 0xffff_0000 {
            0x7fff_0000 => Self::Allow,
            0x7ffc_0000 => Self::Log,
            0x7ff0_0000 => Self::Trace(data),
            0x7fc0_0000 => Self::Notify,
            0x0005_0000 => Self::Errno(data.min(MAX_ERRNO)),
            0x0003_0000 => Self::Trap,
            0x0000_0000 => Self::KillThread,
            // KILL_PROCESS, and whatever the kernel doesn't know: it kills then, too.
            _ => Self::KillProcess,
        }
    }
}

/// The kernel cuts greater ones down to it.
pub(super) const MAX_ERRNO: u16 = 4095;

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillProcess => write!(f, "kill-process"),
            Self::KillThread => write!(f, "kill-thread"),
            Self::Trap => write!(f, "trap"),
            Self::Errno(errno) => write!(f, "errno {errno}"),
            Self::Notify => write!(f, "notify"),
            Self::Trace(data) => write!(f, "trace {data}"),
            Self::Log => write!(f, "log"),
            Self::Allow => write!(f, "allow"),
        }
    }
}

/// The kernel's answer to a call.
pub(super) fn decide(program: &[Instruction], call: &Call) -> Decision {
    Decision::from_return(run(program, call))
}

/// All answers that a call of this number can get, whatever its arguments. Takes both ways at a jump that
/// an argument decides, so that an answer may be among them that no argument gets.
pub(super) fn answers(program: &[Instruction], arch: u32, nr: u32) -> Vec<Decision> {
    let call = Call {
        arch,
        nr,
        args: [0; 6],
    };
    let start = Machine::new();
    let (mut open, mut seen, mut found) = (vec![(0, start)], vec![], vec![]);
    while let Some((at, mut machine)) = open.pop() {
        if seen.contains(&(at, machine)) {
            continue;
        }
        seen.push((at, machine));
        let Some(instruction) = program.get(at) else {
            found.push(Decision::from_return(INVALID));
            continue;
        };
        let next = |skip: u8| at + 1 + usize::from(skip);
        if machine.is_argument && instruction.code & 0x07 == 0x05 && instruction.code != 0x05 {
            open.push((next(instruction.jt), machine));
            open.push((next(instruction.jf), machine));
            continue;
        }
        match machine.step(instruction, &call) {
            Step::Next(skip) => open.push((at.saturating_add(1).saturating_add(skip), machine)),
            Step::Return(value) => found.push(Decision::from_return(value)),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What the kernel does with an instruction that it would not have loaded: nothing may pass.
const INVALID: u32 = 0x8000_0000;

/// Runs a program. Jumps only go forward, so it ends after at most `program.len()` steps.
fn run(program: &[Instruction], call: &Call) -> u32 {
    let mut machine = Machine::new();
    let mut at = 0usize;
    while let Some(instruction) = program.get(at) {
        match machine.step(instruction, call) {
            Step::Next(skip) => at = at.saturating_add(1).saturating_add(skip),
            Step::Return(value) => return value,
        }
    }
    INVALID
}

/// The part of the kernel's machine that compiled programs use: one register, and no memory.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Machine {
    a: u32,
    /// Whether `a` comes from an argument.
    is_argument: bool,
}

enum Step {
    Next(usize),
    Return(u32),
}

impl Machine {
    fn new() -> Self {
        Self {
            a: 0,
            is_argument: false,
        }
    }

    /// The instructions that [`super::program`] makes. Codes are those of linux/bpf_common.h.
    fn step(&mut self, instruction: &Instruction, call: &Call) -> Step {
        let k = instruction.k;
        match instruction.code {
            code::LOAD => match load(call, k) {
                Some(word) => {
                    self.a = word;
                    self.is_argument = k >= ARGUMENTS;
                }
                None => return Step::Return(INVALID),
            },
            code::AND => self.a &= k,
            code::JUMP => return Step::Next(usize::try_from(k).unwrap_or(usize::MAX)),
            code::EQUAL => return branch(instruction, self.a == k),
            code::GREATER => return branch(instruction, self.a > k),
            code::AT_LEAST => return branch(instruction, self.a >= k),
            code::RETURN => return Step::Return(k),
            _ => return Step::Return(INVALID),
        }
        Step::Next(0)
    }
}

fn branch(instruction: &Instruction, taken: bool) -> Step {
    Step::Next(usize::from(if taken {
        instruction.jt
    } else {
        instruction.jf
    }))
}

const SECCOMP_DATA_SIZE: u32 = 64;

/// A 32-bit word of `struct seccomp_data`: nr, arch, instruction pointer (64 bits), six arguments.
/// Both architectures are little-endian: the low half of an argument comes first.
fn load(call: &Call, offset: u32) -> Option<u32> {
    if !offset.is_multiple_of(4) || offset >= SECCOMP_DATA_SIZE {
        return None;
    }
    Some(match offset {
        0 => call.nr,
        4 => call.arch,
        8 | 12 => 0,
        _ => {
            let argument = call.args.get(usize::try_from((offset - 16) / 8).ok()?)?;
            let half = if offset.is_multiple_of(8) {
                argument & 0xffff_ffff
            } else {
                argument >> 32
            };
            u32::try_from(half).ok()?
        }
    })
}
