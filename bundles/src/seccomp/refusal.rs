//! Why a call was refused, in words.

use super::profile::{ArgCondition, Rule, RuleAction, opt_server};
use super::simulate::Call;
use super::table::{X32_BIT, machine, syscall_name};

/// A refused call, for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The call's name, or its number and architecture where there is no name for it.
    pub name: String,
    /// The rule that refuses it: what it is about, and why.
    pub rule: String,
}

/// Names `call` and the rule of [`opt_server`] that refuses it. A profile with more exceptions refuses
/// nothing else, so its refusals are explained by the same rules.
pub fn refusal(call: &Call) -> Refusal {
    let native = machine().map(|machine| machine.native.audit());
    if native != Some(call.arch) {
        return Refusal {
            name: format!("number {} of architecture {:#x}", call.nr, call.arch),
            rule: "default: only this machine's own architecture is served".to_owned(),
        };
    }
    let Some(name) = syscall_name(call.nr.into()) else {
        let is_x32 = call.nr & X32_BIT != 0;
        return Refusal {
            name: format!("number {}", call.nr),
            rule: match is_x32 {
                true => "default: the x32 interface isn't served".to_owned(),
                false => "default: a call that no table knows".to_owned(),
            },
        };
    };
    let rules = opt_server().rules.iter();
    let refusing = rules
        .filter(|rule| rule.names.contains(&name) && rule.action != RuleAction::Allow)
        .find(|rule| rule.args.iter().all(|condition| holds(condition, call)));
    let rule = match refusing {
        Some(Rule { group, reason, .. }) => format!("{group}: {reason}"),
        None => "default: no rule allows it with these arguments".to_owned(),
    };
    Refusal {
        name: name.to_owned(),
        rule,
    }
}

fn holds(condition: &ArgCondition, call: &Call) -> bool {
    let argument = |index: u8| call.args.get(usize::from(index)).copied().unwrap_or(0);
    let low = |index| (argument(index) & 0xffff_ffff) as u32;
    match *condition {
        ArgCondition::Equal { index, value } => argument(index) == value,
        ArgCondition::NotEqual { index, value } => argument(index) != value,
        ArgCondition::OneOf {
            index,
            mask,
            values,
        } => values.contains(&(low(index) & mask)),
        ArgCondition::NoneOf { index, values } => !values.contains(&low(index)),
        ArgCondition::AnyBit { index, mask } => low(index) & mask != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decision, compile_strict, native_audit_arch, syscalls};
    use super::*;

    fn native(name: &str, args: [u64; 6]) -> Call {
        Call {
            arch: native_audit_arch().unwrap(),
            nr: machine().unwrap().number(name).unwrap(),
            args,
        }
    }

    #[test]
    fn each_refusal_has_its_rule() {
        for (name, args, wanted) in [
            ("mount", [0; 6], "mounts: "),
            ("ptrace", [0; 6], "tracing: "),
            ("socket", [2, 1, 0, 0, 0, 0], "sockets: no network"),
            ("ioctl", [0, 0x5412, 0, 0, 0, 0], "terminals: "),
            ("fchmod", [0, 0o4755, 0, 0, 0, 0], "files: setuid"),
            ("clone3", [0; 6], "processes: "),
        ] {
            let told = refusal(&native(name, args));
            assert_eq!(told.name, name);
            assert!(told.rule.starts_with(wanted), "{name}: {}", told.rule);
        }
        let odd = |arch, nr| Call {
            arch,
            nr,
            args: [0; 6],
        };
        let unknown = refusal(&odd(native_audit_arch().unwrap(), 999));
        assert_eq!(unknown.name, "number 999");
        assert!(unknown.rule.contains("no table"), "{unknown:?}");
        assert!(refusal(&odd(7, 1)).name.contains("0x7"));
    }

    /// Whatever the filter refuses of known calls is explained by a rule, or by the lack of one.
    #[test]
    fn rules_and_filter_agree() {
        let filter = compile_strict(&opt_server().to_oci()).unwrap();
        for (name, _) in syscalls() {
            for args in [[0; 6], [u64::MAX; 6]] {
                let call = native(name, args);
                let told = refusal(&call).rule;
                let is_refused = matches!(filter.decide(&call), Decision::Errno(_));
                let has_rule = !told.starts_with("default");
                assert!(is_refused || !has_rule, "{name} {args:?}: {told}");
            }
        }
    }
}
