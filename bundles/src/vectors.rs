//! Tables of test vectors: `tests/data/NAME.tsv`, one vector a line, its fields parted by tabs. A line that is empty
//! or begins with `#` is for the reader; `\n`, `\r`, `\t` and `\\` in a field mean what they do in Rust.

use std::fs;
use std::path::Path;

/// The vectors of a table, each with all its fields.
pub(crate) fn vectors(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    let table = fs::read_to_string(&path).unwrap();
    let lines = table.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split('\t').map(unescaped).collect())
        .collect()
}

fn unescaped(field: &str) -> String {
    let mut text = String::new();
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        let escaped = (character == '\\').then(|| characters.next()).flatten();
        text.push(match escaped {
            None => character,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(other) => other,
        });
    }
    text
}

/// Fails the test at the end, with every vector that went wrong.
#[derive(Default)]
pub(crate) struct Wrong(Vec<String>);

impl Wrong {
    pub(crate) fn unless(&mut self, vector: &[String], found: &str, wanted: &str) {
        if found != wanted {
            self.0
                .push(format!("{vector:?}: found {found:?}, not {wanted:?}"));
        }
    }

    #[track_caller]
    pub(crate) fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}
