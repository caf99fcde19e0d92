//! What can be wrong with an executable, told apart: the kernel says "no such file" for most of it.
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why an executable's dependencies can't be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ElfError {
    /// A static program has no loader, and can't open a library.
    #[error("{} is a static program, which can't load {}", show(.path), show(.library))]
    StaticProgram {
        /// The program.
        path: PathBuf,
        /// What it is said to load.
        library: PathBuf,
    },
    /// Where a relative path would lead depends on the working directory of a process that doesn't exist yet.
    #[error("{} is not an absolute path", show(.path))]
    NotAbsolute {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot read {}", show(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A FIFO, a device, a socket or a directory stands where a file should be.
    #[error("{} is not a regular file", show(.path))]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// The kernel would not run it.
    #[error("{} is not an executable: {why}", show(.path))]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// A needed library is nowhere.
    #[error("{} needs the library {}, which is in none of: {}", show(.needed_by), show(.name), list(.searched))]
    MissingLibrary {
        /// The library's name as in `DT_NEEDED`.
        name: String,
        /// The file that needs it.
        needed_by: PathBuf,
        /// Where it was looked for, in order.
        searched: Vec<PathBuf>,
    },
    /// A needed library is named by a path that starts at the working directory.
    #[error("{} needs the library {}, a path that depends on the working directory", show(.needed_by), show(.name))]
    RelativeLibrary {
        /// The library's name as in `DT_NEEDED`.
        name: String,
        /// The file that needs it.
        needed_by: PathBuf,
    },
    /// The dynamic loader that a program names is absent: the kernel would say that the program is.
    #[error("{} needs the dynamic loader {}, which cannot be opened", show(.needed_by), show(.path))]
    MissingLoader {
        /// The loader as in `PT_INTERP`.
        path: PathBuf,
        /// The program that names it.
        needed_by: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program for another machine, or a library for another machine than its program's.
    #[error("{} is built for {found}, but {wanted_by} needs {expected}", show(.path))]
    WrongArchitecture {
        /// The file.
        path: PathBuf,
        /// What it was built for.
        found: String,
        /// What is needed.
        expected: String,
        /// Who needs it: "this host", or a program's path.
        wanted_by: String,
    },
    /// An ELF file that contradicts itself or is cut short.
    #[error("{} is malformed: {what}", show(.path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: &'static str,
    },
    /// More than anyone needs: too many, too deep, or too big.
    #[error("{}: {what}: more than {limit}", show(.path))]
    Limit {
        /// The file at which the limit was reached.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A `#!` line that can't be followed.
    #[error("script {}: {why}", show(.path))]
    Script {
        /// The script.
        path: PathBuf,
        /// What is wrong with its first line.
        why: String,
    },
    /// The program in a `#!` line is absent: the kernel would say that the script is.
    #[error("script {} needs the interpreter {}, which cannot be opened", show(.script), show(.path))]
    MissingInterpreter {
        /// The interpreter as in the `#!` line.
        path: PathBuf,
        /// The script.
        script: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// `env` would not find the program that a script names.
    #[error("script {} needs the program {}, which is in none of: {}", show(.script), show(.program), list(.searched))]
    MissingProgram {
        /// The program's name.
        program: String,
        /// The script.
        script: PathBuf,
        /// Where it was looked for, in order.
        searched: Vec<PathBuf>,
    },
}

/// A path or name as text that can't move a terminal's cursor: it comes from files we don't trust.
pub(super) fn show(name: impl AsRef<OsStr>) -> String {
    let text = name.as_ref().to_string_lossy();
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn list(paths: &[PathBuf]) -> String {
    /// A search path can have hundreds of directories, and an error is one line.
    const SHOWN: usize = 20;
    if paths.is_empty() {
        return "(no directory to look in)".to_owned();
    }
    let shown: Vec<String> = paths.iter().take(SHOWN).map(show).collect();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Shorthand for the most frequent error.
pub(super) fn malformed(path: &Path, what: &'static str) -> ElfError {
    ElfError::Malformed {
        path: path.to_owned(),
        what,
    }
}
