//! `shifterimg login`: a password is kept, for the gateway to use it when it pulls for this user.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::gateway::Gateways;
use crate::registries;
use crate::site::{Options, Site};

pub fn execute(options: &Options, location: Option<&str>) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let location = location.unwrap_or("default");
    if location.contains(['=', '\n']) || location.is_empty() {
        bail!("{location:?} can't be the name of a location");
    }
    let user = ask(&format!("{location} username: "), true)?;
    let password = ask(&format!("{location} password: "), false)?;
    if user.is_empty() || user.contains(':') {
        bail!("{user:?} can't be a user's name");
    }
    let gateways = Gateways::of(&site, options)?;
    let pair = format!("{user}:{password}");
    registries::keep(&site.system, location, &pair, gateways.prover())?;
    Ok(ExitCode::SUCCESS)
}

/// A line of standard input, asked for where somebody is there to answer.
fn ask(question: &str, is_shown: bool) -> Result<String> {
    let stdin = std::io::stdin();
    let is_terminal = stdin.is_terminal();
    if is_terminal {
        eprint!("{question}");
        std::io::stderr().flush()?;
    }
    let _quiet = (is_terminal && !is_shown).then(Quiet::new).transpose()?;
    let mut line = String::new();
    let length = stdin.lock().read_line(&mut line)?;
    if length == 0 {
        bail!("standard input ended before the password");
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// A terminal that doesn't show what is typed, until this is dropped.
struct Quiet(rustix::termios::Termios);

impl Quiet {
    fn new() -> Result<Self> {
        let before = tcgetattr(std::io::stdin()).context("ask the terminal")?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet)
            .context("quiet the terminal")?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // There is nothing better to be done.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
        eprintln!();
    }
}
