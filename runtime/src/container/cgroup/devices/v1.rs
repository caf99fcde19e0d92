//! Rules on devices as lines of version 1's controller.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::super::super::{Error, Result};
use super::rule::{Devices, Rule, letters};

/// Writes the rules in order, so that `devices.list` shows them in order.
///
/// # Errors
/// Where the kernel refuses one.
pub(super) fn write(directory: &Path, rules: &[Rule]) -> Result<()> {
    let open = |name| -> Result<File> {
        let path = directory.join(name);
        let file = OpenOptions::new().write(true).open(&path);
        file.map_err(Error::io("open", path))
    };
    let (mut allow, mut deny) = (open("devices.allow")?, open("devices.deny")?);
    for rule in rules {
        let file = if rule.is_allowed {
            &mut allow
        } else {
            &mut deny
        };
        file.write_all(line(rule).as_bytes())
            .map_err(Error::io("restrict devices in", directory))?;
    }
    Ok(())
}

/// `c 1:3 rwm`, or `a` for all devices (kernel documentation, cgroup-v1/devices).
fn line(rule: &Rule) -> String {
    let (letter, major, minor) = match rule.devices {
        Devices::All => return "a".to_owned(),
        Devices::Character(major, minor) => ('c', major, minor),
        Devices::Block(major, minor) => ('b', major, minor),
    };
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
    let access = letters(rule.access);
    format!("{letter} {}:{} {access}", number(major), number(minor))
}

#[cfg(test)]
mod tests {
    use super::super::rule::{ALL, MAKE, READ};
    use super::*;

    #[test]
    fn a_rule_is_a_line() {
        for (devices, access, expected) in [
            (Devices::All, ALL, "a"),
            (Devices::Character(Some(1), Some(3)), ALL, "c 1:3 rwm"),
            (Devices::Block(Some(8), None), READ, "b 8:* r"),
            (Devices::Character(None, None), MAKE, "c *:* m"),
        ] {
            let rule = Rule {
                is_allowed: true,
                devices,
                access,
            };
            assert_eq!(line(&rule), expected);
        }
    }
}
