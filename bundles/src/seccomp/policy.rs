//! An OCI profile understood: names resolved, and for each call which action wins, without doubt.

use std::collections::BTreeMap;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSyscall,
};

use super::compile::CompileOptions;
use super::condition::Condition;
use super::error::SeccompError;
use super::simulate::{Decision, MAX_ERRNO};
use super::table::Native;

/// What to do with each call. No call is matched by two rules with different actions.
#[derive(Debug)]
pub(super) struct Policy {
    pub default: Decision,
    pub calls: BTreeMap<u32, Vec<Clause>>,
}

/// An action for the arguments that meet all conditions. Its action is never the default one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clause {
    pub conditions: Vec<Condition>,
    pub action: Decision,
}

impl Clause {
    fn excludes(&self, other: &Self) -> bool {
        self.conditions
            .iter()
            .any(|first| other.conditions.iter().any(|second| first.excludes(second)))
    }
}

impl Policy {
    pub fn new(
        profile: &LinuxSeccomp,
        options: &CompileOptions,
        native: &Native,
    ) -> Result<Self, SeccompError> {
        check_architectures(profile, native)?;
        check_flags(profile)?;
        let default = action(
            "default action",
            profile.default_action(),
            profile.default_errno_ret(),
        )?;
        let mut named: BTreeMap<(u32, &str), Vec<Clause>> = BTreeMap::new();
        for (index, rule) in profile.syscalls().iter().flatten().enumerate() {
            if rule.names().is_empty() {
                return Err(SeccompError::NoNames { index });
            }
            for name in rule.names() {
                let clause = clause(name, rule)?;
                match native.number(name) {
                    Some(number) => named.entry((number, name)).or_default().push(clause),
                    None if options.skip_unknown_names => {}
                    None => return Err(SeccompError::UnknownSyscall { name: name.clone() }),
                }
            }
        }
        let mut calls = BTreeMap::new();
        for ((number, name), clauses) in named {
            let clauses = settle(name, clauses, default)?;
            if !clauses.is_empty() {
                calls.insert(number, clauses);
            }
        }
        Ok(Self { default, calls })
    }
}

fn check_architectures(profile: &LinuxSeccomp, native: &Native) -> Result<(), SeccompError> {
    let listed = profile.architectures().as_deref().unwrap_or_default();
    let is_native = |arch: &Arch| *arch == native.oci || *arch == Arch::ScmpArchNative;
    if let Some(foreign) = listed.iter().find(|arch| !is_native(arch)) {
        return Err(if listed.iter().any(is_native) {
            SeccompError::ForeignArchitecture {
                architecture: foreign.to_string(),
            }
        } else {
            SeccompError::NativeArchitectureMissing {
                native: native.oci.to_string(),
            }
        });
    }
    Ok(())
}

fn check_flags(profile: &LinuxSeccomp) -> Result<(), SeccompError> {
    for flag in profile.flags().iter().flatten() {
        match flag {
            // There is one thread to synchronise when a container's process loads its filter.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => {}
            // Asks for speed by leaving a mitigation out. Leaving it in changes no decision.
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => {}
            LinuxSeccompFilterFlag::SeccompFilterFlagLog
            | LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
                return Err(SeccompError::Flag {
                    flag: flag.to_string(),
                });
            }
        }
    }
    let has_path = profile
        .listener_path()
        .as_ref()
        .is_some_and(|path| !path.as_os_str().is_empty());
    let has_metadata = profile
        .listener_metadata()
        .as_ref()
        .is_some_and(|text| !text.is_empty());
    if has_path || has_metadata {
        return Err(SeccompError::Notify {
            place: "listener".to_owned(),
        });
    }
    Ok(())
}

fn action(
    place: &str,
    action: LinuxSeccompAction,
    errno: Option<u32>,
) -> Result<Decision, SeccompError> {
    // EPERM where the profile says nothing, by the OCI spec.
    let data = |limit: u16| {
        let errno = errno.unwrap_or(1);
        u16::try_from(errno)
            .ok()
            .filter(|data| *data <= limit)
            .ok_or_else(|| SeccompError::ErrnoOutOfRange {
                place: place.to_owned(),
                errno,
            })
    };
    let decision = match action {
        LinuxSeccompAction::ScmpActErrno => return Ok(Decision::Errno(data(MAX_ERRNO)?)),
        LinuxSeccompAction::ScmpActTrace => return Ok(Decision::Trace(data(u16::MAX)?)),
        LinuxSeccompAction::ScmpActNotify => {
            return Err(SeccompError::Notify {
                place: place.to_owned(),
            });
        }
        LinuxSeccompAction::ScmpActKillProcess => Decision::KillProcess,
        // libseccomp's SCMP_ACT_KILL is the kernel's old KILL, which kills the thread.
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            Decision::KillThread
        }
        LinuxSeccompAction::ScmpActTrap => Decision::Trap,
        LinuxSeccompAction::ScmpActLog => Decision::Log,
        LinuxSeccompAction::ScmpActAllow => Decision::Allow,
    };
    // The OCI spec: "when the action doesn't support an errno, the runtime MUST print and error and fail".
    if errno.is_some() {
        return Err(SeccompError::ErrnoNotTaken {
            place: place.to_owned(),
            action: action.to_string(),
        });
    }
    Ok(decision)
}

fn clause(name: &str, rule: &LinuxSyscall) -> Result<Clause, SeccompError> {
    let action = action(
        &format!("system call {name}"),
        rule.action(),
        rule.errno_ret(),
    )?;
    let mut conditions: Vec<Condition> = Vec::new();
    for arg in rule.args().iter().flatten() {
        let condition = Condition::new(name, arg)?;
        if conditions
            .iter()
            .any(|other| other.index == condition.index)
        {
            return Err(SeccompError::RepeatedArgument {
                name: name.to_owned(),
                index: condition.index,
            });
        }
        conditions.push(condition);
    }
    Ok(Clause { conditions, action })
}

/// Decides which of a call's rules count, as runc and crun do with libseccomp (measured with 2.5.4):
///
/// * a rule with the default action and no arguments is left out (libseccomp would refuse it);
/// * of several rules without arguments the first counts, and it counts more than any with arguments;
/// * rules with arguments and the same action are alternatives.
///
/// Refused is what libseccomp does without saying so (a stricter rule with arguments that never applies)
/// or by the accident of its tree (rules with different actions that overlap).
fn settle(
    name: &str,
    clauses: Vec<Clause>,
    default: Decision,
) -> Result<Vec<Clause>, SeccompError> {
    let (plain, conditional): (Vec<_>, Vec<_>) = clauses
        .into_iter()
        .partition(|clause| clause.conditions.is_empty());
    if let Some(winner) = plain.into_iter().find(|clause| clause.action != default) {
        if let Some(loser) = conditional.iter().find(|clause| {
            clause.action.rank() < winner.action.rank()
                && !clause.conditions.iter().any(Condition::is_empty)
        }) {
            return Err(SeccompError::Shadowed {
                name: name.to_owned(),
                first: winner.action,
                second: loser.action,
            });
        }
        return Ok(vec![winner]);
    }
    let mut kept: Vec<Clause> = Vec::new();
    for clause in conditional {
        if let Some(other) = kept
            .iter()
            .find(|other| other.action != clause.action && !other.excludes(&clause))
        {
            return Err(SeccompError::Ambiguous {
                name: name.to_owned(),
                first: other.action,
                second: clause.action,
            });
        }
        if !kept.contains(&clause) {
            kept.push(clause);
        }
    }
    // Only now: a rule with the default action also says that no other may match there.
    kept.retain(|clause| clause.action != default);
    Ok(kept)
}
