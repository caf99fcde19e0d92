//! The argument of `exec --user`.

use std::str::FromStr;

/// The largest id; the one above it means "leave as it is" to setresuid(2) (CVE-2019-14287).
const LAST_ID: u32 = u32::MAX - 1;

/// `UID` or `UID:GID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserArgument {
    /// The user's id in the container.
    pub uid: u32,
    /// The group's id in the container, where one was given.
    pub gid: Option<u32>,
}

/// Why a `--user` was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// What should be an id isn't a plain decimal number: signs, prefixes, leading zeros and blanks, which
    /// other parsers read as 0 or skip, are none (CVE-2026-30892).
    #[error("\"{0}\" is not a decimal id; hint: UID or UID:GID, as numbers of the container")]
    NotAnId(String),
    /// It begins with a letter, as names do.
    #[error(
        "\"{0}\" is a name, and names are not looked up; hint: UID or UID:GID, as /etc/passwd of the container has them"
    )]
    Name(String),
    /// Above 4294967294.
    #[error("{0} is larger than any id")]
    TooLarge(String),
}

impl FromStr for UserArgument {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        let (uid, gid) = match text.split_once(':') {
            Some((uid, gid)) => (uid, Some(gid)),
            None => (text, None),
        };
        Ok(Self {
            uid: id(uid)?,
            gid: gid.map(id).transpose()?,
        })
    }
}

fn id(text: &str) -> Result<u32, UserError> {
    if text.starts_with(|first: char| first.is_alphabetic() || first == '_') {
        return Err(UserError::Name(text.to_owned()));
    }
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_decimal || text.len() > 1 && text.starts_with('0') {
        return Err(UserError::NotAnId(text.to_owned()));
    }
    match text.parse() {
        Ok(id) if id <= LAST_ID => Ok(id),
        _ => Err(UserError::TooLarge(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_decimal_numbers() {
        let parsed = |uid, gid| Ok(UserArgument { uid, gid });
        for (text, expected) in [
            ("0", parsed(0, None)),
            ("1", parsed(1, None)),
            ("1000:0", parsed(1000, Some(0))),
            ("1:2", parsed(1, Some(2))),
            (
                "4294967294:4294967294",
                parsed(4_294_967_294, Some(4_294_967_294)),
            ),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_id_and_nothing_becomes_root() {
        for text in [
            "",
            ":",
            "1:",
            ":1",
            "+1",
            "-1",
            "-0",
            "0x1",
            "1e0",
            "01",
            "00",
            " 1",
            "1 ",
            "1\n",
            "1.0",
            "1:2:3",
            "1,2",
            "１",
            "4294967295",
            "4294967296",
            "18446744073709551616",
            "root",
            "1:wheel",
            "_apt",
            "1:+0",
        ] {
            assert!(text.parse::<UserArgument>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_told_from_a_slip() {
        assert_eq!(
            "daemon".parse::<UserArgument>(),
            Err(UserError::Name("daemon".to_owned()))
        );
        assert_eq!(
            "0x1".parse::<UserArgument>(),
            Err(UserError::NotAnId("0x1".to_owned()))
        );
    }
}
