//! What is asked for: one command line.

use std::path::PathBuf;

use super::config::{Command, Config, Limits};
use super::{Identity, SandboxError};

/// One command line of a user's.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The configuration that the command is from.
    pub config: &'a Config,
    /// The command.
    pub command: &'a Command,
    /// What the user typed after the command's name.
    pub arguments: &'a [String],
    /// The project directory on the host.
    pub project: PathBuf,
    /// Who the command is.
    pub identity: Identity,
    /// Limits that the caller brings, such as those of a server's key.
    pub limits: Limits,
}

impl Request<'_> {
    /// The limits that hold: of the configuration's and the caller's, the smaller ones.
    pub fn limits(&self) -> Limits {
        self.command.extensions.limits.narrowed(&self.limits)
    }

    /// Where the command is defined, for messages.
    pub(super) fn origin(&self) -> String {
        format!(
            "{}:{}: command \"{}\"",
            self.config.path.display(),
            self.command.line,
            self.command.name
        )
    }

    /// The command's argument list: its executable, the user's arguments, and last the options that the
    /// host appends, which the user must not be able to follow with anything.
    ///
    /// # Errors
    /// An argument with a NUL. An empty one where options are appended: GAMS, for one, takes an empty
    /// argument as the end of its command line and would not see them.
    pub(super) fn command_line(&self) -> Result<Vec<String>, SandboxError> {
        let appended = &self.command.append_options;
        for (index, argument) in self.arguments.iter().enumerate() {
            let refuse = |reason| SandboxError::Argument {
                command: self.origin(),
                position: index + 1,
                reason,
            };
            if argument.contains('\0') {
                return Err(refuse("must not hold a NUL"));
            }
            if argument.trim().is_empty() && !appended.is_empty() {
                return Err(refuse(
                    "must not be empty, for it could hide the options that the host appends",
                ));
            }
        }
        let executable = self.command.executable.display().to_string();
        Ok(std::iter::once(executable)
            .chain(self.arguments.iter().cloned())
            .chain(appended.iter().cloned())
            .collect())
    }
}
