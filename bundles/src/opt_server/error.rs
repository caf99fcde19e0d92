//! Why a command line can't become a bundle.

use std::path::PathBuf;

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
    #[error("{command}: \"{key}\": {} can't be mounted: {reason}", path.display())]
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
    #[error("project {}: {reason}", path.display())]
    Project {
        /// The directory named.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
