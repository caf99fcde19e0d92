//! What a command's sandbox will expose, and why: for the server's terminal and for the page.

use std::io;

use bundles::elf::Resolver;
use bundles::opt_server::config::{Command, Limits};
use bundles::opt_server::{Identity, Request, Sandbox};
use bundles::promise::{Explanation, Kind, explain};
use nix::unistd::{getegid, geteuid};
use runtime::telling;

use super::execution::{Execution, Place};
use super::live::Configuration;

/// Prints the `Mount: '…'` lines of an execution's sandbox on standard error, as PIFOP's `--sandbox-info` does
/// when a command is called.
pub fn tell(live: &Configuration, execution: &Execution, place: &Place) {
    let (name, arguments) = execution.work.command_line();
    let told = live
        .config
        .command(name)
        .map_err(io::Error::other)
        .and_then(|command| {
            plan(live, command, arguments, &place.project(), |sandbox| {
                sandbox.info()
            })
        });
    let text = match told {
        Ok(info) => format!("execution {}: command {name}\n{info}", execution.id),
        Err(error) => format!("execution {}: command {name}: {error}\n", execution.id),
    };
    telling::say(&text);
}

/// The sandbox of a command without arguments in `project`, explained.
///
/// # Errors
/// Where the command can't be planned.
pub fn explained(
    live: &Configuration,
    command: &Command,
    project: &std::path::Path,
) -> io::Result<Explanation> {
    plan(live, command, &[], project, |sandbox| {
        explain(&sandbox.spec(), Some(Kind::OptServer), vec![])
    })
}

fn plan<T>(
    live: &Configuration,
    command: &Command,
    arguments: &[String],
    project: &std::path::Path,
    look: impl FnOnce(&Sandbox<'_>) -> T,
) -> io::Result<T> {
    let caller = (geteuid().as_raw(), getegid().as_raw());
    let request = Request {
        config: &live.config,
        command,
        arguments,
        project: project.to_owned(),
        identity: Identity::to_show(caller, project, live.config.extensions.identity)?,
        limits: Limits::default(),
    };
    let resolver = Resolver::host().map_err(io::Error::other)?;
    let sandbox = Sandbox::plan(request, &resolver)
        .map_err(|error| io::Error::other(telling::line(&error)))?;
    Ok(look(&sandbox))
}
