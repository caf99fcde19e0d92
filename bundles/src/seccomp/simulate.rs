//! What the kernel would answer: classic BPF run over a call, and several filters merged.

use std::fmt;

use seccompiler::sock_filter;

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

    /// Position in the kernel's order of precedence: of several filters' answers the lowest wins.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::KillProcess => 0,
            Self::KillThread => 1,
            Self::Trap => 2,
            Self::Errno(_) => 3,
            Self::Trace(_) => 4,
            Self::Log => 5,
            Self::Allow => 6,
        }
    }

    /// Reads a filter's return value as the kernel does (`__seccomp_filter`).
    fn from_return(value: u32) -> Self {
        let data = (value & 0xffff) as u16;
        match value & 0xffff_0000 {
            0x7fff_0000 => Self::Allow,
            0x7ffc_0000 => Self::Log,
            0x7ff0_0000 => Self::Trace(data),
            0x0005_0000 => Self::Errno(data.min(MAX_ERRNO)),
            0x0003_0000 => Self::Trap,
            0x0000_0000 => Self::KillThread,
            // KILL_PROCESS, and whatever the kernel doesn't know: it kills then, too. USER_NOTIF is
            // never in a program of ours, and without a listener it refuses.
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
            Self::Trace(data) => write!(f, "trace {data}"),
            Self::Log => write!(f, "log"),
            Self::Allow => write!(f, "allow"),
        }
    }
}

/// Answer of all `programs`, given in the order of installation.
///
/// seccomp(2): all filters run, "in reverse order of their addition"; the result is "the first-seen action
/// value of highest precedence (along with its accompanying data)". So of two errnos the one of the
/// filter installed later wins, which is why the loop below goes backwards and compares with `<`.
pub(super) fn decide(programs: &[Vec<sock_filter>], call: &Call) -> Decision {
    let mut winner = Decision::Allow;
    for program in programs.iter().rev() {
        let answer = Decision::from_return(run(program, call));
        if answer.rank() < winner.rank() {
            winner = answer;
        }
    }
    winner
}

/// What the kernel does with an instruction that it would not have loaded: nothing may pass.
const INVALID: u32 = 0x8000_0000;

/// Runs one program. Jumps only go forward, so it ends after at most `program.len()` steps.
fn run(program: &[sock_filter], call: &Call) -> u32 {
    let mut machine = Machine {
        a: 0,
        x: 0,
        memory: [0; 16],
    };
    let mut at = 0usize;
    while let Some(instruction) = program.get(at) {
        match machine.step(instruction, call) {
            Step::Next(skip) => at = at.saturating_add(1).saturating_add(skip),
            Step::Return(value) => return value,
        }
    }
    INVALID
}

struct Machine {
    a: u32,
    x: u32,
    memory: [u32; 16],
}

enum Step {
    Next(usize),
    Return(u32),
}

impl Machine {
    /// The instructions that seccomp_check_filter() of the kernel lets pass. Codes are those of
    /// linux/bpf_common.h: class in bits 0-2, source (K or X) in bit 3, operation above.
    fn step(&mut self, instruction: &sock_filter, call: &Call) -> Step {
        let k = instruction.k;
        let operand = if instruction.code & 0x08 == 0 {
            k
        } else {
            self.x
        };
        let slot = usize::try_from(k).unwrap_or(usize::MAX);
        match instruction.code {
            0x00 => self.a = k, // LD IMM
            0x01 => self.x = k, // LDX IMM
            0x20 => match load(call, k) {
                Some(word) => self.a = word,
                None => return Step::Return(INVALID),
            },
            0x80 => self.a = SECCOMP_DATA_SIZE, // LD LEN
            0x81 => self.x = SECCOMP_DATA_SIZE, // LDX LEN
            0x60 => match self.memory.get(slot) {
                Some(word) => self.a = *word,
                None => return Step::Return(INVALID),
            },
            0x61 => match self.memory.get(slot) {
                Some(word) => self.x = *word,
                None => return Step::Return(INVALID),
            },
            0x02 => match self.memory.get_mut(slot) {
                Some(word) => *word = self.a,
                None => return Step::Return(INVALID),
            },
            0x03 => match self.memory.get_mut(slot) {
                Some(word) => *word = self.x,
                None => return Step::Return(INVALID),
            },
            0x07 => self.x = self.a,         // TAX
            0x87 => self.a = self.x,         // TXA
            0x05 => return Step::Next(slot), // JA
            0x15 | 0x1d => return branch(instruction, self.a == operand), // JEQ
            0x25 | 0x2d => return branch(instruction, self.a > operand), // JGT
            0x35 | 0x3d => return branch(instruction, self.a >= operand), // JGE
            0x45 | 0x4d => return branch(instruction, self.a & operand != 0), // JSET
            0x06 => return Step::Return(k),  // RET K
            0x16 => return Step::Return(self.a), // RET A
            code if code & 0x07 == 0x04 => match alu(code & 0xf0, self.a, operand) {
                Some(value) => self.a = value,
                // A division by zero in X ends the program with 0, which is KILL_THREAD.
                None => return Step::Return(0),
            },
            _ => return Step::Return(INVALID),
        }
        Step::Next(0)
    }
}

fn branch(instruction: &sock_filter, taken: bool) -> Step {
    Step::Next(usize::from(if taken {
        instruction.jt
    } else {
        instruction.jf
    }))
}

fn alu(operation: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match operation {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x30 => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a.wrapping_shl(operand),
        0x70 => a.wrapping_shr(operand),
        0x80 => a.wrapping_neg(),
        0xa0 => a ^ operand,
        _ => return None,
    })
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
