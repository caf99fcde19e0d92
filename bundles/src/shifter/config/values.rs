//! Values of keys, as Shifter reads them: there are no quotes and no escapes.

use std::path::PathBuf;

use super::error::Problem;
use crate::shifter::volumes::{Asker, VolumeMap, parse_bytes};

/// The text behind a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a>(pub &'a str);

impl Value<'_> {
    pub(super) fn text(self) -> Result<String, Problem> {
        match self.0 {
            "" => Err(Problem::NoValue),
            text => Ok(text.to_owned()),
        }
    }

    pub(super) fn path(self) -> Result<PathBuf, Problem> {
        let text = self.text()?;
        if !text.starts_with('/') || text.contains('\0') {
            return Err(Problem::NotAbsolute { found: text });
        }
        Ok(text.into())
    }

    /// C's strtol(3): what isn't a number is 0, and 0 is false. So `yes` is false.
    pub(super) fn flag(self) -> bool {
        let unsigned = self.0.strip_prefix(['+', '-']).unwrap_or(self.0);
        let digits = unsigned.chars().take_while(char::is_ascii_digit);
        digits.filter(|digit| *digit != '0').count() > 0
    }

    pub(super) fn number(self) -> Result<u32, Problem> {
        let found = self.text()?;
        found.parse().map_err(|_| Problem::NotANumber { found })
    }

    /// One that a user may listen on.
    pub(super) fn port(self) -> Result<u16, Problem> {
        let found = self.text()?;
        let port = found.parse().ok().filter(|port: &u16| *port >= 1024);
        port.ok_or(Problem::NotOneOf {
            wanted: "a port from 1024 to 65535",
            found,
        })
    }

    /// Of this node: `%n` is its name.
    pub(super) fn address(self) -> Result<String, Problem> {
        let found = self.text()?;
        let rest = found.replace("%n", "");
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte);
        if rest.bytes().all(is_part) {
            return Ok(found);
        }
        Err(Problem::NotOneOf {
            wanted: "an address or a name of the node's, in which %n is the node's name",
            found,
        })
    }

    pub(super) fn bytes(self) -> Result<u64, Problem> {
        let found = self.text()?;
        parse_bytes(&found).ok_or(Problem::NotASize { found })
    }

    /// Separated by blanks.
    pub(super) fn words(self) -> Vec<String> {
        self.0.split_ascii_whitespace().map(str::to_owned).collect()
    }

    /// Separated by commas.
    pub(super) fn names(self) -> Vec<String> {
        let names = self.0.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    /// Separated by blanks, each `NAME=VALUE`.
    pub(super) fn assignments(self) -> Result<Vec<(String, String)>, Problem> {
        let assignment = |word: &str| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Problem::NotAnAssignment {
                found: word.to_owned(),
            }),
        };
        self.0.split_ascii_whitespace().map(assignment).collect()
    }

    /// Assignments whose values are added to what is there.
    pub(super) fn additions(self) -> Result<Vec<(String, String)>, Problem> {
        let all = self.assignments()?;
        match all.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(Problem::NothingToAdd { name: name.clone() }),
            None => Ok(all),
        }
    }

    /// Names of variables: what is behind an `=` is not looked at.
    pub(super) fn variables(self) -> Vec<String> {
        let words = self.0.split_ascii_whitespace();
        let names = words.map(|word| word.split('=').next().unwrap_or_default());
        names.map(str::to_owned).collect()
    }

    pub(super) fn volumes(self) -> Result<Vec<VolumeMap>, Problem> {
        Ok(VolumeMap::parse(self.0, Asker::Site)?)
    }
}
