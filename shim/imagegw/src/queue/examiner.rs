//! The site's own judgement of an image: a program that is shown the unpacked tree.

use std::path::Path;
use std::process::Command;

use image_files::run_while_wanted;

/// Runs `program ROOT ID`; anything but success is a no, and its last line why. One that `should_stop` before its end is
/// killed, and has said nothing.
pub(super) fn examine(
    program: &Path,
    root: &Path,
    id: &str,
    should_stop: &dyn Fn() -> bool,
) -> Result<(), String> {
    let mut command = Command::new(program);
    command
        .arg(root)
        .arg(id)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output = run_while_wanted(&mut command, b"", should_stop)
        .map_err(|error| format!("{}: {error}", program.display()))?
        .ok_or_else(|| format!("{} hasn't ended", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| output.status.to_string(), str::to_owned))
}
