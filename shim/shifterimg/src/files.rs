//! Files of the user's that nobody else may read.

use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use crate::users;

/// More than any of them holds.
const MAX_SIZE: u64 = 1 << 20;

const OTHERS: u32 = 0o077;

/// `~/.udiRoot`; not made.
pub fn own_directory() -> Result<PathBuf> {
    let home = match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home),
        None => users::home(geteuid().as_raw()).context("you have no home directory")?,
    };
    Ok(home.join(".udiRoot"))
}

/// The text of a file that is the user's alone; nothing where there is none.
pub fn read_secret(path: &Path) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let found = file.metadata()?;
    if found.uid() != geteuid().as_raw() {
        bail!(
            "{}: belongs to uid {}, not to you",
            path.display(),
            found.uid()
        );
    }
    if found.mode() & OTHERS != 0 {
        bail!(
            "{}: others may read it (mode {:04o}); hint: chmod 600",
            path.display(),
            found.mode() & 0o7777
        );
    }
    let mut text = String::new();
    file.take(MAX_SIZE)
        .read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(Some(text))
}

/// Writes a file for the user alone, whole or not at all, in a directory that is his alone.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    let directory = path.parent().context("a directory")?;
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(directory)
        .with_context(|| format!("make {}", directory.display()))?;
    let new = directory.join(format!(".new-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    let written = write();
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&new);
    }
    written.with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_written_and_read_for_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".udiRoot/.cred");
        assert!(read_secret(&path).unwrap().is_none());
        write_secret(&path, "one").unwrap();
        write_secret(&path, "two").unwrap();
        assert_eq!(read_secret(&path).unwrap().as_deref(), Some("two"));
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = read_secret(&path).unwrap_err().to_string();
        assert!(error.contains("others may read it (mode 0640)"), "{error}");
    }
}
