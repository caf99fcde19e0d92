//! Names of users and groups, asked of getent(1): it sees what the site's name service has, which a static program can't
//! load.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

/// The numbers in a list of names and numbers of `passwd` or `group`.
pub fn numbers(database: &'static str, list: &str) -> Result<Vec<u32>> {
    let words = list.split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| number(database, word)).collect()
}

fn number(database: &'static str, word: &str) -> Result<u32> {
    let number = match word.parse() {
        Ok(number) => Some(number),
        Err(_) => entry(database, word).and_then(|fields| fields.get(2)?.parse().ok()),
    };
    match number {
        Some(number) if number > 0 && number != u32::MAX => Ok(number),
        Some(_) => bail!("{word:?}: root needn't be named"),
        None if database == "passwd" => bail!("there is no user {word:?}"),
        None => bail!("there is no group {word:?}"),
    }
}

/// The home directory of a user.
pub fn home(uid: u32) -> Option<PathBuf> {
    let fields = entry("passwd", &uid.to_string())?;
    let home = fields.get(5).filter(|home| !home.is_empty())?;
    Some(home.into())
}

fn entry(database: &str, key: &str) -> Option<Vec<String>> {
    let output = Command::new("getent").args([database, "--", key]).output();
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?;
    Some(line.split(':').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_of_names_and_numbers() {
        assert_eq!(numbers("passwd", "1,2, 3,4,").unwrap(), [1, 2, 3, 4]);
        assert_eq!(numbers("passwd", "daemon").unwrap(), [1]);
        assert_eq!(numbers("group", "daemon,7").unwrap(), [1, 7]);
        for wrong in ["nobody-of-this-name", "root", "0", "-1", "4294967295"] {
            assert!(numbers("passwd", wrong).is_err(), "{wrong}");
        }
    }
}
