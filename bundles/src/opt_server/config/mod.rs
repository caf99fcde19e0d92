//! An Opt-Server's `config.json`: read strictly, with a line number for everything that is wrong.
//!
//! The format is PIFOP's. Where its documentation is silent (the shape of `environment-variables`,
//! relative paths) the choices are ours and lean to the strict side. PIFOP has more keys than are
//! documented, so an unknown key is a [`Warning`]; but one that looks like a misspelt known key is an
//! error, because a misspelt `mount-dependencies` would fall back to the wider default in silence.

mod error;
mod extensions;
mod file;
mod json;
mod judge;
pub mod keys;
mod limits;
mod lines;
mod parse;
mod read_extensions;
mod reference;
mod schema;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, Problem, Whose};
pub use extensions::{
    AtOutputLimit, Extensions, IdRange, Network, ServerExtensions, UserGroup, Writable,
};
pub use file::MAX_SIZE;
pub use limits::{DEFAULT_GRACE, LIMITS, Limit, LimitError, Limits};
pub use lines::{Lines, escaped};
pub use reference::reference;
pub use schema::schema;
pub use values::bad_name;

use file::Word;

/// The name of the configuration.
pub const FILE_NAME: &str = "config.json";

/// An Opt-Server's `config.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it was read from, for messages.
    pub path: PathBuf,
    /// `server-name`.
    pub server_name: Option<String>,
    /// `commands`, in the file's order; no two have the same name.
    pub commands: Vec<Command>,
    /// `x-opt-runtime` at the top: what only the server has. What holds for commands is in each of them.
    pub extensions: ServerExtensions,
    /// What was ignored, in the file's order.
    pub warnings: Vec<Warning>,
    /// Where everything stands.
    pub lines: Lines,
    /// On whose word it was taken, for [`Self::reload`].
    word: Word,
}

/// One entry of `commands`: a word that users type, and what it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// `name`: not empty; no slash, white space or control character.
    pub name: String,
    /// `executable`: absolute, without `..`. Whether it exists is for the bundle's builder to find out.
    pub executable: PathBuf,
    /// `mount-readable`: absolute, without `..`.
    pub mount_readable: Vec<PathBuf>,
    /// `mount-dependencies`.
    pub mount_dependencies: MountDependencies,
    /// `environment-variables`, in the file's order; no name comes twice.
    pub environment_variables: Vec<(String, String)>,
    /// `append-options`: the last arguments of every command line, whatever the user typed.
    pub append_options: Vec<String>,
    /// `x-opt-runtime`, its own and the file's.
    pub extensions: Extensions,
    /// The line of `config.json`, from 1, on which this entry begins.
    pub line: usize,
}

/// How a command's shared libraries come into its sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MountDependencies {
    /// The directory of each library, with everything else in it.
    #[default]
    Directories,
    /// The library files alone.
    Files,
}

impl MountDependencies {
    /// As `config.json` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directories => "DIRECTORIES",
            Self::Files => "FILES",
        }
    }
}

impl fmt::Display for MountDependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {whose}{}", .path.display(), error::WithoutEffect(.key, *.why))]
pub struct Warning {
    /// The `config.json`.
    pub path: PathBuf,
    /// The line, from 1, on which the key stands.
    pub line: usize,
    /// What the key belongs to.
    pub whose: Whose,
    /// The key.
    pub key: String,
    /// Why it has none.
    pub why: Idle,
}

/// Why a key has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// We do not know it.
    Unknown,
    /// It is one of `x-opt-runtime`, and stands elsewhere.
    Outside,
}

impl Config {
    /// Reads and checks a `config.json` that the caller named: a regular file of no more than [`MAX_SIZE`]
    /// bytes that not everyone may write.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::read(path, Word::Named)
    }

    /// Likewise one that nobody named, such as [`Self::locate`] finds: it and its directory must be root's
    /// or those of `caller` (an effective uid), and nobody else may write them.
    pub fn load_unnamed(path: &Path, caller: u32) -> Result<Self, ConfigError> {
        Self::read(path, Word::Nobody { caller })
    }

    /// Reads the same file again, as it was read: what is new, or what is wrong with it and where. This one
    /// is not touched.
    pub fn reload(&self) -> Result<Self, ConfigError> {
        Self::read(&self.path, self.word)
    }

    fn read(path: &Path, word: Word) -> Result<Self, ConfigError> {
        let mut config = Self::parse(&file::read(path, word)?, path)?;
        config.word = word;
        Ok(config)
    }

    /// The same, unless something in it was ignored.
    pub fn strict(mut self) -> Result<Self, ConfigError> {
        if self.warnings.is_empty() {
            return Ok(self);
        }
        let first = Box::new(self.warnings.remove(0));
        let more = self.warnings.len();
        Err(ConfigError::Strict { first, more })
    }

    /// The group that `user` is in.
    pub fn user_group(&self, user: &str) -> Option<&UserGroup> {
        let is_member = |group: &&UserGroup| group.users.iter().any(|one| one == user);
        self.extensions.user_groups.iter().find(is_member)
    }

    /// The group of this name, or an error that lists the names there are.
    pub fn named_user_group(&self, name: &str) -> Result<&UserGroup, ConfigError> {
        let groups = &self.extensions.user_groups;
        groups
            .iter()
            .find(|group| group.name == name)
            .ok_or_else(|| ConfigError::UnknownUserGroup {
                path: self.path.clone(),
                name: name.to_owned(),
                nearest: crate::spelling::nearest(name, groups.iter().map(|group| &*group.name))
                    .map(str::to_owned),
                known: groups.iter().map(|group| group.name.clone()).collect(),
            })
    }

    /// Where a configuration that nobody names is looked for: [`FILE_NAME`] here, else beside
    /// `executable`, as PIFOP's Opt-Server has it.
    pub fn locate(executable: &Path) -> PathBuf {
        let here = PathBuf::from(FILE_NAME);
        if here.exists() {
            return here;
        }
        executable.with_file_name(FILE_NAME)
    }

    /// Checks the text of a `config.json`; `path` is for messages only.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, ConfigError> {
        parse::config(text, path)
    }

    /// The command of this name, or an error that lists the names there are.
    pub fn command(&self, name: &str) -> Result<&Command, ConfigError> {
        self.commands
            .iter()
            .find(|command| command.name == name)
            .ok_or_else(|| ConfigError::UnknownCommand {
                path: self.path.clone(),
                name: name.to_owned(),
                nearest: crate::spelling::nearest(
                    name,
                    self.commands.iter().map(|command| &*command.name),
                )
                .map(str::to_owned),
                known: self
                    .commands
                    .iter()
                    .map(|command| command.name.clone())
                    .collect(),
            })
    }
}
