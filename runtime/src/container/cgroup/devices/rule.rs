//! Rules on devices, checked.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::super::super::{Error, Result};

/// What may be done with a device: bits of the kernel's `BPF_DEVCG_ACC_*`.
pub(super) const MAKE: u32 = 1;
pub(super) const READ: u32 = 2;
pub(super) const WRITE: u32 = 4;
/// All three.
pub(super) const ALL: u32 = MAKE | READ | WRITE;

/// Which devices a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::container::cgroup) enum Devices {
    /// Every one.
    All,
    /// Character devices with these numbers; `None` is any.
    Character(Option<u32>, Option<u32>),
    /// Block devices likewise.
    Block(Option<u32>, Option<u32>),
}

/// One rule; a later one overrides those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::container::cgroup) struct Rule {
    pub is_allowed: bool,
    pub devices: Devices,
    pub access: u32,
}

/// Which devices every container has, as runc and crun have it: making any node, `/dev/null`, `zero`,
/// `full`, `random`, `urandom`, `tty`, `console`, `ptmx`, the pseudo-terminals, `net/tun` (which takes a
/// capability to be of use).
const ALWAYS: [(Devices, u32); 12] = [
    (Devices::Character(None, None), MAKE),
    (Devices::Block(None, None), MAKE),
    (Devices::Character(Some(1), Some(3)), ALL),
    (Devices::Character(Some(1), Some(8)), ALL),
    (Devices::Character(Some(1), Some(7)), ALL),
    (Devices::Character(Some(5), Some(0)), ALL),
    (Devices::Character(Some(1), Some(5)), ALL),
    (Devices::Character(Some(1), Some(9)), ALL),
    (Devices::Character(Some(5), Some(1)), ALL),
    (Devices::Character(Some(136), None), ALL),
    (Devices::Character(Some(5), Some(2)), ALL),
    (Devices::Character(Some(10), Some(200)), ALL),
];

/// No device, then what the bundle lists, in its order, then what every container has.
///
/// # Errors
/// [`Error::Unsupported`] for a rule that can't mean anything.
pub(super) fn rules(listed: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>> {
    let none = Rule {
        is_allowed: false,
        devices: Devices::All,
        access: ALL,
    };
    let mut rules = vec![none];
    rules.extend(self::listed(listed)?);
    rules.extend(ALWAYS.map(|(devices, access)| Rule {
        is_allowed: true,
        devices,
        access,
    }));
    Ok(rules)
}

/// What the bundle lists.
///
/// # Errors
/// As [`rules`].
pub(super) fn listed(listed: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>> {
    listed.iter().map(parse).collect()
}

fn parse(rule: &LinuxDeviceCgroup) -> Result<Rule> {
    let number = |number: Option<i64>| match number {
        // -1 is how some callers write "any".
        None | Some(-1) => Ok(None),
        Some(number) => u32::try_from(number)
            .map(Some)
            .map_err(|_| wrong(format!("there is no device number {number}"))),
    };
    let numbers = (number(rule.major())?, number(rule.minor())?);
    let devices = match rule.typ().unwrap_or(LinuxDeviceType::A) {
        LinuxDeviceType::A => Devices::All,
        LinuxDeviceType::C | LinuxDeviceType::U => Devices::Character(numbers.0, numbers.1),
        LinuxDeviceType::B => Devices::Block(numbers.0, numbers.1),
        LinuxDeviceType::P => return Err(wrong("a pipe is no device".to_owned())),
    };
    let access = match (rule.access().as_deref(), devices) {
        // The kernel's list knows only all access for all devices.
        (_, Devices::All) => ALL,
        (Some(text), _) if !text.is_empty() => access(text)?,
        // Nothing said: to deny everything is safe, to allow it isn't.
        _ if !rule.allow() => ALL,
        _ => return Err(wrong("an allowed device needs \"access\"".to_owned())),
    };
    Ok(Rule {
        is_allowed: rule.allow(),
        devices,
        access,
    })
}

fn access(text: &str) -> Result<u32> {
    text.chars().try_fold(0, |access, letter| {
        Ok(access
            | match letter {
                'm' => MAKE,
                'r' => READ,
                'w' => WRITE,
                _ => return Err(wrong(format!("\"{text}\" is no access: r, w and m are"))),
            })
    })
}

/// An access as the kernel and systemd write it.
pub(in crate::container::cgroup) fn letters(access: u32) -> String {
    let all = [('r', READ), ('w', WRITE), ('m', MAKE)].into_iter();
    let given = all.filter(|(_, bit)| access & bit != 0);
    given.map(|(letter, _)| letter).collect()
}

fn wrong(reason: String) -> Error {
    Error::unsupported("linux.resources.devices", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Rule> {
        parse(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn rules_are_read_as_runc_and_crun_read_them() {
        let rule = |is_allowed, devices, access| Rule {
            is_allowed,
            devices,
            access,
        };
        for (text, expected) in [
            (
                r#"{"allow":false,"access":"rwm"}"#,
                rule(false, Devices::All, ALL),
            ),
            (
                r#"{"allow":true,"type":"a","major":1,"access":"r"}"#,
                rule(true, Devices::All, ALL),
            ),
            (
                r#"{"allow":true,"type":"c","major":1,"minor":3,"access":"rw"}"#,
                rule(true, Devices::Character(Some(1), Some(3)), READ | WRITE),
            ),
            (
                r#"{"allow":true,"type":"b","major":8,"minor":-1,"access":"m"}"#,
                rule(true, Devices::Block(Some(8), None), MAKE),
            ),
            (
                r#"{"allow":false,"type":"c"}"#,
                rule(false, Devices::Character(None, None), ALL),
            ),
        ] {
            assert_eq!(parsed(text).unwrap(), expected, "{text}");
        }
        for text in [
            r#"{"allow":true,"type":"c","major":1}"#,
            r#"{"allow":true,"type":"c","access":"x"}"#,
            r#"{"allow":true,"type":"c","major":-2,"access":"r"}"#,
            r#"{"allow":true,"type":"p","access":"r"}"#,
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn without_a_rule_no_other_device_is_allowed() {
        let rules = rules(&[]).unwrap();
        assert!(!rules[0].is_allowed && rules[0].devices == Devices::All);
        assert!(rules[1..].iter().all(|rule| rule.is_allowed));
    }
}
