//! What a sealed bundle's profile may not have: whatever engines read differently, leave out unheard, or hand
//! to somebody else. What is left means what it says to every reader.

use std::collections::BTreeMap;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag, LinuxSyscall,
};

use super::condition::Condition;
use super::error::SeccompError;
use super::policy::{Clause, action, conditions};
use super::simulate::{Decision, MAX_ERRNO};
use super::table::Machine;

/// Refuses a profile that is not for the native architecture alone and plain in every rule.
pub(super) fn check(profile: &LinuxSeccomp, machine: &Machine) -> Result<(), SeccompError> {
    check_architectures(profile, machine)?;
    check_flags(profile)?;
    let default = strict_action(
        "default action",
        profile.default_action(),
        profile.default_errno_ret(),
    )?;
    let mut named: BTreeMap<u32, (&str, Vec<Clause>)> = BTreeMap::new();
    for (index, entry) in profile.syscalls().iter().flatten().enumerate() {
        if entry.names().is_empty() {
            return Err(SeccompError::NoNames { index });
        }
        let mut of_entry = None;
        for name in entry.names() {
            let Some(number) = machine.number(name) else {
                return Err(SeccompError::UnknownSyscall { name: name.clone() });
            };
            let clause = match &of_entry {
                Some(clause) => Clause::clone(clause),
                None => of_entry.insert(clause(name, entry)?).clone(),
            };
            let (_, clauses) = named.entry(number).or_insert((name, vec![]));
            clauses.push(clause);
        }
    }
    named
        .into_values()
        .try_for_each(|(name, clauses)| check_call(name, clauses, default))
}

fn check_architectures(profile: &LinuxSeccomp, machine: &Machine) -> Result<(), SeccompError> {
    let listed = profile.architectures().as_deref().unwrap_or_default();
    let is_native = |arch: &Arch| *arch == machine.oci || *arch == Arch::ScmpArchNative;
    if let Some(foreign) = listed.iter().find(|arch| !is_native(arch)) {
        return Err(if listed.iter().any(is_native) {
            SeccompError::ForeignArchitecture {
                architecture: foreign.to_string(),
            }
        } else {
            SeccompError::NativeArchitectureMissing {
                native: machine.oci.to_string(),
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
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow
            | LinuxSeccompFilterFlag::SeccompFilterFlagLog
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

/// Neither handed to a listener, nor an errno that the kernel would change.
fn strict_action(
    place: &str,
    given: LinuxSeccompAction,
    errno: Option<u32>,
) -> Result<Decision, SeccompError> {
    match action(place, given, errno)? {
        Decision::Notify => Err(SeccompError::Notify {
            place: place.to_owned(),
        }),
        Decision::Errno(data) if data > MAX_ERRNO => Err(SeccompError::ErrnoOutOfRange {
            place: place.to_owned(),
            errno: data.into(),
        }),
        decision => Ok(decision),
    }
}

fn clause(name: &str, entry: &LinuxSyscall) -> Result<Clause, SeccompError> {
    let place = format!("system call {name}");
    let action = strict_action(&place, entry.action(), entry.errno_ret())?;
    let conditions = conditions(name, entry)?;
    for (at, condition) in conditions.iter().enumerate() {
        if conditions[..at]
            .iter()
            .any(|other| other.index == condition.index)
        {
            return Err(SeccompError::RepeatedArgument {
                name: name.to_owned(),
                index: condition.index,
            });
        }
    }
    Ok(Clause { conditions, action })
}

/// Refuses what libseccomp does without saying so (a stricter rule with arguments that never applies) or
/// by the accident of its tree (rules with different actions that overlap).
fn check_call(name: &str, clauses: Vec<Clause>, default: Decision) -> Result<(), SeccompError> {
    let (plain, conditional): (Vec<_>, Vec<_>) = clauses
        .into_iter()
        .partition(|clause| clause.conditions.is_empty());
    if let Some(winner) = plain.iter().find(|clause| clause.action != default) {
        let never_asked = conditional.iter().find(|clause| {
            clause.action.rank() < winner.action.rank()
                && !clause.conditions.iter().any(Condition::is_empty)
        });
        return match never_asked {
            None => Ok(()),
            Some(loser) => Err(SeccompError::Shadowed {
                name: name.to_owned(),
                first: winner.action,
                second: loser.action,
            }),
        };
    }
    // A rule with the default action, which never is in a program, also says that no other may match there.
    for (at, clause) in conditional.iter().enumerate() {
        let other = conditional[..at]
            .iter()
            .find(|other| other.action != clause.action && !excludes(other, clause));
        if let Some(other) = other {
            return Err(SeccompError::Ambiguous {
                name: name.to_owned(),
                first: other.action,
                second: clause.action,
            });
        }
    }
    Ok(())
}

fn excludes(first: &Clause, second: &Clause) -> bool {
    first
        .conditions
        .iter()
        .any(|one| second.conditions.iter().any(|other| one.excludes(other)))
}
