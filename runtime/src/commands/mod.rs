//! One file a subcommand.

pub mod bundle;
pub mod check;
pub mod checkpoint;
pub mod create;
mod creating;
pub mod delete;
pub mod doctor;
pub mod events;
pub mod exec;
pub mod explain;
pub mod features;
pub mod kill;
pub mod list;
pub mod pause;
pub mod ps;
pub mod restore;
pub mod resume;
pub mod run;
pub mod seal;
pub mod spec;
pub mod start;
pub mod state;
pub mod update;

use std::process::ExitCode;

use anyhow::Result;
use runtime::container::{Error, activated_sockets, early_guardian};
use runtime::first_steps;
use runtime::telling::{self, Log, OURS};

use crate::cli::{Cli, Command};
use crate::global::Global;

impl Command {
    /// How many descriptors from 3 on the caller wants the container to have.
    fn preserved_descriptors(&self) -> u16 {
        match self {
            Self::Create(arguments) => {
                activated_sockets().saturating_add(arguments.creating.preserve_fds)
            }
            Self::Run(arguments) => {
                activated_sockets().saturating_add(arguments.creating.preserve_fds)
            }
            Self::Exec(arguments) => arguments.preserve_fds,
            _ => 0,
        }
    }

    /// Whether it fails with 1, as with runc and crun: the commands that only other programs call. Where a
    /// code of the user's command may come out, ours must differ from it.
    fn fails_with_one(&self) -> bool {
        matches!(
            self,
            Self::Start(_)
                | Self::State(_)
                | Self::Kill(_)
                | Self::Pause(_)
                | Self::Resume(_)
                | Self::Ps(_)
                | Self::Events(_)
                | Self::Update(_)
                | Self::Delete(_)
                | Self::List(_)
                | Self::Spec(_)
                | Self::Features
                | Self::Checkpoint(_)
        )
    }

    fn execute(self, global: &Global) -> Result<ExitCode> {
        match self {
            Self::Create(arguments) => create::execute(global, arguments),
            Self::Start(arguments) => start::execute(global, &arguments),
            Self::State(arguments) => state::execute(global, &arguments),
            Self::Kill(arguments) => kill::execute(global, &arguments),
            Self::Pause(arguments) => pause::execute(global, &arguments),
            Self::Resume(arguments) => resume::execute(global, &arguments),
            Self::Update(arguments) => update::execute(global, &arguments),
            Self::Events(arguments) => events::execute(global, &arguments),
            Self::Ps(arguments) => ps::execute(global, &arguments),
            Self::Delete(arguments) => delete::execute(global, &arguments),
            Self::Run(arguments) => run::execute(global, arguments),
            Self::Exec(arguments) => exec::execute(global, arguments),
            Self::List(arguments) => list::execute(global, &arguments),
            Self::Features => features::execute(),
            Self::Checkpoint(arguments) => checkpoint::execute(global, &arguments),
            Self::Restore(arguments) => restore::execute(global, &arguments),
            Self::Spec(arguments) => spec::execute(&arguments),
            Self::Bundle(arguments) => bundle::execute(&arguments),
            Self::Doctor(arguments) => doctor::execute(global, &arguments),
            Self::Seal(arguments) => seal::execute(&arguments),
            Self::Check(arguments) => check::execute(&arguments),
            Self::Explain(arguments) => explain::execute(&arguments),
        }
    }
}

/// Runs the command and tells its error, if any.
pub fn dispatch(cli: Cli) -> ExitCode {
    let Cli { before, command } = cli;
    let global = before.global;
    let fails_with_one = command.fails_with_one();
    if !matches!(command, Command::Run(_)) {
        early_guardian::let_go();
    }
    let (log, outcome) = match prepare(&global, &command) {
        Ok(log) => (log, command.execute(&global)),
        Err(error) => (Log::default(), Err(error)),
    };
    outcome.unwrap_or_else(|error| {
        telling::fail("opt-runtime", &log, &telling::line(error.as_ref()));
        let code = match error.downcast_ref::<Error>() {
            _ if fails_with_one => 1,
            Some(error) => error.exit_code(),
            None => OURS,
        };
        ExitCode::from(code)
    })
}

/// What comes before every command.
fn prepare(global: &Global, command: &Command) -> Result<Log> {
    first_steps::take(command.preserved_descriptors())?;
    global.log()
}
