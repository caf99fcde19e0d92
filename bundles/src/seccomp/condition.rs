//! A test on one argument of a system call, as the OCI spec defines it: on all 64 bits, or, where the
//! architecture has no more, on 32.

use std::cmp::Reverse;

use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator};

use super::error::SeccompError;

/// One argument against one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub index: u8,
    operator: LinuxSeccompOperator,
    /// All ones but for a masked comparison.
    mask: u64,
    datum: u64,
}

/// Fewer forms than the OCI spec has: every order is an inclusive range, possibly an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Range { low: u64, high: u64 },
    Not(u64),
    Masked { mask: u64, value: u64 },
}

const EMPTY: Test = Test::Range { low: 1, high: 0 };

/// Where libseccomp asks a condition among those that begin other rules of the same call.
pub(super) type Precedence = (Reverse<u8>, u8, u64);

impl Condition {
    /// Reads the OCI form. `name` is the system call, for the error.
    pub fn new(name: &str, arg: &LinuxSeccompArg) -> Result<Self, SeccompError> {
        let index = u8::try_from(arg.index())
            .ok()
            .filter(|index| *index < 6)
            .ok_or_else(|| SeccompError::ArgumentIndex {
                name: name.to_owned(),
                index: arg.index(),
            })?;
        let operator = arg.op();
        let (mask, datum) = match operator {
            // `value` is the mask, `valueTwo` the datum. libseccomp cuts bits of the datum outside of the
            // mask off (measured with 2.5.4).
            LinuxSeccompOperator::ScmpCmpMaskedEq => {
                (arg.value(), arg.value_two().unwrap_or(0) & arg.value())
            }
            _ => (u64::MAX, arg.value()),
        };
        Ok(Self {
            index,
            operator,
            mask,
            datum,
        })
    }

    /// An argument that equals a number.
    pub fn equal(index: u8, datum: u64) -> Self {
        Self {
            index,
            operator: LinuxSeccompOperator::ScmpCmpEq,
            mask: u64::MAX,
            datum,
        }
    }

    /// The same for an architecture of 32 bits: libseccomp cuts the numbers of the profile off there.
    pub fn narrowed(self) -> Self {
        Self {
            mask: self.mask & 0xffff_ffff,
            datum: self.datum & 0xffff_ffff,
            ..self
        }
    }

    /// What it asks.
    pub fn test(&self) -> Test {
        let value = self.datum;
        match self.operator {
            LinuxSeccompOperator::ScmpCmpEq => Test::Range {
                low: value,
                high: value,
            },
            LinuxSeccompOperator::ScmpCmpNe => Test::Not(value),
            LinuxSeccompOperator::ScmpCmpLt => value
                .checked_sub(1)
                .map_or(EMPTY, |high| Test::Range { low: 0, high }),
            LinuxSeccompOperator::ScmpCmpLe => Test::Range {
                low: 0,
                high: value,
            },
            LinuxSeccompOperator::ScmpCmpGe => Test::Range {
                low: value,
                high: u64::MAX,
            },
            LinuxSeccompOperator::ScmpCmpGt => {
                value.checked_add(1).map_or(EMPTY, |low| Test::Range {
                    low,
                    high: u64::MAX,
                })
            }
            LinuxSeccompOperator::ScmpCmpMaskedEq if self.mask == u64::MAX => Test::Range {
                low: value,
                high: value,
            },
            LinuxSeccompOperator::ScmpCmpMaskedEq => Test::Masked {
                mask: self.mask,
                value,
            },
        }
    }

    /// Among rules that overlap libseccomp asks those about a later argument first, exact ones before
    /// orders, and of two orders the narrower: `db_tree_add` in its db.c, from 2.4 on.
    pub fn precedence(&self) -> Precedence {
        let (class, datum) = match self.operator {
            LinuxSeccompOperator::ScmpCmpEq
            | LinuxSeccompOperator::ScmpCmpNe
            | LinuxSeccompOperator::ScmpCmpMaskedEq => (0, !self.datum),
            LinuxSeccompOperator::ScmpCmpLe | LinuxSeccompOperator::ScmpCmpLt => (1, self.datum),
            LinuxSeccompOperator::ScmpCmpGe | LinuxSeccompOperator::ScmpCmpGt => (2, !self.datum),
        };
        (Reverse(self.index), class, datum)
    }

    /// Whether no value of the argument meets both. May say false where it is too hard to tell.
    pub fn excludes(&self, other: &Self) -> bool {
        self.index == other.index && disjoint(self.test(), other.test())
    }

    /// Whether no value at all meets it.
    pub fn is_empty(&self) -> bool {
        matches!(self.test(), Test::Range { low, high } if low > high)
    }

    /// Whether every value meets it: a mask without bits.
    pub fn is_always(&self) -> bool {
        matches!(self.test(), Test::Masked { mask: 0, .. })
    }

    #[cfg(test)]
    pub fn holds(&self, args: &[u64; 6]) -> bool {
        meets(self.test(), args[usize::from(self.index)])
    }
}

fn meets(test: Test, argument: u64) -> bool {
    match test {
        Test::Range { low, high } => (low..=high).contains(&argument),
        Test::Not(value) => argument != value,
        Test::Masked { mask, value } => argument & mask == value,
    }
}

fn disjoint(first: Test, second: Test) -> bool {
    match (first, second) {
        (Test::Range { low, high }, _) if low > high => true,
        (_, Test::Range { low, high }) if low > high => true,
        (Test::Range { low, high }, other) | (other, Test::Range { low, high }) if low == high => {
            !meets(other, low)
        }
        (
            Test::Range { low, high },
            Test::Range {
                low: low2,
                high: high2,
            },
        ) => high < low2 || high2 < low,
        (
            Test::Masked { mask, value },
            Test::Masked {
                mask: mask2,
                value: value2,
            },
        ) => (value ^ value2) & mask & mask2 != 0,
        // The least value with these bits is `value`, the greatest has all bits outside of the mask set.
        (Test::Masked { mask, value }, Test::Range { low, high })
        | (Test::Range { low, high }, Test::Masked { mask, value }) => {
            high < value || low > (value | !mask)
        }
        // A range of several values, or a mask that leaves a bit open, has a value beside any given one.
        (Test::Not(_), _) | (_, Test::Not(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LinuxSeccompOperator::*;
    use oci_spec::runtime::LinuxSeccompArgBuilder;

    fn condition(op: LinuxSeccompOperator, value: u64, two: u64) -> Condition {
        let builder = LinuxSeccompArgBuilder::default()
            .index(0usize)
            .op(op)
            .value(value)
            .value_two(two);
        Condition::new("call", &builder.build().unwrap()).unwrap()
    }

    /// Values around which the 64-bit comparisons of a 32-bit machine go wrong.
    fn values() -> Vec<u64> {
        let high = 0x1_0000_0000u64;
        let mut values = vec![];
        for base in [
            0,
            5,
            0x5412,
            high,
            high + 5,
            5 * high,
            5 * high + 5,
            high - 1,
            u64::MAX,
            1 << 63,
            0x7fff_ffff,
        ] {
            values.extend([base.wrapping_sub(1), base, base.wrapping_add(1)]);
        }
        values
    }

    fn all() -> Vec<Condition> {
        let mut all = vec![];
        for value in values() {
            for op in [
                ScmpCmpEq, ScmpCmpNe, ScmpCmpLt, ScmpCmpLe, ScmpCmpGe, ScmpCmpGt,
            ] {
                all.push(condition(op, value, 0));
            }
        }
        for mask in [
            0,
            1,
            0xff,
            0xffff_ffff,
            0xf000,
            u64::MAX,
            0xffff_ffff_0000_0000,
            0x8000_0000_0000_0001,
        ] {
            for value in [0, 1, 5, 0x5412, u64::MAX] {
                all.push(condition(ScmpCmpMaskedEq, mask, value));
            }
        }
        all
    }

    #[test]
    fn operators_mean_what_they_say() {
        for value in values() {
            for argument in values() {
                let holds = |op| condition(op, value, 0).holds(&[argument, 0, 0, 0, 0, 0]);
                assert_eq!(holds(ScmpCmpEq), argument == value);
                assert_eq!(holds(ScmpCmpNe), argument != value);
                assert_eq!(holds(ScmpCmpLt), argument < value);
                assert_eq!(holds(ScmpCmpLe), argument <= value);
                assert_eq!(holds(ScmpCmpGe), argument >= value);
                assert_eq!(holds(ScmpCmpGt), argument > value);
                assert_eq!(
                    condition(ScmpCmpMaskedEq, value, 5).holds(&[argument, 0, 0, 0, 0, 0]),
                    argument & value == 5 & value
                );
            }
        }
    }

    #[test]
    fn disjoint_conditions_share_no_value() {
        let (all, values) = (all(), values());
        for first in &all {
            for second in &all {
                assert_eq!(first.excludes(second), second.excludes(first));
                if first.excludes(second) {
                    let both = values
                        .iter()
                        .find(|v| first.holds(&[**v; 6]) && second.holds(&[**v; 6]));
                    assert_eq!(both, None, "{first:?} {second:?}");
                }
            }
        }
    }

    #[test]
    fn the_pairs_that_profiles_use_are_disjoint() {
        for (first, second) in [
            (condition(ScmpCmpEq, 1, 0), condition(ScmpCmpNe, 1, 0)),
            (condition(ScmpCmpLt, 38, 0), condition(ScmpCmpEq, 38, 0)),
            (condition(ScmpCmpGt, 40, 0), condition(ScmpCmpLe, 40, 0)),
            (
                condition(ScmpCmpMaskedEq, 0x7e02_0000, 0),
                condition(ScmpCmpMaskedEq, 1 << 28, 1 << 28),
            ),
            (
                condition(ScmpCmpMaskedEq, 0xffff_ffff, 5),
                condition(ScmpCmpEq, 6, 0),
            ),
        ] {
            assert!(first.excludes(&second), "{first:?} {second:?}");
        }
    }
}
