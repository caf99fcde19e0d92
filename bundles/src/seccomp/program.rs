//! BPF programs, written from their end: jumps only go forward, so that what they lead to is there already.

use std::collections::BTreeMap;

use super::simulate::Decision;

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What it does: linux/bpf_common.h.
    pub code: u16,
    /// How many instructions to skip where a comparison holds.
    pub jt: u8,
    /// How many where it doesn't.
    pub jf: u8,
    /// Its operand.
    pub k: u32,
}

/// The instructions in use. All of them are among those with which the kernel works out in advance which
/// calls are always allowed (`seccomp_is_const_allow`), and then runs no filter for them.
pub(super) mod code {
    pub const LOAD: u16 = 0x20;
    pub const AND: u16 = 0x54;
    pub const JUMP: u16 = 0x05;
    pub const EQUAL: u16 = 0x15;
    pub const GREATER: u16 = 0x25;
    pub const AT_LEAST: u16 = 0x35;
    pub const RETURN: u16 = 0x06;
}

/// Offsets into `struct seccomp_data`.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
pub(super) const ARGUMENTS: u32 = 16;

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// At an instruction that is written, counted from the program's end.
    At(usize),
    /// Nowhere: this is the answer.
    Answer(Decision),
}

/// The comparison of the register with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    AtLeast,
}

/// A program in the making, its last instruction first.
#[derive(Debug, Default)]
pub(super) struct Program {
    reversed: Vec<Instruction>,
    answers: BTreeMap<Decision, usize>,
}

/// How far a comparison can jump.
const REACH: usize = 255;

impl Program {
    /// Loads a word, and goes on at `next`.
    pub fn load(&mut self, offset: u32, next: Target) -> Target {
        self.fall_through(next);
        self.push(code::LOAD, 0, 0, offset)
    }

    /// Keeps the bits in `mask`, and goes on at `next`.
    pub fn and(&mut self, mask: u32, next: Target) -> Target {
        self.fall_through(next);
        self.push(code::AND, 0, 0, mask)
    }

    /// Compares the register with `k`.
    pub fn compare(&mut self, comparison: Comparison, k: u32, hit: Target, miss: Target) -> Target {
        if hit == miss {
            return hit;
        }
        // What the second needs in front of it moves the first away, by one instruction at most.
        let hit = self.near(hit, REACH - 1);
        let miss = self.near(miss, REACH);
        let code = match comparison {
            Comparison::Equal => code::EQUAL,
            Comparison::Greater => code::GREATER,
            Comparison::AtLeast => code::AT_LEAST,
        };
        self.push(code, self.distance(hit), self.distance(miss), k)
    }

    /// The program, which begins at `start`.
    pub fn finish(mut self, start: Target) -> Vec<Instruction> {
        self.fall_through(start);
        self.reversed.reverse();
        self.reversed
    }

    fn push(&mut self, code: u16, jt: usize, jf: usize, k: u32) -> Target {
        let short = |distance| u8::try_from(distance).unwrap_or(u8::MAX);
        self.reversed.push(Instruction {
            code,
            jt: short(jt),
            jf: short(jf),
            k,
        });
        Target::At(self.reversed.len() - 1)
    }

    /// How many instructions the next one would skip to get to one that is written.
    fn distance(&self, at: usize) -> usize {
        self.reversed.len() - 1 - at
    }

    /// An instruction that the next one can reach by skipping at most `reach`, and that leads to `target`.
    fn near(&mut self, target: Target, reach: usize) -> usize {
        match target {
            Target::At(at) if self.distance(at) <= reach => at,
            Target::At(at) => {
                let distance = u32::try_from(self.distance(at)).unwrap_or(u32::MAX);
                self.push(code::JUMP, 0, 0, distance);
                self.reversed.len() - 1
            }
            Target::Answer(decision) => {
                if let Some(at) = self.answers.get(&decision)
                    && self.distance(*at) <= reach
                {
                    return *at;
                }
                self.push(code::RETURN, 0, 0, decision.to_return());
                let at = self.reversed.len() - 1;
                self.answers.insert(decision, at);
                at
            }
        }
    }

    /// Makes the instruction that comes next go on at `next`.
    fn fall_through(&mut self, next: Target) {
        // What `near` gives within no distance is the last written.
        self.near(next, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulate::{Call, decide};
    use super::*;

    /// A chain of comparisons far longer than a jump reaches, with answers at both ends.
    #[test]
    fn jumps_reach_everything() {
        let mut program = Program::default();
        let far = program.load(ARGUMENTS, Target::Answer(Decision::Trap));
        let mut next = Target::Answer(Decision::Allow);
        for k in 0..1000 {
            let hit = match k % 3 {
                0 => far,
                1 => Target::Answer(Decision::Errno(7)),
                _ => Target::Answer(Decision::Log),
            };
            next = program.compare(Comparison::Equal, k, hit, next);
        }
        let start = program.load(NUMBER, next);
        let program = program.finish(start);
        for nr in 0..1001u32 {
            let call = Call {
                arch: 0,
                nr,
                args: [0; 6],
            };
            let expected = match (nr, nr % 3) {
                (1000, _) => Decision::Allow,
                (_, 0) => Decision::Trap,
                (_, 1) => Decision::Errno(7),
                _ => Decision::Log,
            };
            assert_eq!(decide(&program, &call), expected, "{nr}");
        }
    }

    #[test]
    fn a_program_may_be_an_answer() {
        let program = Program::default().finish(Target::Answer(Decision::Allow));
        assert_eq!(program.len(), 1);
    }
}
