//! What can be wrong with a `config.json`, each in one line that says where, what, and what would be right.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::{Idle, MAX_SIZE, Warning};

/// Why a `config.json`, or the command asked of it, is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The `config.json`.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is something else of that name.
    #[error("cannot read {}: it is a {kind}, not a regular file", .path.display())]
    NotAFile {
        /// The `config.json`.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// It lay where a configuration is looked for, and someone else could have put it there.
    #[error("{what}{} {problem}; hint: name it with --config if you trust it", .path.display())]
    Untrusted {
        /// The `config.json`.
        path: PathBuf,
        /// What of it, before its path.
        what: &'static str,
        /// Why it isn't trusted.
        problem: String,
    },
    /// Whoever named it can't know what it says.
    #[error("{} may be written by everyone; hint: chmod o-w", .path.display())]
    Everyones {
        /// The `config.json`.
        path: PathBuf,
    },
    /// Nobody writes so much by hand.
    #[error("{}: {size} bytes, over the limit of {MAX_SIZE}", .path.display())]
    TooLarge {
        /// The `config.json`.
        path: PathBuf,
        /// Its size in bytes, as far as it was looked at.
        size: u64,
    },
    /// Not JSON.
    #[error("{}:{line}:{column}: not valid JSON: {reason}", .path.display())]
    Syntax {
        /// The `config.json`.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
        /// What the parser met.
        reason: String,
    },
    /// JSON, but not what a `config.json` may say.
    #[error("{}:{line}: {whose}{problem}", .path.display())]
    Invalid {
        /// The `config.json`.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What the fault is in.
        whose: Whose,
        /// The fault.
        problem: Box<Problem>,
    },
    /// Keys that only give a warning, where warnings are refused.
    #[error("{first}; --strict refuses it{}", More(*.more))]
    Strict {
        /// The first of them.
        first: Box<Warning>,
        /// How many more there are.
        more: usize,
    },
    /// Nothing of this name in `commands`.
    #[error("{}: no command {}; {}", .path.display(), Quoted(.name), Known("commands", .nearest.as_deref(), .known))]
    UnknownCommand {
        /// The `config.json`.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
        /// Every name there is, in the file's order.
        known: Vec<String>,
    },
    /// Nothing of this name in `user-groups`.
    #[error("{}: no user group {}; {}", .path.display(), Quoted(.name), Known("user groups", .nearest.as_deref(), .known))]
    UnknownUserGroup {
        /// The `config.json`.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
        /// Every name there is, in the file's order.
        known: Vec<String>,
    },
}

/// What a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The file's outermost object.
    File,
    /// A command that has a name.
    Command(String),
    /// A command whose name is not known, by its place in `commands`, from 1.
    Nth(usize),
    /// A user group.
    Group(String),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Command(name) => write!(f, "command {}: ", Quoted(name)),
            Self::Group(name) => write!(f, "user group {}: ", Quoted(name)),
            Self::Nth(number) => write!(f, "command number {number}: "),
        }
    }
}

/// One fault. Keys are as the file has them, except where a constant of ours is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Problem {
    #[error("the file must be an object, not {found}")]
    NotAnObject { found: String },
    #[error("a command must be an object, not {found}")]
    CommandNotAnObject { found: String },
    #[error("{key:?} must be {wanted}, not {found}")]
    WrongType {
        key: &'static str,
        wanted: &'static str,
        found: String,
    },
    #[error("{key:?} is missing")]
    Missing { key: &'static str },
    #[error("{key:?} is empty, and must be {wanted}")]
    Empty {
        key: &'static str,
        wanted: &'static str,
    },
    #[error("{} is already given on line {first}", Quoted(.key))]
    DuplicateKey { key: String, first: usize },
    #[error("the name is already taken by the command on line {first}")]
    DuplicateName { first: usize },
    #[error("unknown key {}; did you mean {meant:?}?", Quoted(.key))]
    Misspelt { key: String, meant: &'static str },
    #[error("{} belongs in a command, not at the top of the file", Quoted(.key))]
    Misplaced { key: String },
    #[error("unknown key {} in {object:?}; {}", Quoted(.key), Choices(*.meant, .known))]
    NotInObject {
        key: String,
        object: &'static str,
        meant: Option<&'static str>,
        known: Vec<&'static str>,
    },
    #[error("{key:?} must be {wanted}, not {found}")]
    OutOfRange {
        key: &'static str,
        wanted: String,
        found: String,
    },
    #[error("{key:?} must not contain a control character: {}", Quoted(.found))]
    ControlCharacter { key: &'static str, found: String },
    #[error("\"seccomp\" can't allow {}: {reason}", Quoted(.found))]
    SystemCall { found: String, reason: String },
    #[error("\"devices\" must be paths below /dev, not {}", Quoted(.found))]
    NotADevice { found: String },
    #[error(
        "\"identity\" has {count} ids from {first}, which goes beyond the last there is, 4294967294"
    )]
    TooManyIds { first: u32, count: u32 },
    #[error("user {} is already in the group {}", Quoted(.user), Quoted(.other))]
    TwoGroups { user: String, other: String },
    #[error("{key:?} must not contain {what}: {}", Quoted(.name))]
    BadName {
        key: &'static str,
        name: String,
        what: &'static str,
    },
    #[error("{key:?} must be an absolute path, not {}", Quoted(.found))]
    RelativePath { key: &'static str, found: String },
    #[error("{key:?} must not contain \"..\": {}", Quoted(.found))]
    ParentInPath { key: &'static str, found: String },
    #[error("{key:?} must not contain a NUL: {}", Quoted(.found))]
    Nul { key: &'static str, found: String },
    #[error("\"mount-dependencies\" must be \"DIRECTORIES\" or \"FILES\", not {}", Quoted(.found))]
    BadMountDependencies { found: String },
    #[error("\"environment-variables\" has an entry without \"=\": {}; it must be \"NAME=value\"", Quoted(.found))]
    NotAnAssignment { found: String },
    #[error("\"environment-variables\" has a variable without a name")]
    EmptyVariable,
    #[error("\"environment-variables\" has a name with \"=\" in it: {}", Quoted(.found))]
    EqualsInVariable { found: String },
    #[error("\"environment-variables\" already has {} on line {first}", Quoted(.name))]
    DuplicateVariable { name: String, first: usize },
    #[error("\"append-options\" has a quote or a backslash without its end: {}", Quoted(.found))]
    UnbalancedQuote { found: String },
    #[error("\"append-options\" has a word that begins with \"#\", which would be taken for a comment: {}; quote it, or give an array", Quoted(.found))]
    Comment { found: String },
}

/// Someone else's text in a line of ours: quoted, control characters escaped, and not without end.
pub(super) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 100;
        match self.0.char_indices().nth(MOST) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
        }
    }
}

/// What is said of a key without effect.
pub(super) struct WithoutEffect<'a>(pub &'a str, pub Idle);

impl fmt::Display for WithoutEffect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Quoted(self.0);
        match self.1 {
            Idle::Unknown => write!(f, "unknown key {key} is ignored"),
            Idle::Outside => write!(
                f,
                "unknown key {key} is ignored; hint: ours belongs in \"x-opt-runtime\""
            ),
        }
    }
}

struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// The second half of "unknown key" in an object of ours.
struct Choices<'a>(Option<&'a str>, &'a [&'a str]);

impl fmt::Display for Choices<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(meant) => write!(f, "did you mean {meant:?}?"),
            None => write!(f, "it may have {}", self.1.join(", ")),
        }
    }
}

/// The second half of "no command of this name".
struct Known<'a>(&'static str, Option<&'a str>, &'a [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 20;
        let Self(what, nearest, known) = *self;
        if let Some(nearest) = nearest {
            write!(f, "did you mean {}? ", Quoted(nearest))?;
        }
        if known.is_empty() {
            return write!(f, "it has no {what} at all");
        }
        f.write_str("it has ")?;
        for (place, name) in known.iter().take(MOST).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{}", Quoted(name))?;
        }
        match known.len() {
            0..=MOST => Ok(()),
            all => write!(f, " and {} more", all - MOST),
        }
    }
}
