//! A profile of ours as the OCI spec writes it.

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

use super::profile::{ArgCondition, Profile, Rule, RuleAction};
use super::table::machine;

impl Profile {
    /// The profile for `config.json`, for the native architecture only.
    ///
    /// Every entry has at most one condition on an argument, because engines differ in how they read two
    /// (runc: either, crun: refused). Alternatives become entries of their own. Names that only other
    /// architectures have are left out.
    pub fn to_oci(&self) -> LinuxSeccomp {
        self.written.get_or_init(|| self.write()).clone()
    }

    fn write(&self) -> LinuxSeccomp {
        let mut profile = LinuxSeccomp::default();
        profile
            .set_default_action(LinuxSeccompAction::ScmpActErrno)
            .set_default_errno_ret(Some(self.default_errno))
            .set_architectures(machine().map(|machine| vec![machine.oci]))
            .set_syscalls(Some(self.rules.iter().flat_map(entries).collect()));
        profile
    }
}

fn entries(rule: &Rule) -> Vec<LinuxSyscall> {
    let known = |name: &&&str| machine().is_none_or(|machine| machine.number(name).is_some());
    let names: Vec<String> = rule
        .names
        .iter()
        .filter(known)
        .map(|name| (*name).to_owned())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    alternatives(rule.args)
        .into_iter()
        .map(|args| {
            let (action, errno) = match rule.action {
                RuleAction::Allow => (LinuxSeccompAction::ScmpActAllow, None),
                RuleAction::Errno(errno) => (LinuxSeccompAction::ScmpActErrno, Some(errno)),
            };
            let mut entry = LinuxSyscall::default();
            entry
                .set_names(names.clone())
                .set_action(action)
                .set_errno_ret(errno);
            entry.set_args((!args.is_empty()).then_some(args));
            entry
        })
        .collect()
}

/// All conditions together, as a list of alternatives: the product of each one's own alternatives.
fn alternatives(conditions: &[ArgCondition]) -> Vec<Vec<LinuxSeccompArg>> {
    conditions
        .iter()
        .fold(vec![Vec::new()], |so_far, condition| {
            let own = expand(condition);
            so_far
                .iter()
                .flat_map(|args| {
                    own.iter()
                        .map(|arg| args.iter().copied().chain([*arg]).collect())
                })
                .collect()
        })
}

fn expand(condition: &ArgCondition) -> Vec<LinuxSeccompArg> {
    match *condition {
        ArgCondition::Equal { index, value } => {
            vec![compare(index, LinuxSeccompOperator::ScmpCmpEq, value)]
        }
        ArgCondition::NotEqual { index, value } => {
            vec![compare(index, LinuxSeccompOperator::ScmpCmpNe, value)]
        }
        ArgCondition::OneOf {
            index,
            mask,
            values,
        } => values
            .iter()
            .map(|value| masked(index, mask, *value))
            .collect(),
        ArgCondition::NoneOf { index, values } => complement(values)
            .into_iter()
            .map(|(mask, value)| masked(index, mask, value))
            .collect(),
        ArgCondition::AnyBit { index, mask } => {
            bits(mask).map(|bit| masked(index, bit, bit)).collect()
        }
    }
}

fn compare(index: u8, op: LinuxSeccompOperator, value: u64) -> LinuxSeccompArg {
    built(
        LinuxSeccompArgBuilder::default()
            .index(index)
            .op(op)
            .value(value),
    )
}

fn masked(index: u8, mask: u32, value: u32) -> LinuxSeccompArg {
    let op = LinuxSeccompOperator::ScmpCmpMaskedEq;
    built(
        LinuxSeccompArgBuilder::default()
            .index(index)
            .op(op)
            .value(mask)
            .value_two(value),
    )
}

fn built(builder: LinuxSeccompArgBuilder) -> LinuxSeccompArg {
    builder.build().expect("each field has a default")
}

fn bits(mask: u32) -> impl Iterator<Item = u32> {
    (0..u32::BITS)
        .map(|shift| 1 << shift)
        .filter(move |bit| mask & bit != 0)
}

/// Masks and values such that a number is none of `values` exactly if it matches at least one of them.
///
/// First the bits in which the values differ from each other, as a decision tree: a branch that none of
/// them takes is a match. Then the bits that they all share, one by one: a number that has one of them
/// differently is a match. Most numbers match early.
fn complement(values: &[u32]) -> Vec<(u32, u32)> {
    let Some((first, rest)) = values.split_first() else {
        return vec![(0, 0)];
    };
    let differing = rest.iter().fold(0, |mask, value| mask | (value ^ first));
    let mut found = Vec::new();
    branch(
        values,
        &bits(differing).collect::<Vec<_>>(),
        0,
        0,
        &mut found,
    );
    found.extend(bits(!differing).map(|bit| (bit, !first & bit)));
    found
}

fn branch(values: &[u32], bits: &[u32], mask: u32, value: u32, found: &mut Vec<(u32, u32)>) {
    if values.is_empty() {
        found.push((mask, value));
    } else if let Some((bit, rest)) = bits.split_first() {
        for side in [0, *bit] {
            let same: Vec<u32> = values
                .iter()
                .copied()
                .filter(|value| value & bit == side)
                .collect();
            branch(&same, rest, mask | bit, value | side, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seccomp::opt_server;

    #[test]
    fn complement_is_exact() {
        for values in [
            &[][..],
            &[0],
            &[0x5412],
            &[0x5412, 0x541c, 0x5423],
            &[0, u32::MAX],
            &[1, 2, 3, 4, 5],
        ] {
            let cover = complement(values);
            let near = values
                .iter()
                .flat_map(|v| bits(u32::MAX).map(move |bit| v ^ bit));
            for number in near
                .chain(0..0x8000)
                .chain(values.iter().copied())
                .chain([u32::MAX, 1 << 31])
            {
                let matched = cover.iter().any(|(mask, value)| number & mask == *value);
                assert_eq!(
                    matched,
                    !values.contains(&number),
                    "{number:#x} of {values:x?}"
                );
            }
            assert!(cover.len() < 64, "{}", cover.len());
        }
    }

    #[test]
    fn no_entry_has_two_conditions_on_an_argument() {
        for entry in opt_server().to_oci().syscalls().iter().flatten() {
            let mut seen: Vec<usize> = entry
                .args()
                .iter()
                .flatten()
                .map(|arg| arg.index())
                .collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(
                seen.len(),
                entry.args().as_ref().map_or(0, Vec::len),
                "{entry:?}"
            );
        }
    }

    /// What is written to config.json and read back is the same profile.
    #[test]
    fn survives_json() {
        let profile = opt_server().to_oci();
        let json = serde_json::to_string(&profile).unwrap();
        assert_eq!(
            serde_json::from_str::<LinuxSeccomp>(&json).unwrap(),
            profile
        );
    }
}
