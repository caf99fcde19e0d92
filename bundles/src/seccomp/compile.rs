//! Profiles to BPF programs, with seccompiler, stacked where a profile has more than two actions.

use std::collections::BTreeMap;

use oci_spec::runtime::LinuxSeccomp;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, sock_filter,
};

use super::error::SeccompError;
use super::policy::{Clause, Policy};
use super::simulate::{Call, Decision, decide};
use super::table::{Native, X32_BIT, native};

/// How to read a profile.
#[derive(Clone, Copy, Debug, Default)]
pub struct CompileOptions {
    /// Leave rules out that name no call of the native architecture. Engines' profiles list the names of
    /// all architectures. Off, such a name is an error: with a slip in it the rule wouldn't be there.
    pub skip_unknown_names: bool,
}

/// BPF programs that together do what a profile says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters {
    programs: Vec<BpfProgram>,
}

impl Filters {
    /// The programs, in the order in which to install them (see [`compile`]).
    pub fn programs(&self) -> &[Vec<sock_filter>] {
        &self.programs
    }

    /// Number of instructions in all programs.
    pub fn instructions(&self) -> usize {
        self.programs.iter().map(Vec::len).sum()
    }

    /// What the kernel does with a call when all programs are installed.
    pub fn decide(&self, call: &Call) -> Decision {
        decide(&self.programs, call)
    }
}

/// Compiles any OCI profile that can be expressed for the native architecture.
///
/// Names that the native architecture hasn't are refused; see [`compile_with`].
pub fn compile(profile: &LinuxSeccomp) -> Result<Filters, SeccompError> {
    compile_with(profile, &CompileOptions::default())
}

/// Compiles any OCI profile that can be expressed for the native architecture.
///
/// seccompiler's programs have one action for calls that match and one for those that don't, so:
///
/// * with default action *allow*: one program for each other action, which allows all else;
/// * with any other default: a first program that allows what is allowed and gives the default to the
///   rest, then one for each other action, which allows all else.
///
/// The kernel runs all of them, takes the most restrictive answer, and of equally restrictive ones that of
/// the program installed last (seccomp(2)): an errno of a rule beats the default errno. What is *less*
/// restrictive than the default (log next to errno, say) also passes the first program. A call is never
/// matched by rules of two actions (`Policy` sees to it), so the order of the rest doesn't matter.
///
/// Calls of a foreign architecture kill the process, in every program. The x32 calls of x86_64 have
/// numbers of their own, which no rule has; where the default action would let them be made, a program
/// of ours refuses them with ENOSYS, as a kernel without x32 does.
pub fn compile_with(
    profile: &LinuxSeccomp,
    options: &CompileOptions,
) -> Result<Filters, SeccompError> {
    let native = native().ok_or(SeccompError::UnsupportedMachine)?;
    let policy = Policy::new(profile, options, native)?;
    let mut programs = Vec::new();
    if !policy.default.refuses() {
        programs.push(guard(native));
    }
    if policy.default != Decision::Allow {
        // Stricter rules win by themselves, laxer ones have to get past the default.
        let passes = |action: Decision| action.rank() > policy.default.rank();
        programs.push(program(
            native,
            &policy,
            passes,
            Decision::Allow,
            policy.default,
        )?);
    }
    let mut actions: Vec<Decision> = policy
        .calls
        .values()
        .flatten()
        .map(|clause| clause.action)
        .collect();
    actions.sort_unstable();
    actions.dedup();
    for action in actions
        .into_iter()
        .filter(|action| *action != Decision::Allow)
    {
        programs.push(program(
            native,
            &policy,
            |other| other == action,
            action,
            Decision::Allow,
        )?);
    }
    check_length(&programs, policy.default)?;
    Ok(Filters { programs })
}

/// One program: `hit` for the clauses whose action is `wanted`, `miss` for all else.
fn program(
    native: &Native,
    policy: &Policy,
    wanted: impl Fn(Decision) -> bool,
    hit: Decision,
    miss: Decision,
) -> Result<BpfProgram, SeccompError> {
    let label = if hit == Decision::Allow { miss } else { hit };
    let failed = |error: BackendError| match error {
        BackendError::FilterTooLarge(length) => SeccompError::TooLong {
            action: label,
            length,
        },
        other => SeccompError::Backend {
            action: label,
            cause: other.to_string(),
        },
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (number, clauses) in &policy.calls {
        let wanted: Vec<&Clause> = clauses
            .iter()
            .filter(|clause| wanted(clause.action))
            .collect();
        if let Some(alternatives) = alternatives(&wanted).map_err(failed)? {
            rules.insert(i64::from(*number), alternatives);
        }
    }
    SeccompFilter::new(rules, miss.into(), hit.into(), native.target)
        .and_then(BpfProgram::try_from)
        .map_err(failed)
}

/// The rules of one call for seccompiler: an empty list matches always, None means that nothing does.
fn alternatives(clauses: &[&Clause]) -> Result<Option<Vec<SeccompRule>>, BackendError> {
    let mut rules = Vec::new();
    'clauses: for clause in clauses {
        let mut conditions = Vec::new();
        for condition in &clause.conditions {
            match condition.compile()? {
                Some(compiled) => conditions.extend(compiled),
                None => continue 'clauses,
            }
        }
        if conditions.is_empty() {
            return Ok(Some(Vec::new()));
        }
        rules.push(SeccompRule::new(conditions)?);
    }
    Ok((!rules.is_empty()).then_some(rules))
}

/// Allows all native calls. On x86_64, refuses x32 calls.
fn guard(native: &Native) -> BpfProgram {
    let op = |code: u16, k: u32, jt: u8, jf: u8| sock_filter { code, jt, jf, k };
    let mut program = vec![
        op(0x20, 4, 0, 0),            // load the architecture
        op(0x15, native.audit, 1, 0), // native: skip one
        op(0x06, 0x8000_0000, 0, 0),  // kill the process
    ];
    if native.x32 {
        program.extend([
            op(0x20, 0, 0, 0),                // load the number
            op(0x45, X32_BIT, 0, 1),          // without the bit: skip one
            op(0x06, 0x0005_0000 | 38, 0, 0), // ENOSYS
        ]);
    }
    program.push(op(0x06, 0x7fff_0000, 0, 0)); // allow
    program
}

/// The kernel's limit for all filters of a thread together, each with a surcharge of four.
const MAX_INSTRUCTIONS: usize = 32768;

fn check_length(programs: &[BpfProgram], default: Decision) -> Result<(), SeccompError> {
    let length = programs.iter().map(|program| program.len() + 4).sum();
    if length > MAX_INSTRUCTIONS {
        return Err(SeccompError::TooLong {
            action: default,
            length,
        });
    }
    Ok(())
}

impl From<Decision> for SeccompAction {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::KillProcess => Self::KillProcess,
            Decision::KillThread => Self::KillThread,
            Decision::Trap => Self::Trap,
            Decision::Errno(errno) => Self::Errno(errno.into()),
            Decision::Trace(data) => Self::Trace(data.into()),
            Decision::Log => Self::Log,
            Decision::Allow => Self::Allow,
        }
    }
}
