//! From the files that a command was seen to open to the smallest `mount-readable` that has them.
//!
//! Only what was opened or executed counts, and only where nothing shows it already. A directory is proposed
//! instead of its files where several of its entries were used; the directories that everything of the host
//! lies in never are.

mod fold;
mod optional;

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

pub use optional::optional;

use super::{PROJECT, TEMPORARY};

/// A file that a command was seen to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As it asked for it, absolute.
    pub path: PathBuf,
    /// With every link followed.
    pub canonical: PathBuf,
    /// Whether it is a directory; then it was listed.
    pub is_directory: bool,
    /// Whether it was executed.
    pub is_executed: bool,
    /// By which process.
    pub process: String,
}

/// An entry for `mount-readable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What to mount.
    pub path: PathBuf,
    /// Whether it is a directory, with all that is in it.
    pub is_directory: bool,
    /// How many files in it were used.
    pub files: usize,
    /// Whether it, or something in it, was executed.
    pub is_executed: bool,
    /// The processes that used it, sorted.
    pub processes: Vec<String>,
}

/// What came of watching a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// What to mount, sorted by path.
    pub proposals: Vec<Proposal>,
    /// How many of the files are shown already.
    pub shown: usize,
    /// What it opened and does without: the path, and what it is.
    pub optional: Vec<(PathBuf, &'static str)>,
}

/// Proposes what to mount for a command that was seen to open these files. `shows` says whether a path, with its
/// links followed, is mounted already; a directory takes the place of `fold` used entries, or more.
pub fn propose(seen: &[Seen], shows: impl Fn(&Path) -> bool, fold: usize) -> Learned {
    let mut learned = Learned::default();
    let mut wanted: Vec<(PathBuf, &Seen)> = vec![];
    let mut shown = BTreeSet::new();
    let mut without = BTreeSet::new();
    // A directory that was only listed isn't needed for itself.
    for file in seen.iter().filter(|file| !file.is_directory) {
        if is_own(&file.canonical) || is_own(&file.path) {
            continue;
        }
        if shows(&file.canonical) {
            shown.insert(&file.canonical);
        } else if let Some(what) = optional(&file.canonical) {
            without.insert((file.canonical.clone(), what));
        } else {
            wanted.push((spelled(file), file));
        }
    }
    learned.shown = shown.len();
    learned.optional = without.into_iter().collect();
    learned.proposals = fold::fold(&wanted, fold);
    learned
}

/// Whether the sandbox has its own there.
pub fn is_own(path: &Path) -> bool {
    [PROJECT, TEMPORARY, "/proc", "/dev", "/sys"]
        .iter()
        .any(|own| path.starts_with(own))
}

/// As a configuration may have it: links are kept, for the command asks by them, but `..` is not.
fn spelled(file: &Seen) -> PathBuf {
    let has_parent = file
        .path
        .components()
        .any(|component| component == Component::ParentDir);
    if has_parent {
        file.canonical.clone()
    } else {
        file.path.clone()
    }
}

/// The key of `config.json` that admits `path`, and what to write there, for a command with this name.
pub fn admitted_by(path: &Path, command: &str) -> (&'static str, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_library = name.contains(".so.") || name.ends_with(".so");
    let key = if is_library {
        "dlopen"
    } else {
        "mount-readable"
    };
    let path = path.display();
    let hint = if is_library {
        format!(
            "add \"{path}\" to \"dlopen\" in \"x-opt-runtime\" of command \"{command}\": that brings the \
             libraries that it needs as well"
        )
    } else {
        format!("add \"{path}\" to \"mount-readable\" of command \"{command}\"")
    };
    (key, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str, process: &str) -> Seen {
        Seen {
            path: path.into(),
            canonical: path.into(),
            is_directory: false,
            is_executed: false,
            process: process.to_owned(),
        }
    }

    fn paths(learned: &Learned) -> Vec<String> {
        let proposals = learned.proposals.iter();
        proposals
            .map(|proposal| {
                let slash = if proposal.is_directory { "/" } else { "" };
                format!("{}{slash}", proposal.path.display())
            })
            .collect()
    }

    #[test]
    fn what_is_shown_the_sandboxs_own_or_optional_is_not_proposed() {
        let files = [
            seen("/usr/lib/x/libc.so.6", "python3"),
            seen("/usr/lib/python3.11/os.py", "python3"),
            seen("/project/model.py", "python3"),
            seen("/tmp/x", "python3"),
            seen("/proc/self/status", "python3"),
            seen("/etc/ld.so.cache", "python3"),
        ];
        let learned = propose(&files, |path| path.starts_with("/usr/lib/x"), 5);
        assert_eq!(paths(&learned), ["/usr/lib/python3.11/os.py"]);
        assert_eq!(learned.shown, 1);
        assert_eq!(learned.optional[0].0, Path::new("/etc/ld.so.cache"));
        assert_eq!(learned.proposals[0].processes, ["python3"]);
    }

    #[test]
    fn directories_take_the_place_of_several_entries_from_the_bottom_up() {
        let mut files: Vec<Seen> = ["os", "re", "io"]
            .map(|name| seen(&format!("/usr/lib/python3.11/{name}.py"), "python3"))
            .into();
        for name in ["a", "b", "c"] {
            files.push(seen(
                &format!("/usr/lib/python3.11/json/{name}.py"),
                "python3",
            ));
        }
        files.push(seen("/usr/bin/as", "g++"));
        files.push(seen("/usr/bin/ld", "collect2"));
        files.push(seen("/usr/bin/nm", "collect2"));
        let all = |fold| paths(&propose(&files, |_| false, fold));
        let whole = "/usr/lib/python3.11/";
        let programs = ["/usr/bin/as", "/usr/bin/ld", "/usr/bin/nm"];
        assert_eq!(all(3), [&programs[..], &[whole]].concat());
        assert_eq!(
            all(4),
            [&programs[..], &[whole]].concat(),
            "json and three files"
        );
        assert_eq!(all(100).len(), files.len());
        let folded = propose(&files, |_| false, 3);
        let python = folded.proposals.last().unwrap();
        assert_eq!((python.files, python.is_executed), (6, false));
    }

    #[test]
    fn a_listed_directory_is_not_needed_for_itself() {
        let listed = Seen {
            is_directory: true,
            ..seen("/usr/local/lib/python3.11/dist-packages", "python3")
        };
        assert!(propose(&[listed], |_| false, 5).proposals.is_empty());
    }

    #[test]
    fn links_are_kept_and_parents_are_not() {
        let linked = Seen {
            canonical: "/usr/lib/x/libffi.so.8.1".into(),
            ..seen("/lib/x/libffi.so.8", "python3")
        };
        let through_parents = Seen {
            canonical: "/usr/lib/x/crt1.o".into(),
            ..seen("/usr/lib/gcc/x/12/../../../x/crt1.o", "ld")
        };
        let learned = propose(&[linked, through_parents], |_| false, 5);
        assert_eq!(paths(&learned), ["/lib/x/libffi.so.8", "/usr/lib/x/crt1.o"]);
    }

    #[test]
    fn libraries_are_admitted_by_dlopen_and_other_files_by_mount_readable() {
        for (path, key) in [
            ("/usr/lib/x/libffi.so.8", "dlopen"),
            ("/opt/x/plugin.so", "dlopen"),
            ("/usr/lib/python3.11", "mount-readable"),
            ("/usr/share/some.soap", "mount-readable"),
        ] {
            let (found, hint) = admitted_by(Path::new(path), "x");
            assert_eq!(found, key, "{path}");
            assert!(hint.contains(path) && hint.contains(key), "{hint}");
        }
    }
}
