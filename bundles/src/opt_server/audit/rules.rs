//! What is looked for, and which of the published practices it is of.

/// One thing that is looked for.
#[derive(Debug)]
pub struct Rule {
    /// Its name, as reports have it.
    pub id: &'static str,
    /// The number of the practice in the Opt-Server's list that it is of or follows from; 0 where it follows
    /// from what comes before the list: that every command is isolated in a sandbox.
    pub practice: u8,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
}

const fn rule(id: &'static str, practice: u8, title: &'static str, why: &'static str) -> Rule {
    Rule {
        id,
        practice,
        title,
        why,
    }
}

/// Every rule, by the practices' numbers.
pub static RULES: [Rule; 20] = [
    rule(
        "no-limits",
        0,
        "A command without limits",
        "one user's run can take all of the host's memory, or run for ever",
    ),
    rule(
        "seccomp-addition",
        0,
        "System calls that are allowed besides",
        "each is more of the kernel that a user's program reaches",
    ),
    rule(
        "not-examined",
        0,
        "A command that can't be examined",
        "what isn't found out can't be found fault with",
    ),
    rule(
        "shell-command",
        1,
        "A command runs a shell",
        "a shell is the power to run whatever is mounted, by the user's own script",
    ),
    rule(
        "program-runner",
        1,
        "A command runs other programs",
        "it starts whatever program its arguments name",
    ),
    rule(
        "shell-escape",
        1,
        "A command can start other programs",
        "programs of this kind have a way to start a shell or a program of the user's choice",
    ),
    rule(
        "shell-script",
        1,
        "A command is a shell script",
        "the shell that reads it is in the sandbox, and whatever the script starts can start it",
    ),
    rule(
        "interpreter",
        1,
        "A command is a programming language",
        "its users run programs of their own: the sandbox alone is what holds them",
    ),
    rule(
        "binary-directory",
        2,
        "A standard binary directory is mounted",
        "its users can run the host's other programs, shells among them",
    ),
    rule(
        "shell-mounted",
        2,
        "A shell is mounted",
        "whatever the command can start, it can start through the shell",
    ),
    rule(
        "sensitive-path",
        3,
        "A sensitive path is mounted",
        "it tells users about the host or about other people",
    ),
    rule(
        "secret",
        3,
        "A file that looks like a secret is mounted",
        "every user of the command can read it",
    ),
    rule(
        "socket",
        3,
        "A socket is mounted",
        "users can talk to the service behind it; Docker's, for one, gives root",
    ),
    rule(
        "secret-value",
        3,
        "A secret in the configuration",
        "every user of the command can print its environment and arguments",
    ),
    rule(
        "writable-path",
        3,
        "A path of the host's is writable",
        "what one user writes there another reads, it stays, and it can fill the disk",
    ),
    rule(
        "host-network",
        3,
        "The host's network",
        "what listens on the host or near it is in reach, and data can leave; abstract sockets of the host's as well",
    ),
    rule(
        "device",
        3,
        "A device of the host's",
        "devices are shared by all users, and their drivers are large",
    ),
    rule(
        "world-writable",
        3,
        "A path that everybody may write is mounted",
        "any user of the host can put files there for the command to read or run",
    ),
    rule(
        "dependency-directories",
        4,
        "Directories of libraries are mounted whole",
        "more is readable than the command needs",
    ),
    rule(
        "restricted-mode",
        5,
        "A restricted mode isn't used",
        "the program could hinder its users by itself, besides the sandbox",
    ),
];

impl Rule {
    /// The rule of this name. There is none without a row: the tests see to it.
    pub(super) fn named(id: &str) -> &'static Self {
        let place = RULES.iter().position(|rule| rule.id == id);
        &RULES[place.unwrap_or_default()]
    }
}
