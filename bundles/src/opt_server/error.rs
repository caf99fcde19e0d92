//! Why a command line can't become a bundle.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::bundle::HostPathError;
use crate::elf::ElfError;

/// Why a command line can't become a bundle. One line, naming the command and the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// What the executable needs can't be found out.
    #[error("{command}: \"executable\": {source}")]
    Executable {
        /// Where the command is defined: file, line and name.
        command: String,
        /// The cause.
        source: ElfError,
    },
    /// What is declared as found at run time can't be resolved.
    #[error("{command}: \"dlopen\": {source}")]
    Dlopen {
        /// Where the command is defined: file, line and name.
        command: String,
        /// The cause.
        source: ElfError,
    },
    /// A path that has to be mounted can't be followed.
    #[error("{command}: \"{key}\": {source}")]
    Path {
        /// Where the command is defined: file, line and name.
        command: String,
        /// The key that asks for it.
        key: &'static str,
        /// The cause.
        source: HostPathError,
    },
    /// A path that can't be mounted without giving up the sandbox's own directories.
    #[error("{command}: \"{key}\": {} can't be mounted: {reason}", Told(.path))]
    Reserved {
        /// Where the command is defined: file, line and name.
        command: String,
        /// The key that asks for it.
        key: &'static str,
        /// The path on the host.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// What can't be writable.
    #[error("{command}: \"mount-writable\": {} can't be writable: {reason}", Told(.path))]
    NotWritable {
        /// Where the command is defined: file, line and name.
        command: String,
        /// The path on the host.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A device that a sandbox can't have.
    #[error("{command}: \"devices\": {} can't be in a sandbox: {reason}", Told(.path))]
    Device {
        /// Where the command is defined: file, line and name.
        command: String,
        /// The device.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An argument that can't be passed.
    #[error("{command}: argument {position}: {reason}")]
    Argument {
        /// Where the command is defined: file, line and name.
        command: String,
        /// Which argument, from 1.
        position: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The project isn't a directory.
    #[error("project {}: {reason}", Told(.path))]
    Project {
        /// The directory named.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A path as it is, or quoted and escaped where it can't be read otherwise.
struct Told<'a>(&'a Path);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Some(text) if !text.contains(char::is_control) => f.write_str(text),
            _ => write!(f, "{:?}", self.0),
        }
    }
}
