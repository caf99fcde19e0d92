//! An OCI profile understood: for each call of an architecture, which rules count and in which order.

use std::rc::Rc;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

use super::condition::Condition;
use super::error::SeccompError;
use super::multiplexed::{Multiplexer, multiplexer};
use super::row::Row;
use super::simulate::Decision;
use super::table::{Architecture, row};

/// The rules of a profile, in its order, with what doesn't depend on an architecture worked out.
#[derive(Debug)]
pub(super) struct Rules {
    pub default: Decision,
    rules: Vec<Rule>,
    /// Names that no table knows. Their rules are left out, as engines do.
    pub unknown: Vec<String>,
    /// Every call that is named, in whatever rule.
    named: Vec<&'static Row>,
}

#[derive(Debug)]
struct Rule {
    call: &'static Row,
    action: Decision,
    /// Each of them is a rule of its own.
    alternatives: Rc<[Vec<Condition>]>,
}

/// An action for the arguments that meet all conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clause {
    /// In the order of the arguments.
    pub conditions: Vec<Condition>,
    pub action: Decision,
}

/// What to do with the calls of one architecture, in the order of their numbers. The clauses of a call are in
/// the order in which to ask them; the first that holds counts.
#[derive(Debug)]
pub(super) struct Policy {
    pub calls: Vec<(u32, Vec<Clause>)>,
    /// The greatest number that any rule names.
    pub last: Option<u32>,
}

impl Rules {
    /// Reads a profile as runc and crun do with libseccomp:
    ///
    /// * names that no table knows are left out, and so are rules with the default action;
    /// * a rule with several conditions on one argument counts as one rule for each of its conditions.
    pub fn new(profile: &LinuxSeccomp) -> Result<Self, SeccompError> {
        let default = action(
            "default action",
            profile.default_action(),
            profile.default_errno_ret(),
        )?;
        let mut rules = Self {
            default,
            rules: vec![],
            unknown: vec![],
            named: vec![],
        };
        for entry in profile.syscalls().iter().flatten() {
            rules.add(entry)?;
        }
        Ok(rules)
    }

    fn add(&mut self, entry: &LinuxSyscall) -> Result<(), SeccompError> {
        let Some(first) = entry.names().first() else {
            return Ok(());
        };
        let action = action(
            &format!("system call {first}"),
            entry.action(),
            entry.errno_ret(),
        )?;
        let alternatives: Rc<[_]> = alternatives(&conditions(first, entry)?).into();
        for name in entry.names() {
            let Some(call) = row(name) else {
                self.unknown.push(name.clone());
                continue;
            };
            self.named.push(call);
            if action != self.default {
                self.rules.push(Rule {
                    call,
                    action,
                    alternatives: Rc::clone(&alternatives),
                });
            }
        }
        Ok(())
    }

    /// Whether any rule, or the default, has this action.
    pub fn use_action(&self, action: Decision) -> bool {
        self.default == action || self.rules.iter().any(|rule| rule.action == action)
    }

    /// What they say of the calls of one architecture.
    ///
    /// # Errors
    /// [`SeccompError::Contradiction`].
    pub fn policy(&self, architecture: Architecture) -> Result<Policy, SeccompError> {
        let mut named: Vec<(u32, &str, Clause)> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            for conditions in rule.alternatives.iter() {
                let add = |number, conditions| {
                    let action = rule.action;
                    named.push((number, rule.call.name(), Clause { conditions, action }));
                };
                for_each_number(architecture, rule.call, conditions, add);
            }
        }
        // Rules of one call stay in the order of the profile.
        named.sort_by_key(|(number, ..)| *number);
        let mut policy = Policy {
            calls: Vec::with_capacity(named.len()),
            last: self
                .named
                .iter()
                .filter_map(|call| architecture.number(call))
                .max(),
        };
        let mut named = named.into_iter().peekable();
        while let Some((number, name, clause)) = named.next() {
            let mut clauses = vec![clause];
            while let Some((.., clause)) = named.next_if(|(next, ..)| *next == number) {
                clauses.push(clause);
            }
            let clauses = in_order(architecture, name, clauses)?;
            policy.calls.push((number, clauses));
        }
        Ok(policy)
    }
}

/// Reads an action. EPERM where an errno is needed and the profile says nothing, by the OCI spec.
pub(super) fn action(
    place: &str,
    action: LinuxSeccompAction,
    errno: Option<u32>,
) -> Result<Decision, SeccompError> {
    let data = || {
        let errno = errno.unwrap_or(1);
        u16::try_from(errno).map_err(|_| SeccompError::ErrnoOutOfRange {
            place: place.to_owned(),
            errno,
        })
    };
    let decision = match action {
        LinuxSeccompAction::ScmpActErrno => return Ok(Decision::Errno(data()?)),
        LinuxSeccompAction::ScmpActTrace => return Ok(Decision::Trace(data()?)),
        LinuxSeccompAction::ScmpActNotify => Decision::Notify,
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

/// An entry's conditions; `name` is the system call, for the error.
pub(super) fn conditions(name: &str, entry: &LinuxSyscall) -> Result<Vec<Condition>, SeccompError> {
    let args = entry.args().iter().flatten();
    args.map(|arg| Condition::new(name, arg)).collect()
}

/// All conditions together; each by itself where two are on one argument.
fn alternatives(conditions: &[Condition]) -> Vec<Vec<Condition>> {
    let mut sorted = conditions.to_vec();
    sorted.sort_by_key(|condition| condition.index);
    if sorted.windows(2).any(|pair| pair[0].index == pair[1].index) {
        return conditions
            .iter()
            .map(|condition| vec![*condition])
            .collect();
    }
    vec![sorted]
}

/// The numbers by which a call can be made, each with the conditions as they apply there.
fn for_each_number(
    architecture: Architecture,
    call: &Row,
    conditions: &[Condition],
    mut add: impl FnMut(u32, Vec<Condition>),
) {
    let own: Vec<Condition> = conditions
        .iter()
        .map(|condition| match architecture.is_wide() {
            true => *condition,
            false => condition.narrowed(),
        })
        .collect();
    if let Some(Multiplexer { number, selector }) = multiplexer(architecture, call.name()) {
        // The first argument selects the call; the others are what they are, and not the call's own,
        // which are in memory. libseccomp compares them all the same.
        let others = own.iter().filter(|condition| condition.index != 0);
        let selected = [Condition::equal(0, selector)].into_iter();
        add(number, selected.chain(others.copied()).collect());
    }
    if let Some(number) = architecture.number(call) {
        add(number, own);
    }
}

/// Which of a call's rules count and in which order, as libseccomp has it (measured with 2.5.4):
///
/// * the first rule without conditions counts alone;
/// * else they are asked in the order of [`Condition::precedence`], and the first that holds counts.
fn in_order(
    architecture: Architecture,
    name: &str,
    mut clauses: Vec<Clause>,
) -> Result<Vec<Clause>, SeccompError> {
    for clause in &mut clauses {
        clause.conditions.retain(|condition| !condition.is_always());
    }
    if let Some(plain) = clauses.iter().find(|clause| clause.conditions.is_empty()) {
        return Ok(vec![plain.clone()]);
    }
    if clauses.len() == 1 {
        return Ok(clauses);
    }
    clauses.sort_by_cached_key(|clause| {
        let conditions = clause.conditions.iter();
        conditions.map(Condition::precedence).collect::<Vec<_>>()
    });
    let mut kept: Vec<Clause> = Vec::with_capacity(clauses.len());
    for clause in clauses {
        match kept
            .iter()
            .find(|other| other.conditions == clause.conditions)
        {
            None => kept.push(clause),
            Some(other) if other.action == clause.action => {}
            Some(other) => {
                return Err(SeccompError::Contradiction {
                    architecture: format!("{architecture:?}").to_lowercase(),
                    name: name.to_owned(),
                    first: other.action,
                    second: clause.action,
                });
            }
        }
    }
    Ok(kept)
}
