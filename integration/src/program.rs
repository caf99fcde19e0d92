//! Programs that tests put somewhere and run there.
//!
//! What is open for writing can't be executed, and what this process writes is for a moment open in every child that
//! another test is just about to start. So another process writes programs.

use std::path::Path;

use crate::Tool;

/// Copies programs, or what they need, into a directory, or one of them to a new path.
#[track_caller]
pub fn copy<P: AsRef<Path>>(programs: impl IntoIterator<Item = P>, to: &Path) {
    let mut cp = Tool::new("cp").args(["--dereference", "--preserve=mode"]);
    for program in programs {
        cp = cp.arg(program.as_ref());
    }
    cp.arg(to).expect(0);
}

/// Writes a file that everybody may execute.
#[track_caller]
pub fn write(path: &Path, content: &str) {
    Tool::new("install")
        .args(["--mode", "755", "/dev/stdin"])
        .arg(path)
        .input(content)
        .expect(0);
}
