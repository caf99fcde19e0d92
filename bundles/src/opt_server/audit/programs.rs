//! Which programs give their users other programs.

use std::fs;
use std::path::{Path, PathBuf};

use super::base_name;
use crate::bundle::HostPath;

/// What a program gives its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A shell, or a program with one in it.
    Shell,
    /// It starts what its arguments name.
    Runner,
    /// It has a way to start a shell or a program.
    Escape,
    /// A programming language.
    Language,
}

const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "bash-static",
    "busybox",
    "csh",
    "dash",
    "elvish",
    "fish",
    "ksh",
    "ksh93",
    "lksh",
    "mksh",
    "mksh-static",
    "nu",
    "oksh",
    "pdksh",
    "posh",
    "pwsh",
    "rbash",
    "rksh",
    "rzsh",
    "sash",
    "sh",
    "tcsh",
    "toybox",
    "xonsh",
    "yash",
    "zsh",
    "zsh-static",
];

const RUNNERS: &[&str] = &[
    "bwrap",
    "chroot",
    "chrt",
    "doas",
    "env",
    "fakeroot",
    "find",
    "firejail",
    "flock",
    "gdb",
    "ionice",
    "ltrace",
    "make",
    "mpiexec",
    "mpirun",
    "ninja",
    "nice",
    "nohup",
    "nsenter",
    "numactl",
    "parallel",
    "runuser",
    "script",
    "setarch",
    "setpriv",
    "setsid",
    "srun",
    "ssh",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
    "unshare",
    "valgrind",
    "watch",
    "xargs",
];

const ESCAPES: &[&str] = &[
    "awk",
    "dc",
    "ed",
    "emacs",
    "ex",
    "expect",
    "gawk",
    "git",
    "gnuplot",
    "less",
    "man",
    "mawk",
    "more",
    "most",
    "mysql",
    "nano",
    "nawk",
    "nvim",
    "original-awk",
    "pg",
    "psql",
    "rsync",
    "rvim",
    "screen",
    "sed",
    "sqlite3",
    "tar",
    "tmux",
    "vi",
    "view",
    "vim",
    "zip",
];

const LANGUAGES: &[&str] = &[
    "gp",
    "guile",
    "java",
    "jshell",
    "julia",
    "lua",
    "luajit",
    "matlab",
    "maxima",
    "node",
    "nodejs",
    "octave",
    "octave-cli",
    "perl",
    "php",
    "pypy",
    "python",
    "R",
    "Rscript",
    "ruby",
    "sage",
    "scilab-cli",
    "tclsh",
    "wish",
];

impl Kind {
    /// By a file's name; a version at its end doesn't count.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let plain = without_version(name);
        let is_in = |names: &[&str]| names.contains(&name) || names.contains(&plain);
        // The dynamic loader runs the program that is its argument.
        let is_loader =
            name.starts_with("ld-linux") || name.starts_with("ld-musl") || name == "ld.so";
        [
            (is_in(SHELLS), Self::Shell),
            (is_in(RUNNERS) || is_loader, Self::Runner),
            (is_in(ESCAPES) || plain.starts_with("vim."), Self::Escape),
            (is_in(LANGUAGES), Self::Language),
        ]
        .into_iter()
        .find_map(|(is_it, kind)| is_it.then_some(kind))
    }
}

/// `python3.11` and `python3` are `python`, `php8.2` is `php`; `ksh93` has a name of its own.
pub(super) fn without_version(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'))
}

/// What a program is, and how that was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recognised {
    pub kind: Kind,
    /// As which program.
    pub name: String,
    /// For a message: empty, or how it came out.
    pub how: String,
}

/// Recognises `program` by its own name, by those of the links on the way, by where they lead, and by its being
/// the same file as a shell of the host's, or a copy of one.
pub(super) fn recognise(program: &Path) -> Option<Recognised> {
    let mut names = vec![(base_name(program), String::new())];
    if let Ok(followed) = HostPath::follow(program) {
        let lead = |path: &Path| {
            (
                base_name(path),
                format!(", through a link to {}", path.display()),
            )
        };
        names.extend(followed.links.iter().map(|(_, target)| lead(target)));
        names.push(lead(&followed.canonical));
    }
    let worst = names
        .into_iter()
        .filter_map(|(name, how)| {
            Some(Recognised {
                kind: Kind::of_name(&name)?,
                name,
                how,
            })
        })
        .min_by_key(|found| found.kind as u8);
    match worst {
        Some(found) if found.kind == Kind::Shell => Some(found),
        worst => copied_shell(program).or(worst),
    }
}

/// A shell under another name.
fn copied_shell(program: &Path) -> Option<Recognised> {
    let length = fs::metadata(program)
        .ok()
        .filter(fs::Metadata::is_file)?
        .len();
    let is_same = |shell: &PathBuf| {
        let same_length =
            fs::metadata(shell).is_ok_and(|found| found.is_file() && found.len() == length);
        same_length && same_content(program, shell)
    };
    let shell = shells_of_host().into_iter().find(is_same)?;
    Some(Recognised {
        kind: Kind::Shell,
        name: base_name(&shell),
        how: format!(", the same as {}", shell.display()),
    })
}

fn same_content(one: &Path, other: &Path) -> bool {
    // Shells are a few MB at most; what is longer isn't read.
    const MOST: u64 = 64 << 20;
    let read = |path: &Path| {
        let length = fs::metadata(path).ok()?.len();
        (length <= MOST).then(|| fs::read(path).ok())?
    };
    matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
}

/// What the host lists as login shells, and the usual places.
fn shells_of_host() -> Vec<PathBuf> {
    let listed = fs::read_to_string("/etc/shells").unwrap_or_default();
    let listed = listed
        .lines()
        .filter(|line| line.starts_with('/'))
        .map(PathBuf::from);
    let usual = ["/bin", "/usr/bin"].into_iter().flat_map(|directory| {
        SHELLS
            .iter()
            .map(move |name| Path::new(directory).join(name))
    });
    listed.chain(usual).collect()
}
