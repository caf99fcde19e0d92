//! Passwords for registries: `~/.udiRoot/.cred`, a line `SYSTEM:LOCATION=CREDENTIAL` each.
//!
//! As Shifter has it, a password lies there in a munge credential: without the site's munged nobody can read it; in those
//! that are made here, nobody but the user can even with it. Where there is no munge, it lies there in hexadecimal behind
//! `plain:`, and the file's mode is all that keeps it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use munge::Munge;
use nix::unistd::geteuid;

use crate::files::{own_directory, read_secret, write_secret};
use crate::proof::Prover;

const FILE_NAME: &str = ".cred";
const PLAIN: &str = "plain:";

/// Those of a system, `USER:PASSWORD` by location. One that can't be read is told of and left out.
pub fn all(system: &str, prover: &Prover) -> Result<BTreeMap<String, String>> {
    let path = own_directory()?.join(FILE_NAME);
    let text = read_secret(&path)?.unwrap_or_default();
    let mut all = BTreeMap::new();
    for (location, kept) in lines(&text, system) {
        match reveal(kept, prover) {
            Ok(pair) => {
                all.insert(location.to_owned(), pair);
            }
            Err(error) => eprintln!("shifterimg: password for {location} passed over: {error:#}"),
        }
    }
    Ok(all)
}

/// Keeps one.
pub fn keep(system: &str, location: &str, pair: &str, prover: &Prover) -> Result<()> {
    let path = own_directory()?.join(FILE_NAME);
    let text = read_secret(&path)?.unwrap_or_default();
    let begin = format!("{system}:{location}=");
    let others = text.lines().filter(|line| !line.starts_with(&begin));
    let mut new: Vec<String> = others.map(str::to_owned).collect();
    new.push(format!("{begin}{}", hide(pair, prover)?));
    write_secret(&path, &(new.join("\n") + "\n"))
}

fn lines<'a>(text: &'a str, system: &str) -> Vec<(&'a str, &'a str)> {
    let of_system = |line: &'a str| {
        let (name, kept) = line.split_once('=')?;
        let (own, location) = name.split_once(':')?;
        (own == system).then_some((location, kept))
    };
    text.lines().filter_map(of_system).collect()
}

fn hide(pair: &str, prover: &Prover) -> Result<String> {
    match prover {
        Prover::Munge(munge) => {
            let options = munge::Options {
                lifetime: None,
                only_for: Some(geteuid().as_raw()),
            };
            munge
                .encode(pair.as_bytes(), options)
                .context("hide the password")
        }
        Prover::Token(_) => Ok(format!("{PLAIN}{}", hex(pair))),
    }
}

fn reveal(kept: &str, prover: &Prover) -> Result<String> {
    let bytes = match kept.strip_prefix(PLAIN) {
        Some(digits) => unhex(digits).context("it isn't hexadecimal")?,
        None => match prover {
            Prover::Munge(munge) => munge.read_kept(kept)?,
            Prover::Token(_) => Munge::at(munge::USUAL_SOCKET).read_kept(kept)?,
        },
    };
    let text = String::from_utf8(bytes).context("it isn't text")?;
    // Shifter's client keeps the byte that ends a C string.
    Ok(text.trim_end_matches('\0').to_owned())
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systems_lines_are_its_own() {
        let text = "a:default=plain:75\nb:default=x\na:reg.io:5000=y=z\nnothing\n";
        assert_eq!(
            lines(text, "a"),
            [("default", "plain:75"), ("reg.io:5000", "y=z")]
        );
        let prover = Prover::Token(String::new());
        let kept = hide("ann:pass wörd", &prover).unwrap();
        assert_eq!(reveal(&kept, &prover).unwrap(), "ann:pass wörd");
        assert!(reveal("plain:7", &prover).is_ok_and(|text| text == "\u{7}"));
        assert!(reveal("plain:xx", &prover).is_err());
    }
}
