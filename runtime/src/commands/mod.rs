//! One file a subcommand.

pub mod bundle;
pub mod check;
pub mod create;
pub mod delete;
pub mod explain;
pub mod kill;
pub mod run;
pub mod start;
pub mod state;

use std::process::ExitCode;

use runtime::container::{Error, Store, make_descriptors_sane};
use runtime::telling::OURS;

use crate::cli::{Cli, Command, Global};

impl Global {
    /// The store that `--root` names, or the default one.
    pub fn store(&self) -> Store {
        Store::at(self.root.clone())
    }
}

impl Command {
    /// How many descriptors from 3 on the caller wants the container to have.
    fn preserved_descriptors(&self) -> u16 {
        match self {
            Self::Create(arguments) => arguments.preserve_fds,
            Self::Run(arguments) => arguments.preserve_fds,
            _ => 0,
        }
    }
}

/// Runs the command and tells its error, if any.
pub fn dispatch(cli: Cli) -> ExitCode {
    let Cli { global, command } = cli;
    let outcome = make_descriptors_sane(command.preserved_descriptors())
        .map_err(anyhow::Error::from)
        .and_then(|()| match command {
            Command::Create(arguments) => create::execute(&global, arguments),
            Command::Start(arguments) => start::execute(&global, &arguments),
            Command::State(arguments) => state::execute(&global, &arguments),
            Command::Kill(arguments) => kill::execute(&global, &arguments),
            Command::Delete(arguments) => delete::execute(&global, &arguments),
            Command::Run(arguments) => run::execute(&global, arguments),
            Command::Bundle(arguments) => bundle::execute(&arguments),
            Command::Check(arguments) => check::execute(&arguments),
            Command::Explain(arguments) => explain::execute(&arguments),
        });
    outcome.unwrap_or_else(|error| {
        global.report(&error);
        let code = error.downcast_ref::<Error>().map_or(OURS, Error::exit_code);
        ExitCode::from(code)
    })
}
