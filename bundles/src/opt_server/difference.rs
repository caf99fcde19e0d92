//! What another `mount-dependencies` would change.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::SandboxError;
use super::config::MountDependencies;
use super::host_side::readables_under;
use super::mounts::Readables;
use super::sandbox::Sandbox;
use crate::elf::{ElfError, Resolver};
use crate::exposure::{Bounds, Exposure};

/// Files that the command would lose and that are told one by one.
const MOST_TOLD: usize = 20;

/// What a command would see less, or more, under another `mount-dependencies`.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The mode that was asked about.
    pub mode: &'static str,
    /// Paths that would no longer be readable, with what they show.
    pub gone: Vec<Change>,
    /// Paths that would be readable instead.
    pub instead: Vec<Change>,
    /// Libraries that something in `mount-readable` needs, and that would be missing: each with who needs it.
    pub lost: Vec<(PathBuf, String)>,
    /// Why nobody can tell whether any would be missing.
    pub not_examined: Option<String>,
    /// What to add, so that they aren't.
    pub hint: Option<String>,
}

/// A readable path.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Inside.
    pub path: PathBuf,
    /// Why it is there.
    pub why: String,
    /// What it shows.
    pub exposure: Exposure,
}

impl Sandbox<'_> {
    /// Compares this sandbox with the one that `mode` would make.
    ///
    /// # Errors
    /// As [`Sandbox::plan`].
    pub fn difference(
        &self,
        mode: MountDependencies,
        resolver: &Resolver,
        mut bounds: Bounds,
    ) -> Result<Difference, SandboxError> {
        let other = readables_under(mode, &self.request, resolver)?;
        let mut only = |one: &Readables, another: &Readables| -> Vec<Change> {
            let kept = |path: &Path| another.mounts.contains_key(path);
            let changed = one.mounts.iter().filter(|(path, _)| !kept(path));
            changed
                .map(|(path, readable)| Change {
                    path: path.clone(),
                    why: readable.why(),
                    exposure: Exposure::measure(&readable.source, &mut bounds),
                })
                .collect()
        };
        let gone = only(&self.readables, &other);
        let instead = only(&other, &self.readables);
        let (lost, not_examined) = match self.lost(&other, resolver) {
            Ok(lost) => (lost, None),
            Err(error) => (vec![], Some(error.to_string())),
        };
        let named = &self.request.command.mount_readable;
        Ok(Difference {
            mode: mode.as_str(),
            gone,
            instead,
            hint: (!lost.is_empty()).then(|| {
                let paths: Vec<String> = named
                    .iter()
                    .map(|path| format!("{:?}", path.display().to_string()))
                    .collect();
                format!(
                    "\"x-opt-runtime\": {{ \"dlopen\": [{}] }}",
                    paths.join(", ")
                )
            }),
            lost,
            not_examined,
        })
    }

    /// What is in `mount-readable` stays, but what it needs in its turn came with the directories.
    fn lost(
        &self,
        other: &Readables,
        resolver: &Resolver,
    ) -> Result<Vec<(PathBuf, String)>, ElfError> {
        let command = self.request.command;
        let needed = resolver.resolve_with(&command.executable, &command.mount_readable)?;
        let lost = needed
            .files
            .into_iter()
            .filter(|file| self.readables.show(&file.canonical) && !other.show(&file.canonical))
            .map(|file| (file.path, file.reason))
            .collect();
        Ok(lost)
    }
}

impl Difference {
    fn write(f: &mut fmt::Formatter<'_>, title: &str, changes: &[Change]) -> fmt::Result {
        if changes.is_empty() {
            return Ok(());
        }
        writeln!(f, "{title}:")?;
        for change in changes {
            let path = change.path.display();
            writeln!(f, "  {path}: {}\n    shows {}", change.why, change.exposure)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode;
        if self.gone.is_empty() && self.instead.is_empty() {
            return writeln!(f, "\"mount-dependencies\": \"{mode}\" would change nothing");
        }
        writeln!(f, "with \"mount-dependencies\": \"{mode}\"")?;
        Self::write(f, "no longer readable", &self.gone)?;
        Self::write(f, "readable in their place", &self.instead)?;
        if let Some(error) = &self.not_examined {
            return writeln!(
                f,
                "what \"mount-readable\" needs can't be found out: {error}"
            );
        }
        if self.lost.is_empty() {
            return writeln!(
                f,
                "nothing in \"mount-readable\" needs a library that would be gone"
            );
        }
        writeln!(f, "needed by what is in \"mount-readable\", and gone:")?;
        for (path, reason) in self.lost.iter().take(MOST_TOLD) {
            writeln!(f, "  {}: {reason}", path.display())?;
        }
        if let Some(more @ 1..) = self.lost.len().checked_sub(MOST_TOLD) {
            writeln!(f, "  and {more} more")?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "  hint: {hint} brings them"),
            None => Ok(()),
        }
    }
}
