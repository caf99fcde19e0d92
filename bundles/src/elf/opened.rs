//! What a program is said to open or run by itself, sorted into libraries and programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use object::elf;

use super::closure::Opened;
use super::error::ElfError;
use super::file::Source;
use super::image::Image;
use super::resolver::Resolver;

/// Entries of a directory that are looked at, all levels together.
const MOST_ENTRIES: usize = 50_000;

/// Everything that was named, sorted.
#[derive(Debug, Default)]
pub(super) struct FoundAtRunTime {
    pub libraries: Vec<Opened>,
    /// Each with the reason why it is there.
    pub programs: Vec<(PathBuf, String)>,
    /// Programs that lie in a directory that was named.
    of_many: Vec<PathBuf>,
}

impl FoundAtRunTime {
    pub(super) fn is_one_of_many(&self, program: &Path) -> bool {
        self.of_many.iter().any(|one| one == program)
    }
}

impl Resolver {
    /// Looks at what each entry is: a name to search for, a library, a program, or a directory of them.
    pub(super) fn sort(&self, entries: &[PathBuf]) -> Result<FoundAtRunTime, ElfError> {
        let mut found = FoundAtRunTime::default();
        for entry in entries {
            if !entry.is_absolute() {
                found.libraries.push(Opened {
                    name: entry.clone(),
                    reason: "declared as found at run time".to_owned(),
                    is_one_of_many: false,
                });
                continue;
            }
            let metadata = fs::metadata(entry).map_err(|source| ElfError::Read {
                path: entry.clone(),
                source,
            })?;
            if metadata.is_dir() {
                self.sort_directory(entry, &mut found)?;
            } else {
                let reason = "declared as found at run time";
                self.sort_file(entry, reason, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Every ELF file at any depth; links that lead elsewhere are left to whoever follows them.
    fn sort_directory(&self, top: &Path, found: &mut FoundAtRunTime) -> Result<(), ElfError> {
        let reason = format!("in {}, declared as found at run time", top.display());
        let mut ahead = vec![top.to_owned()];
        let mut seen = 0;
        while let Some(directory) = ahead.pop() {
            let failed = |source| ElfError::Read {
                path: directory.clone(),
                source,
            };
            let mut entries = vec![];
            for entry in fs::read_dir(&directory).map_err(failed)? {
                entries.push(entry.map_err(failed)?);
            }
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                seen += 1;
                if seen > MOST_ENTRIES {
                    return Err(ElfError::Limit {
                        path: top.to_owned(),
                        what: "entries of a directory",
                        limit: MOST_ENTRIES,
                    });
                }
                let kind = entry.file_type().map_err(failed)?;
                let path = entry.path();
                if kind.is_dir() {
                    ahead.push(path);
                } else if kind.is_file() && is_elf(&path) {
                    let before = (found.libraries.len(), found.programs.len());
                    self.sort_file(&path, &reason, found)?;
                    for library in &mut found.libraries[before.0..] {
                        library.is_one_of_many = true;
                    }
                    if found.programs.len() > before.1 {
                        found.of_many.push(path);
                    }
                }
            }
        }
        Ok(())
    }

    fn sort_file(
        &self,
        path: &Path,
        reason: &str,
        found: &mut FoundAtRunTime,
    ) -> Result<(), ElfError> {
        let source = Source::open(path)?;
        let head = source.read_up_to(0, elf::ELFMAG.len())?;
        let is_elf = head.as_ref() == elf::ELFMAG;
        let is_executable =
            fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0);
        // A shared library may name a loader too (the C library does); asked for as a program it does no harm.
        let is_program = if is_elf {
            is_executable && Image::parse(&source, &self.limits)?.interpreter.is_some()
        } else {
            is_executable && head.as_ref().starts_with(b"#!")
        };
        if is_program {
            let reason = format!("a program {reason}");
            found.programs.push((path.to_owned(), reason));
        } else {
            found.libraries.push(Opened {
                name: path.to_owned(),
                reason: reason.to_owned(),
                is_one_of_many: false,
            });
        }
        Ok(())
    }
}

fn is_elf(path: &Path) -> bool {
    let head = Source::open(path).and_then(|source| {
        let head = source.read_up_to(0, elf::ELFMAG.len())?;
        Ok(head.as_ref() == elf::ELFMAG)
    });
    head.unwrap_or(false)
}
