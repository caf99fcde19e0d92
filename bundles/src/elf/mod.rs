//! What an executable needs to start, found by parsing and never by running it.
//!
//! `ldd` asks the dynamic loader, which may run what it is asked about. This module reads instead: the
//! program's `PT_INTERP`, the closure of its `DT_NEEDED`, the first line of a script; and it looks for
//! libraries where glibc's loader (or musl's) would look, in the same order. Every file comes with the
//! reason why it is there.
//!
//! ```no_run
//! use bundles::elf::Resolver;
//! let resolution = Resolver::host()?.resolve("/usr/bin/glpsol".as_ref())?;
//! for file in &resolution.files {
//!     println!("{}: {}", file.path.display(), file.reason);
//! }
//! # Ok::<(), bundles::elf::ElfError>(())
//! ```
//!
//! # What is taken as hostile
//! The executable and everything it names. Offsets, counts and strings are checked against [`Limits`]; only
//! headers and the dynamic section are read, at known positions; only regular files are opened, so a FIFO
//! or a device under a library's name is an error and no trap. The host's own files (`/etc/ld.so.cache`)
//! are trusted to be honest, not to be well-formed.
//!
//! # What is left out
//! - The caller's environment (`LD_LIBRARY_PATH`, `LD_PRELOAD`) and `/etc/ld.so.preload`: the command runs
//!   without them.
//! - What a program opens by itself: `dlopen`, NSS, gconv, plug-ins, a language's standard library. No
//!   parser can know these; they are named in the configuration, and [`Resolver::resolve_with`] finds what
//!   they need in their turn.
//! - The loader's checks of symbol versions and of the instruction set level.
//! - `DT_AUDIT`, relative search directories (they depend on where the command will be started), and the
//!   `tls`, `haswell` and similar subdirectories that glibc 2.37 gave up. Where one of these would have
//!   been a faster copy of a library, the plain copy is found, and it is the only one the command will see.

mod arch;
mod closure;
mod collector;
mod error;
mod file;
mod image;
mod ldcache;
mod musl;
mod opened;
mod resolver;
mod script;
mod search;
mod tokens;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use error::ElfError;
pub use resolver::{Limits, Resolver};

/// Everything that must be visible for an executable to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The files, in the order in which they would be loaded; the first is the executable itself. No path
    /// appears twice, but two paths may name one file: a loader opens both spellings.
    pub files: Vec<Dependency>,
    /// The loader's own configuration (`/etc/ld.so.cache`), if some library is found through it alone.
    pub loader_config: Option<PathBuf>,
    /// What of the opened ones couldn't be resolved, for a person.
    pub notes: Vec<String>,
}

/// One file, and why it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The path as the loader or the kernel would open it: symbolic links are not resolved.
    pub path: PathBuf,
    /// The same file with every symbolic link resolved.
    pub canonical: PathBuf,
    /// What the file is for.
    pub role: Role,
    /// Why it is needed, for a person: "needed by /usr/bin/glpsol (found in ld.so.cache)".
    pub reason: String,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The command itself: a program or a script.
    Executable,
    /// A dynamic loader, named by a program's `PT_INTERP`.
    Interpreter,
    /// A shared library.
    Library,
    /// A program that reads a script, named by `#!` or by `env`.
    ScriptInterpreter,
}
