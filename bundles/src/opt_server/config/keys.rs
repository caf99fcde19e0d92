//! Every key that `config.json` may have: its type, its default and its meaning, in one table.
//!
//! The parser judges keys by it, the published schema and the reference in the documentation are made from it.

use super::limits::{LIMITS, Limit};

/// A key of an object.
#[derive(Debug)]
pub struct Key {
    /// As the file has it.
    pub name: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// Whether it must be there.
    pub is_required: bool,
    /// What holds without it, for a person.
    pub default: &'static str,
    /// What it means, for a person: one sentence or two, without a full stop at the end.
    pub meaning: &'static str,
}

/// What a value may be.
#[derive(Debug)]
pub enum Shape {
    /// Any string.
    Text,
    /// A command's name, or a group's: no slash, white space or control character.
    Name,
    /// An absolute path without `..`.
    Path,
    /// A path below /dev.
    Device,
    /// A path, or the bare name of a library as the dynamic loader searches for it.
    Library,
    /// The name of a system call.
    SystemCall,
    /// `NAME=value`.
    Assignment,
    /// `true` or `false`.
    Truth,
    /// A whole number, from the first to the second.
    Number(u64, u64),
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// An array.
    List(&'static Shape),
    /// An object from names to values.
    Named(&'static Shape),
    /// An object from names of environment variables to strings.
    Variables,
    /// An object of PIFOP's, which may have more keys than we know.
    Open(&'static [Key]),
    /// An object of ours: with these keys and no other.
    Closed(&'static [Key]),
    /// The limits of [`LIMITS`].
    Limits,
    /// Any of these.
    Either(&'static [Shape]),
}

/// Under which our own extensions stand.
pub(super) const EXTENSIONS: &str = "x-opt-runtime";

const fn required(name: &'static str, shape: Shape, meaning: &'static str) -> Key {
    Key {
        name,
        shape,
        is_required: true,
        default: "refused",
        meaning,
    }
}

const fn optional(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        name,
        shape,
        is_required: false,
        default,
        meaning,
    }
}

/// The file's outermost object.
pub static TOP: [Key; 4] = [
    optional(
        "$schema",
        Shape::Text,
        "none",
        "the schema's address, for editors",
    ),
    optional("server-name", Shape::Text, "none", "a name for people"),
    optional(
        "commands",
        Shape::List(&Shape::Open(&COMMAND)),
        "no commands",
        "what users may call",
    ),
    optional(
        EXTENSIONS,
        Shape::Closed(&SERVER),
        "none",
        "extensions for the server, and for all of its commands",
    ),
];

/// A command.
pub static COMMAND: [Key; 7] = [
    required(
        "name",
        Shape::Name,
        "the word that users type; no name twice",
    ),
    required(
        "executable",
        Shape::Path,
        "the program, or a script with a `#!` line",
    ),
    optional(
        "mount-readable",
        Shape::List(&Shape::Path),
        "none",
        "files and directories that the command can read (and execute) besides",
    ),
    optional(
        "mount-dependencies",
        Shape::Choice(&["DIRECTORIES", "FILES"]),
        "`\"DIRECTORIES\"`",
        "how its shared libraries come in: the directories that they are in, or the files alone",
    ),
    optional(
        "environment-variables",
        Shape::Either(&[Shape::Variables, Shape::List(&Shape::Assignment)]),
        "none",
        "added to the environment, or replacing what is in it",
    ),
    optional(
        "append-options",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
        "none",
        "the last arguments of every command line, whatever the user typed",
    ),
    optional(
        EXTENSIONS,
        Shape::Closed(&EXTENSION),
        "none",
        "extensions for this command",
    ),
];

static WRITABLE_FORMS: [Shape; 2] = [Shape::Path, Shape::Closed(&WRITABLE)];
static WRITABLE_ENTRY: Shape = Shape::Either(&WRITABLE_FORMS);

/// The words of `network`, as the parser has them too.
pub(super) const NETWORKS: [&str; 2] = ["none", "host"];
/// The words of `output`.
pub(super) const OUTPUTS: [&str; 2] = ["end", "truncate"];
/// The least and the most of `pool`.
pub(super) const POOL: (u64, u64) = (0, 64);
/// Of `first-id`: not the host's own users, and 64 below the end.
pub(super) const FIRST_IDS: (u64, u64) = (65_536, 4_294_967_230);
/// Of `ids`.
pub(super) const ID_COUNTS: (u64, u64) = (64, 4_294_901_759);

const MOUNT_WRITABLE: Key = optional(
    "mount-writable",
    Shape::List(&WRITABLE_ENTRY),
    "none",
    "directories and files of the host's that the command can write; best none",
);
const NETWORK: Key = optional(
    "network",
    Shape::Choice(&NETWORKS),
    "`\"none\"`",
    "`host` gives the command the host's own network, its local services included",
);
const LIMITED: Key = optional(
    "limits",
    Shape::Limits,
    "none",
    "limits on each execution; where several hold, the smallest counts",
);
const SECCOMP: Key = optional(
    "seccomp",
    Shape::List(&Shape::SystemCall),
    "none",
    "system calls to allow besides; one that would break the promise is refused",
);
const DEVICES: Key = optional(
    "devices",
    Shape::List(&Shape::Device),
    "none",
    "device files, such as a GPU's, that the command can use; those that give the host away are refused",
);
const DLOPEN: Key = optional(
    "dlopen",
    Shape::List(&Shape::Library),
    "none",
    "plug-ins, libraries and helper programs that it finds at run time (or directories of them): mounted with all the libraries that they need",
);
const OUTPUT: Key = optional(
    "output",
    Shape::Choice(&OUTPUTS),
    "`\"end\"`",
    "when `max-output` is reached: end the command, or drop what it prints from there on",
);
const KEPT_READY: Key = optional(
    "pool",
    Shape::Number(POOL.0, POOL.1),
    "0",
    "sandboxes that the server keeps ready for it, made before anybody asks",
);

/// `x-opt-runtime` of a command.
pub static EXTENSION: [Key; 8] = [
    MOUNT_WRITABLE,
    NETWORK,
    LIMITED,
    SECCOMP,
    DEVICES,
    DLOPEN,
    OUTPUT,
    KEPT_READY,
];

/// `x-opt-runtime` at the top of the file: a command's, for all of them, and what only the server has.
pub static SERVER: [Key; 10] = [
    MOUNT_WRITABLE,
    NETWORK,
    LIMITED,
    SECCOMP,
    DEVICES,
    DLOPEN,
    OUTPUT,
    KEPT_READY,
    optional(
        "identity",
        Shape::Closed(&IDENTITY),
        "1879048192 and the 268435456 ids from there",
        "the range of the host's user and group ids from which every execution gets its own",
    ),
    optional(
        "user-groups",
        Shape::Named(&Shape::Closed(&GROUP)),
        "none",
        "groups of users, by name, with what PIFOP's user groups have",
    ),
];

/// An entry of `mount-writable` that says more than its path.
pub static WRITABLE: [Key; 2] = [
    required("path", Shape::Path, "the directory or file"),
    optional(
        "why",
        Shape::Text,
        "none",
        "the reason, for `--sandbox-info` and `explain`",
    ),
];

/// `identity`.
pub static IDENTITY: [Key; 2] = [
    required(
        "first-id",
        Shape::Number(FIRST_IDS.0, FIRST_IDS.1),
        "the first id: no user of the host's, nor a container, may have one in the range",
    ),
    required(
        "ids",
        Shape::Number(ID_COUNTS.0, ID_COUNTS.1),
        "how many; each execution at the same time needs 64",
    ),
];

/// A user group.
pub static GROUP: [Key; 4] = [
    optional(
        "users",
        Shape::List(&Shape::Name),
        "nobody",
        "its members, as the server's keys name them; nobody is in two",
    ),
    optional(
        "limits",
        Shape::Limits,
        "none",
        "limits on each member's executions; the configuration's others hold besides",
    ),
    optional(
        "monitoring-rights",
        Shape::Truth,
        "false",
        "whether its members' keys read the server's metrics",
    ),
    optional(
        "admin-rights",
        Shape::Truth,
        "false",
        "whether its members' keys see, stop and delete what others run",
    ),
];

/// The names of `keys`.
pub(super) fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|key| key.name)
}

/// The names of the limits.
pub(super) fn limit_names() -> impl Iterator<Item = &'static str> + Clone {
    LIMITS.iter().map(|limit: &Limit| limit.name)
}
