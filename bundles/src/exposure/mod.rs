//! How much a readable path shows: what lies below it, and what of that had better not be shown.

mod secrets;
mod walk;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use secrets::{looks_like_secret, names_a_secret};

/// Examples that are kept of each kind.
const EXAMPLES: usize = 5;

/// How far to look, over all paths together.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Directory entries.
    pub entries: u64,
    /// When to stop.
    pub until: Instant,
}

impl Default for Bounds {
    /// Enough for a `/usr/lib` that is warm in the cache.
    fn default() -> Self {
        Self {
            entries: 300_000,
            until: Instant::now() + Duration::from_secs(5),
        }
    }
}

impl Bounds {
    /// For who looks at a whole configuration, and once.
    pub fn patient() -> Self {
        Self {
            entries: 5_000_000,
            until: Instant::now() + Duration::from_secs(30),
        }
    }
}

/// What one path shows. Links aren't followed; other file systems below it aren't in a bind mount of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// Regular files.
    pub files: u64,
    /// Bytes in them, each file counted as long as it is.
    pub bytes: u64,
    /// Programs with a setuid or setgid bit. In a sandbox it is dead.
    pub setuid: Listed,
    /// Files and directories that everybody on the host may write, sticky directories left out.
    pub world_writable: Listed,
    /// Sockets: whoever may write them can talk to what listens there, through a read-only mount as well.
    pub sockets: Listed,
    /// What looks like a secret, each with what it looks like.
    pub secrets: Vec<Secret>,
    /// Why it isn't all, where it isn't.
    pub cut: Option<&'static str>,
}

/// How many there are, and the first few.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// How many.
    pub count: u64,
    /// The first few.
    pub first: Vec<PathBuf>,
}

/// A file that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// The file.
    pub path: PathBuf,
    /// What it looks like.
    pub what: &'static str,
    /// Whether its mode lets everybody read it: a sandbox's identity is nobody's.
    pub is_readable: bool,
}

impl Exposure {
    /// Looks at `path` and all that is below it, as far as `bounds` go, which become narrower by it.
    pub fn measure(path: &Path, bounds: &mut Bounds) -> Self {
        walk::measure(path, bounds)
    }

    /// The secrets that a sandbox could read.
    pub fn readable_secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(|secret| secret.is_readable)
    }
}

impl Listed {
    fn add(&mut self, path: &Path) {
        self.count += 1;
        if self.first.len() < EXAMPLES {
            self.first.push(path.to_path_buf());
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, what: &str, remark: &str) -> fmt::Result {
        if self.count == 0 {
            return Ok(());
        }
        let first: Vec<String> = self
            .first
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let more = and_more(self.count, self.first.len());
        write!(
            f,
            "; {} {what}{remark}: {}{more}",
            self.count,
            first.join(", ")
        )
    }
}

/// What follows on the first `told` of `count`.
pub(crate) fn and_more(count: u64, told: usize) -> String {
    match count.saturating_sub(told as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// On one line.
impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} {files}, {}", self.files, size(self.bytes))?;
        self.setuid.write(f, "setuid or setgid", " (dead inside)")?;
        self.world_writable
            .write(f, "writable by everybody on the host", "")?;
        self.sockets.write(f, "sockets", "")?;
        if !self.secrets.is_empty() {
            let told = self.secrets.iter().take(EXAMPLES).map(|secret| {
                let kept = if secret.is_readable {
                    ""
                } else {
                    ", kept from it by its mode"
                };
                format!("{} ({}{kept})", secret.path.display(), secret.what)
            });
            let told: Vec<String> = told.collect();
            let count = self.secrets.len();
            let more = and_more(count as u64, told.len());
            write!(f, "; {count} like secrets: {}{more}", told.join(", "))?;
        }
        match self.cut {
            Some(why) => write!(f, "; at least: {why}"),
            None => Ok(()),
        }
    }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit) {
        None => format!("{bytes} bytes"),
        Some((name, unit)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests;
