//! Golden files: what was written once and read by a person, and must stay.

use std::fs;
use std::path::{Path, PathBuf};

fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name)
}

/// Fails unless `text` is what `golden/NAME` holds; with `UPDATE_GOLDEN=1` it is written there instead.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    let path = path_of(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).expect("write a golden file");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if let Some(difference) = first_difference(&golden, text) {
        panic!(
            "{} differs: {difference}\nUPDATE_GOLDEN=1 rewrites it; it begins:\n{text}",
            path.display()
        );
    }
}

fn first_difference(golden: &str, text: &str) -> Option<String> {
    if golden == text {
        return None;
    }
    let pairs = golden.lines().zip(text.lines());
    let line = pairs.take_while(|(old, new)| old == new).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    Some(format!(
        "line {}: golden {:?}, now {:?}",
        line + 1,
        at(golden),
        at(text)
    ))
}
