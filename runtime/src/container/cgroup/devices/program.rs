//! Rules on devices as a BPF program for version 2, which the kernel runs at each access.

use super::rule::{ALL, Devices, Rule};
use crate::sys::BpfInstruction;

// Registers: the kernel gives the context in R1 and takes the answer from R0. The others hold what the
// context says (struct bpf_cgroup_dev_ctx in linux/bpf.h).
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

// Operation codes (kernel documentation, bpf/instruction-set).
const LOAD_WORD: u8 = 0x61;
const AND_IMMEDIATE: u8 = 0x54;
const SHIFT_RIGHT_IMMEDIATE: u8 = 0x74;
const MOVE_REGISTER: u8 = 0xbc;
const MOVE_IMMEDIATE: u8 = 0xb4;
const JUMP_IF_EQUAL: u8 = 0x16;
const JUMP_IF_NOT_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

// BPF_DEVCG_DEV_* in linux/bpf.h.
const BLOCK: u32 = 1;
const CHARACTER: u32 = 2;

/// The last rule that an access matches decides, so they are asked from the end. An access matches a rule
/// that allows when all of it is allowed, and one that denies when any of it is denied. What no rule decides
/// is denied.
pub(super) fn program(rules: &[Rule]) -> Vec<BpfInstruction> {
    let mut program = vec![
        load(KIND, 0),
        of_register(MOVE_REGISTER, ACCESS, KIND),
        of_immediate(AND_IMMEDIATE, KIND, 0xffff),
        of_immediate(SHIFT_RIGHT_IMMEDIATE, ACCESS, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        program.extend(block(rule));
        if rule.devices == Devices::All && rule.access == ALL {
            // It decides on every access, and the kernel refuses a program with a part that is never reached.
            return program;
        }
    }
    program.extend(answer(false));
    program
}

/// One rule: tests that jump behind the block where the rule isn't meant, and its answer.
fn block(rule: &Rule) -> Vec<BpfInstruction> {
    let mut block = vec![];
    let (kind, major, minor) = match rule.devices {
        Devices::All => (None, None, None),
        Devices::Character(major, minor) => (Some(CHARACTER), major, minor),
        Devices::Block(major, minor) => (Some(BLOCK), major, minor),
    };
    for (register, wanted) in [(KIND, kind), (MAJOR, major), (MINOR, minor)] {
        block.extend(wanted.map(|wanted| of_immediate(JUMP_IF_NOT_EQUAL, register, wanted)));
    }
    if rule.access != ALL {
        let (mask, jump) = if rule.is_allowed {
            (ALL & !rule.access, JUMP_IF_NOT_EQUAL)
        } else {
            (rule.access, JUMP_IF_EQUAL)
        };
        block.push(of_register(MOVE_REGISTER, SCRATCH, ACCESS));
        block.push(of_immediate(AND_IMMEDIATE, SCRATCH, mask));
        block.push(of_immediate(jump, SCRATCH, 0));
    }
    block.extend(answer(rule.is_allowed));
    let end = block.len();
    for (at, instruction) in block.iter_mut().enumerate() {
        if [JUMP_IF_EQUAL, JUMP_IF_NOT_EQUAL].contains(&instruction.code) {
            // Jumps count from the instruction after them; a block has fewer than ten.
            instruction.offset = i16::try_from(end - at - 1).unwrap_or(i16::MAX);
        }
    }
    block
}

fn answer(is_allowed: bool) -> [BpfInstruction; 2] {
    [
        of_immediate(MOVE_IMMEDIATE, ANSWER, is_allowed.into()),
        of_immediate(EXIT, 0, 0),
    ]
}

fn load(to: u8, offset: i16) -> BpfInstruction {
    BpfInstruction {
        offset,
        ..of_register(LOAD_WORD, to, CONTEXT)
    }
}

fn of_register(code: u8, to: u8, from: u8) -> BpfInstruction {
    BpfInstruction {
        code,
        registers: from << 4 | to,
        offset: 0,
        immediate: 0,
    }
}

fn of_immediate(code: u8, to: u8, immediate: u32) -> BpfInstruction {
    BpfInstruction {
        code,
        registers: to,
        offset: 0,
        immediate: immediate.cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule::{MAKE, READ, WRITE};
    use super::*;

    /// Runs `program` as the kernel would, for an access by `kind`, numbers and access bits.
    fn run(program: &[BpfInstruction], kind: u32, major: u32, minor: u32, access: u32) -> bool {
        let context = [access << 16 | kind, major, minor];
        let mut registers = [0_u32; 11];
        let mut at = 0;
        loop {
            let BpfInstruction {
                code,
                registers: pair,
                offset,
                immediate,
            } = program[at];
            let (to, from) = (usize::from(pair & 0xf), usize::from(pair >> 4));
            let immediate = immediate.cast_unsigned();
            at += 1;
            let jump = usize::try_from(offset).unwrap();
            match code {
                LOAD_WORD => registers[to] = context[jump / 4],
                AND_IMMEDIATE => registers[to] &= immediate,
                SHIFT_RIGHT_IMMEDIATE => registers[to] >>= immediate,
                MOVE_REGISTER => registers[to] = registers[from],
                MOVE_IMMEDIATE => registers[to] = immediate,
                JUMP_IF_EQUAL if registers[to] == immediate => at += jump,
                JUMP_IF_NOT_EQUAL if registers[to] != immediate => at += jump,
                JUMP_IF_EQUAL | JUMP_IF_NOT_EQUAL => {}
                EXIT => return registers[0] == 1,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn rule(is_allowed: bool, devices: Devices, access: u32) -> Rule {
        Rule {
            is_allowed,
            devices,
            access,
        }
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let null = Devices::Character(Some(1), Some(3));
        let disks = Devices::Block(Some(8), None);
        let program = program(&[
            rule(false, Devices::All, ALL),
            rule(true, Devices::Character(None, None), MAKE),
            rule(true, null, READ | WRITE),
            rule(true, disks, READ),
            rule(false, Devices::Block(Some(8), Some(1)), READ),
        ]);
        for (kind, major, minor, access, expected) in [
            (CHARACTER, 1, 3, READ, true),
            (CHARACTER, 1, 3, READ | WRITE, true),
            (CHARACTER, 1, 3, MAKE, true),
            // Two rules, neither of which allows both.
            (CHARACTER, 1, 3, READ | MAKE, false),
            (CHARACTER, 1, 4, READ, false),
            (BLOCK, 1, 3, READ, false),
            (BLOCK, 8, 0, READ, true),
            (BLOCK, 8, 0, WRITE, false),
            (BLOCK, 8, 1, READ, false),
            // Denied in part is denied.
            (BLOCK, 8, 1, READ | WRITE, false),
        ] {
            let got = run(&program, kind, major, minor, access);
            assert_eq!(got, expected, "{kind} {major}:{minor} {access}");
        }
    }

    #[test]
    fn nothing_stands_behind_a_rule_on_everything() {
        let everything = rule(true, Devices::All, ALL);
        let program = program(&[rule(false, Devices::Block(None, None), ALL), everything]);
        assert_eq!(program.len(), 6 + block(&everything).len());
        assert!(run(&program, BLOCK, 8, 0, READ));
    }

    #[test]
    fn a_rule_that_denies_a_part_isnt_passed_by_asking_for_more() {
        let null = Devices::Character(Some(1), Some(3));
        let program = program(&[rule(true, Devices::All, ALL), rule(false, null, WRITE)]);
        assert!(run(&program, CHARACTER, 1, 3, READ));
        assert!(!run(&program, CHARACTER, 1, 3, READ | WRITE));
        assert!(!super::program(&[]).is_empty());
        assert!(!run(&super::program(&[]), CHARACTER, 1, 3, READ));
    }
}
