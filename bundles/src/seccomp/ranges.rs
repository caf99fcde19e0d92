//! The numbers of an audit architecture cut into ranges of the same fate.

use super::policy::{Clause, Policy};
use super::simulate::Decision;
use super::table::X32_BIT;

/// What happens to a call, as far as its number says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// This, whatever the arguments.
    Answer(Decision),
    /// The first clause that holds, or else this answer.
    Clauses {
        clauses: Vec<Clause>,
        otherwise: Decision,
        /// Whether arguments have 64 bits.
        is_wide: bool,
    },
}

/// Numbers from `start` to the next range's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub start: u32,
    pub fate: Fate,
}

/// The kernel's limit for an errno doesn't matter here: these are small.
const ENOSYS: Decision = Decision::Errno(38);

/// Ranges in the making, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<Range>);

impl Ranges {
    fn add(&mut self, start: u32, fate: Fate) {
        match self.0.last_mut() {
            Some(last) if last.fate == fate => {}
            // A range of no numbers.
            Some(last) if last.start == start => {
                last.fate = fate;
                self.merge_last();
            }
            _ => self.0.push(Range { start, fate }),
        }
    }

    fn merge_last(&mut self) {
        if let [.., before, last] = &self.0[..]
            && before.fate == last.fate
        {
            self.0.pop();
        }
    }

    /// The numbers of one architecture, from `first` on. Beyond the last that the profile names, the call
    /// fails with ENOSYS where `has_stub`.
    pub fn architecture(
        &mut self,
        first: u32,
        policy: Policy,
        default: Decision,
        is_wide: bool,
        has_stub: bool,
    ) {
        self.add(first, Fate::Answer(default));
        for (number, clauses) in policy.calls {
            self.add(number, fate(clauses, default, is_wide));
            self.add(number + 1, Fate::Answer(default));
        }
        if let Some(last) = policy.last
            && has_stub
        {
            self.add(last + 1, Fate::Answer(ENOSYS));
        }
    }

    /// The numbers of x32 where it isn't listed. -1 is what a tracer leaves of a call that it wants skipped.
    pub fn no_x32(&mut self, refusal: Decision, default: Decision) {
        self.add(X32_BIT, Fate::Answer(refusal));
        self.add(u32::MAX, Fate::Answer(default));
    }

    pub fn into_ranges(self) -> Vec<Range> {
        self.0
    }
}

fn fate(mut clauses: Vec<Clause>, otherwise: Decision, is_wide: bool) -> Fate {
    match clauses.first() {
        None => Fate::Answer(otherwise),
        Some(first) if first.conditions.is_empty() => Fate::Answer(first.action),
        Some(_) => {
            clauses.retain(|clause| {
                !clause
                    .conditions
                    .iter()
                    .any(super::condition::Condition::is_empty)
            });
            Fate::Clauses {
                clauses,
                otherwise,
                is_wide,
            }
        }
    }
}
