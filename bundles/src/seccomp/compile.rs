//! Profiles to BPF programs.

use oci_spec::runtime::LinuxSeccomp;

use super::condition::{Condition, Test};
use super::error::SeccompError;
use super::flags::Flags;
use super::policy::{Clause, Rules};
use super::program::{ARCHITECTURE, ARGUMENTS, Comparison, Instruction, NUMBER, Program, Target};
use super::ranges::{Fate, Range, Ranges};
use super::remembered::{Judge, judged, remembered};
use super::simulate::{Call, Decision, answers, decide};
use super::strict;
use super::table::{Architecture, Machine, machine};

/// A BPF program that does what a profile says, and how to load it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub(super) program: Vec<Instruction>,
    pub(super) flags: Flags,
    pub(super) unknown: Vec<String>,
}

impl Filter {
    /// The program.
    pub fn program(&self) -> &[Instruction] {
        &self.program
    }

    /// The flags with which to load it.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// Names in the profile that no table knows, whose rules are left out: calls newer than this program,
    /// or slips of the pen.
    pub fn unknown_names(&self) -> &[String] {
        &self.unknown
    }

    /// What the kernel does with a call.
    pub fn decide(&self, call: &Call) -> Decision {
        decide(&self.program, call)
    }

    /// All that may become of the native call of this name, its arguments deciding; none where the native
    /// architecture has no such call.
    pub fn answers(&self, name: &str) -> Vec<Decision> {
        let call = machine().and_then(|machine| Some((machine.native, machine.number(name)?)));
        call.map_or_else(Vec::new, |(native, number)| {
            answers(&self.program, native.audit(), number)
        })
    }
}

/// Compiles a profile that a sealed bundle may have: for the native architecture alone, and without anything
/// that engines read differently or leave out in silence.
///
/// # Errors
/// The first rule that isn't so.
pub fn compile_strict(profile: &LinuxSeccomp) -> Result<Filter, SeccompError> {
    remembered(profile, compile_strictly)
}

/// What `judge` finds in such a profile and its filter. It is asked once for equal profiles in a row, so it must go by nothing
/// but what it is given.
///
/// # Errors
/// As [`compile_strict`].
pub(crate) fn judged_strictly(
    profile: &LinuxSeccomp,
    excepted: &[String],
    judge: Judge,
) -> Result<Vec<String>, SeccompError> {
    judged(profile, excepted, judge, compile_strictly)
}

fn compile_strictly(profile: &LinuxSeccomp) -> Result<Filter, SeccompError> {
    let machine = machine().ok_or(SeccompError::UnsupportedMachine)?;
    strict::check(profile, machine)?;
    let mut filter = compile_for(profile, machine)?;
    // No flag is asked for, and the one that engines add leaves a mitigation out.
    filter.flags.bits = 0;
    Ok(filter)
}

/// Compiles any OCI profile, as runc and crun have it compiled by libseccomp.
///
/// Where the default action refuses calls, those with greater numbers than any that the profile names fail
/// with ENOSYS, as runc has it: the profile's author didn't know them, and programs fall back on that errno.
///
/// # Errors
/// What the OCI spec or the kernel doesn't allow, naming the rule.
pub fn compile(profile: &LinuxSeccomp) -> Result<Filter, SeccompError> {
    compile_for(profile, machine().ok_or(SeccompError::UnsupportedMachine)?)
}

/// The kernel's limit: BPF_MAXINSNS.
const MAX_INSTRUCTIONS: usize = 4096;

/// libseccomp's answer to calls of an architecture that the profile doesn't list.
const NOT_LISTED: Decision = Decision::KillThread;

pub(super) fn compile_for(
    profile: &LinuxSeccomp,
    machine: &Machine,
) -> Result<Filter, SeccompError> {
    let rules = Rules::new(profile)?;
    let flags = Flags::of(profile, &rules)?;
    let mut program = Program::default();
    let mut next = Target::Answer(NOT_LISTED);
    // The native one is asked first, so it is written last.
    for architecture in listed(profile, machine).into_iter().rev() {
        let ranges = ranges(architecture, profile, machine, &rules)?;
        let fates = ranges
            .into_iter()
            .map(|Range { start, fate }| (start, self::fate(&mut program, fate)))
            .collect::<Vec<_>>();
        let tree = search(&mut program, &fates);
        let section = program.load(NUMBER, tree);
        next = program.compare(Comparison::Equal, architecture.audit(), section, next);
    }
    let start = program.load(ARCHITECTURE, next);
    let program = program.finish(start);
    if program.len() > MAX_INSTRUCTIONS {
        return Err(SeccompError::TooLong {
            length: program.len(),
        });
    }
    Ok(Filter {
        program,
        flags,
        unknown: rules.unknown,
    })
}

/// The architectures with numbers of their own that the filter is for: the native one always, and of those
/// that the profile lists the ones that this machine's kernel runs. Those of other machines are never asked.
fn listed(profile: &LinuxSeccomp, machine: &Machine) -> Vec<Architecture> {
    let mut found = vec![machine.native];
    found.extend(
        machine
            .others
            .iter()
            .filter(|other| other.audit() != machine.native.audit() && is_listed(profile, **other)),
    );
    found
}

fn is_listed(profile: &LinuxSeccomp, architecture: Architecture) -> bool {
    let listed = profile.architectures().iter().flatten();
    listed
        .into_iter()
        .any(|arch| Architecture::from_oci(*arch) == Some(architecture))
}

/// The ranges of an audit architecture's numbers.
fn ranges(
    architecture: Architecture,
    profile: &LinuxSeccomp,
    machine: &Machine,
    rules: &Rules,
) -> Result<Vec<Range>, SeccompError> {
    let default = rules.default;
    // A default that lets calls pass, or asks a tracer, is meant for new ones too.
    let has_stub = default.refuses() || default == Decision::Notify;
    let mut ranges = Ranges::default();
    let policy = rules.policy(architecture)?;
    ranges.architecture(0, policy, default, architecture.is_wide(), has_stub);
    if architecture == Architecture::X86_64 && machine.has_x32() {
        let x32 = Architecture::X32;
        if is_listed(profile, x32) {
            let policy = rules.policy(x32)?;
            ranges.architecture(
                super::table::X32_BIT,
                policy,
                default,
                x32.is_wide(),
                has_stub,
            );
        } else {
            ranges.no_x32(NOT_LISTED, default);
        }
    }
    Ok(ranges.into_ranges())
}

/// Code for what is left to do once the number is known.
fn fate(program: &mut Program, fate: Fate) -> Target {
    match fate {
        Fate::Answer(decision) => Target::Answer(decision),
        Fate::Clauses {
            clauses,
            otherwise,
            is_wide,
        } => clauses
            .iter()
            .rev()
            .fold(Target::Answer(otherwise), |miss, clause| {
                self::clause(program, clause, is_wide, miss)
            }),
    }
}

fn clause(program: &mut Program, clause: &Clause, is_wide: bool, miss: Target) -> Target {
    clause
        .conditions
        .iter()
        .rev()
        .fold(Target::Answer(clause.action), |hit, condition| {
            self::condition(program, condition, is_wide, hit, miss)
        })
}

/// Code for one condition. Nothing of an argument is looked at where the condition doesn't ask for it.
fn condition(
    program: &mut Program,
    condition: &Condition,
    is_wide: bool,
    hit: Target,
    miss: Target,
) -> Target {
    let argument = Argument {
        low: ARGUMENTS + 8 * u32::from(condition.index),
        is_wide,
    };
    match condition.test() {
        Test::Range { low, high } if low > high => miss,
        Test::Range { low, high } if low == high => argument.equals(program, low, hit, miss),
        Test::Not(value) => argument.equals(program, value, miss, hit),
        Test::Masked { mask, value } => argument.masked(program, mask, value, hit, miss),
        Test::Range { low, high } => {
            let below = match high.checked_add(1) {
                Some(over) => argument.at_least(program, over, miss, hit),
                None => hit,
            };
            match low {
                0 => below,
                low => argument.at_least(program, low, below, miss),
            }
        }
    }
}

/// The two halves of a 64-bit argument, compared as a machine of 32 bits has to.
struct Argument {
    /// Offset of the lower half.
    low: u32,
    /// Whether the upper half counts.
    is_wide: bool,
}

impl Argument {
    fn equals(&self, program: &mut Program, value: u64, hit: Target, miss: Target) -> Target {
        self.masked(program, u64::MAX, value, hit, miss)
    }

    fn masked(
        &self,
        program: &mut Program,
        mask: u64,
        value: u64,
        hit: Target,
        miss: Target,
    ) -> Target {
        let low = half(program, self.low, low(mask), low(value), hit, miss);
        if !self.is_wide {
            return low;
        }
        half(program, self.low + 4, high(mask), high(value), low, miss)
    }

    fn at_least(&self, program: &mut Program, value: u64, hit: Target, miss: Target) -> Target {
        if !self.is_wide && high(value) > 0 {
            return miss;
        }
        let mut test = hit;
        if low(value) > 0 {
            test = program.compare(Comparison::AtLeast, low(value), hit, miss);
            test = program.load(self.low, test);
        }
        if !self.is_wide {
            return test;
        }
        let equal = program.compare(Comparison::Equal, high(value), test, miss);
        let upper = program.compare(Comparison::Greater, high(value), hit, equal);
        program.load(self.low + 4, upper)
    }
}

/// One half under a mask. A mask without bits asks nothing.
fn half(
    program: &mut Program,
    offset: u32,
    mask: u32,
    value: u32,
    hit: Target,
    miss: Target,
) -> Target {
    if mask == 0 {
        return hit;
    }
    let mut test = program.compare(Comparison::Equal, value, hit, miss);
    if mask != u32::MAX {
        test = program.and(mask, test);
    }
    program.load(offset, test)
}

fn low(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

/// Code that finds a number's range by halving.
fn search(program: &mut Program, fates: &[(u32, Target)]) -> Target {
    match fates {
        [] => Target::Answer(NOT_LISTED),
        [(_, fate)] => *fate,
        // One number among others of one fate: one comparison instead of two.
        [(_, around), (number, fate), (next, after)] if around == after && number + 1 == *next => {
            program.compare(Comparison::Equal, *number, *fate, *around)
        }
        _ => {
            let (lower, upper) = fates.split_at(fates.len() / 2);
            let upper_target = search(program, upper);
            let lower_target = search(program, lower);
            program.compare(Comparison::AtLeast, upper[0].0, upper_target, lower_target)
        }
    }
}
