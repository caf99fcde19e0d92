//! The resolver, which only reads, against the host's `ldd`, which asks the loader itself.
//!
//! `ldd` is safe here: the programs in /usr/bin are the host's own.
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bundles::elf::{ElfError, Resolver, Role};

const DIRECTORY: &str = "/usr/bin";
const THREADS: usize = 2;

/// What one program needs, as either side tells it.
#[derive(Debug, PartialEq, Eq)]
enum Needs {
    /// The loader and the libraries, spelled as the loader opens them.
    Files(BTreeSet<PathBuf>),
    /// Libraries that are nowhere.
    Missing(BTreeSet<String>),
}

#[test]
fn every_program_of_the_host_needs_what_ldd_says() {
    let resolver = Resolver::host().unwrap();
    // Two sides that both see nothing would agree too.
    let known = ask_ldd(Path::new("/usr/bin/env"));
    assert!(
        matches!(&known, Needs::Files(files) if files.len() >= 2),
        "{known:?}"
    );
    let programs = programs();
    let size = programs.len().div_ceil(THREADS).max(1);
    let disagreements: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = programs
            .chunks(size)
            .map(|part| {
                scope.spawn(|| {
                    part.iter()
                        .filter_map(|p| compare(&resolver, p))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    let agreeing = programs.len() - disagreements.len();
    // Past the test runner, which would keep it back: the figure is for people.
    writeln!(std::io::stderr(), "{agreeing} executables agree with ldd").unwrap();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert!(
        programs.len() > 100,
        "only {} executables in {DIRECTORY}",
        programs.len()
    );
}

/// Every ELF program, once, by its real path: `ldd` takes a link's directory for `$ORIGIN`, the kernel doesn't.
fn programs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(DIRECTORY).unwrap();
    let paths = entries.filter_map(|entry| entry.unwrap().path().canonicalize().ok());
    let distinct: BTreeSet<PathBuf> = paths
        .filter(|path| path.is_file() && is_elf(path))
        .collect();
    distinct.into_iter().collect()
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

/// The difference, if there is one.
fn compare(resolver: &Resolver, program: &Path) -> Option<String> {
    let ldd = ask_ldd(program);
    let ours = match resolver.resolve(program) {
        Ok(resolution) => {
            let mut seen = BTreeSet::new();
            let files = resolution.files.into_iter().skip(1);
            // A second name for a library that is loaded already: we list it, `ldd` doesn't.
            let first = files.filter(|file| seen.insert(file.canonical.clone()));
            let needed = first.inspect(|file| {
                assert!(
                    matches!(file.role, Role::Library | Role::Interpreter),
                    "{file:?}"
                );
            });
            Needs::Files(needed.map(|file| file.path).collect())
        }
        // We stop at the first; `ldd` goes on.
        Err(ElfError::MissingLibrary { name, .. }) => match &ldd {
            Needs::Missing(names) if names.contains(&name) => return None,
            _ => Needs::Missing([name].into()),
        },
        // `ldd` tries the loaders that the host has, and then finds the program not to be dynamic.
        Err(ElfError::MissingLoader { .. }) => Needs::Files(BTreeSet::new()),
        Err(error) => return Some(format!("{}: {error}; ldd: {ldd:?}", program.display())),
    };
    (ours != ldd).then(|| format!("{}: ours {ours:?}; ldd: {ldd:?}", program.display()))
}

fn ask_ldd(program: &Path) -> Needs {
    let output = Command::new("ldd")
        .arg(program)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let (mut files, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().map(str::trim) {
        let line = line.rsplit_once(" (0x").map_or(line, |(before, _)| before);
        match line.split_once(" => ") {
            Some((name, "not found")) => {
                missing.insert(name.to_owned());
            }
            Some((_, path)) => {
                files.insert(PathBuf::from(path));
            }
            // The loader, or a library needed by its full path. The rest: linux-vdso.so.1, which is no file,
            // "statically linked" and "not a dynamic executable".
            None if line.starts_with('/') => {
                files.insert(PathBuf::from(line));
            }
            None => {}
        }
    }
    match missing.is_empty() {
        true => Needs::Files(files),
        false => Needs::Missing(missing),
    }
}
