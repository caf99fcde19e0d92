//! From the files that a command was seen to open to the smallest `mount-readable` and `dlopen` that have them.
//!
//! Only what was opened or executed counts, and only where nothing shows it already. A directory is proposed
//! instead of its files where several of its entries were used; the directories that everything of the host
//! lies in never are. A program or a plug-in whose libraries were opened too is proposed for `dlopen`, in their place.

mod carriers;
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

/// A file that is to be mounted, as the command spells it.
type Wanted<'a> = (PathBuf, &'a Seen);

/// An entry for `mount-readable` or `dlopen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What to mount.
    pub path: PathBuf,
    /// `mount-readable`, or `dlopen`.
    pub key: &'static str,
    /// Whether it is a directory, with all that is in it.
    pub is_directory: bool,
    /// How many files in it were used.
    pub files: usize,
    /// Whether it, or something in it, was executed.
    pub is_executed: bool,
    /// The processes that used it, sorted.
    pub processes: Vec<String>,
    /// What of that which was used it brings, canonical and sorted; only where the key is `dlopen`.
    pub brings: Vec<PathBuf>,
}

/// A file that is mounted with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Where it is looked for.
    pub path: PathBuf,
    /// With every link followed.
    pub canonical: PathBuf,
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
/// links followed, is mounted already, and `brings` what would be mounted with one that is given to `dlopen`; a
/// directory takes the place of `fold` used entries, or more.
pub fn propose(
    seen: &[Seen],
    shows: impl Fn(&Path) -> bool,
    brings: impl Fn(&Path) -> Vec<Brought>,
    fold: usize,
) -> Learned {
    let mut learned = Learned::default();
    let mut wanted: Vec<Wanted<'_>> = vec![];
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
    let carriers = carriers::take_out(&mut wanted, brings);
    learned.proposals = fold::fold(&wanted, fold);
    let carried = carriers.into_iter().map(|carrier| {
        let brings = carrier.brings.into_iter().collect();
        let (path, file) = carrier.wanted;
        let processes = seen.iter().filter(|one| one.canonical == file.canonical);
        let processes: BTreeSet<&str> = processes.map(|one| &*one.process).collect();
        Proposal {
            path,
            key: "dlopen",
            is_directory: false,
            files: 1,
            is_executed: file.is_executed,
            processes: processes.into_iter().map(str::to_owned).collect(),
            brings,
        }
    });
    learned.proposals.extend(carried);
    let proposals = &mut learned.proposals;
    proposals.sort_by(|one, other| one.path.cmp(&other.path));
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
    let is_library = is_named_as_library(path);
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

fn is_named_as_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains(".so.") || name.ends_with(".so")
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

    /// Brings nothing.
    fn alone(_: &Path) -> Vec<Brought> {
        vec![]
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
        let learned = propose(&files, |path| path.starts_with("/usr/lib/x"), alone, 5);
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
        let all = |fold| paths(&propose(&files, |_| false, alone, fold));
        let whole = "/usr/lib/python3.11/";
        let programs = ["/usr/bin/as", "/usr/bin/ld", "/usr/bin/nm"];
        assert_eq!(all(3), [&programs[..], &[whole]].concat());
        assert_eq!(
            all(4),
            [&programs[..], &[whole]].concat(),
            "json and three files"
        );
        assert_eq!(all(100).len(), files.len());
        let folded = propose(&files, |_| false, alone, 3);
        let python = folded.proposals.last().unwrap();
        assert_eq!((python.files, python.is_executed), (6, false));
    }

    #[test]
    fn a_listed_directory_is_not_needed_for_itself() {
        let listed = Seen {
            is_directory: true,
            ..seen("/usr/local/lib/python3.11/dist-packages", "python3")
        };
        assert!(propose(&[listed], |_| false, alone, 5).proposals.is_empty());
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
        let learned = propose(&[linked, through_parents], |_| false, alone, 5);
        assert_eq!(paths(&learned), ["/lib/x/libffi.so.8", "/usr/lib/x/crt1.o"]);
    }

    /// Libraries of /usr/lib/x.
    fn brought(names: &[&str]) -> Vec<Brought> {
        let brought = names.iter().map(|name| Brought {
            path: Path::new("/lib/x").join(name),
            canonical: Path::new("/usr/lib/x").join(name),
        });
        brought.collect()
    }

    fn keys(learned: &Learned) -> Vec<(&str, &str)> {
        let proposals = learned.proposals.iter();
        proposals
            .map(|one| (one.path.to_str().unwrap(), one.key))
            .collect()
    }

    #[test]
    fn what_brings_others_takes_their_place() {
        let program = Seen {
            is_executed: true,
            ..seen("/usr/bin/solver", "model")
        };
        let files = [
            seen("/usr/lib/x/libbase.so.1", "solver"),
            seen("/usr/lib/x/libsolver.so", "solver"),
            seen("/usr/lib/x/libextra.so", "solver"),
            seen("/usr/lib/x/plugins/base.so", "model"),
            seen("/usr/lib/x/plugins/extra.so", "model"),
            seen("/usr/share/x/library", "model"),
            program,
        ];
        let brings = |path: &Path| match path.file_name().unwrap().to_str().unwrap() {
            "solver" => brought(&["libsolver.so", "libbase.so.1", "libunused.so"]),
            "libsolver.so" => brought(&["libbase.so.1", "libsolver.so"]),
            "base.so" => brought(&["libbase.so.1"]),
            "extra.so" => brought(&["libextra.so", "libbase.so.1"]),
            _ => vec![],
        };
        let learned = propose(&files, |_| false, brings, 5);
        assert_eq!(
            keys(&learned),
            [
                ("/usr/bin/solver", "dlopen"),
                // All that it needs is there with the solver.
                ("/usr/lib/x/plugins/base.so", "mount-readable"),
                ("/usr/lib/x/plugins/extra.so", "dlopen"),
                ("/usr/share/x/library", "mount-readable"),
            ]
        );
        let solver = &learned.proposals[0];
        let others = ["/usr/lib/x/libbase.so.1", "/usr/lib/x/libsolver.so"];
        assert_eq!(solver.brings, others.map(PathBuf::from));
        assert!(solver.is_executed && solver.processes == ["model"]);
        assert_eq!(
            learned.proposals[2].brings,
            [PathBuf::from("/usr/lib/x/libextra.so")]
        );
    }

    #[test]
    fn what_is_asked_for_by_another_link_is_not_brought() {
        let linked = Seen {
            canonical: "/usr/lib/x/libbase.so.1".into(),
            ..seen("/usr/lib/gcc/libbase.so", "ld")
        };
        let files = [linked, seen("/opt/plugin.so", "x")];
        let brings = |_: &Path| brought(&["libbase.so.1"]);
        let learned = propose(&files, |_| false, brings, 5);
        let both = ["/opt/plugin.so", "/usr/lib/gcc/libbase.so"];
        assert_eq!(keys(&learned), both.map(|path| (path, "mount-readable")));
    }

    #[test]
    fn libraries_that_need_each_other_are_proposed_once() {
        let files = [seen("/usr/lib/x/a.so", "x"), seen("/usr/lib/x/b.so", "x")];
        let learned = propose(&files, |_| false, |_| brought(&["a.so", "b.so"]), 5);
        assert_eq!(keys(&learned), [("/usr/lib/x/a.so", "dlopen")]);
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
