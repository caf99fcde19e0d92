//! The site's own judgement of an image: a program that is shown the unpacked tree.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use image_files::spawn_mortal;

/// Runs `program ROOT ID`; anything but success is a no, and its last line why.
pub(super) fn examine(program: &Path, root: &Path, id: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command
        .arg(root)
        .arg(id)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = spawn_mortal(&mut command)
        .and_then(Child::wait_with_output)
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| output.status.to_string(), str::to_owned))
}
