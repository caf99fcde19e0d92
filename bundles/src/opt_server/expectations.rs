//! Vectors of tests, and the table of what is expected of each: `expectations.tsv` beside them. A line is a vector's
//! file, a tab, and the outcome; one that begins with `#` is a heading. Where `UPDATE_EXPECTATIONS` is set the
//! table is written anew, for a person to judge.

use std::fs;
use std::path::{Path, PathBuf};

/// The table of one directory of vectors.
pub(super) struct Expectations {
    path: PathBuf,
    table: String,
}

impl Expectations {
    pub(super) fn of(vectors: &Path) -> Self {
        let path = vectors.join("expectations.tsv");
        let table = fs::read_to_string(&path).unwrap();
        Self { path, table }
    }

    fn wanted(&self) -> impl Iterator<Item = &str> {
        self.table.lines().filter(|line| !line.starts_with('#'))
    }

    /// The vectors, each once.
    pub(super) fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = self
            .wanted()
            .filter_map(|line| line.split('\t').next())
            .collect();
        files.dedup();
        files
    }

    /// Fails the test unless the table has just these lines.
    #[track_caller]
    pub(super) fn hold(&self, found: &[String]) {
        if std::env::var_os("UPDATE_EXPECTATIONS").is_some() {
            let heading = self.table.lines().filter(|line| line.starts_with('#'));
            let lines: Vec<&str> = heading.chain(found.iter().map(String::as_str)).collect();
            fs::write(&self.path, lines.join("\n") + "\n").unwrap();
        }
        for (wanted, found) in self.wanted().zip(found) {
            assert_eq!(wanted, found);
        }
        assert_eq!(self.wanted().count(), found.len());
    }
}
