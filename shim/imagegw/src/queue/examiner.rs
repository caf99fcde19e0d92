//! The site's own judgement of an image: a program that is shown the unpacked tree.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `program ROOT ID`; anything but success is a no, and its last line why.
pub(super) fn examine(program: &Path, root: &Path, id: &str) -> Result<(), String> {
    let output = Command::new(program)
        .arg(root)
        .arg(id)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| output.status.to_string(), str::to_owned))
}
