//! `regex`, as far as the crates use it that these programs are made of, by `regex-lite`: no Unicode tables, 140 KiB of which
//! every start of a program had to relocate, and no automata. Its classes (`\d`, `\w`) are ASCII's, which is what is meant
//! wherever a list of processors or a schema of resctrl is read.

pub use regex_lite::{Captures, Error, Match, Regex, escape};

/// Builds a [`Regex`].
#[derive(Debug)]
pub struct RegexBuilder(regex_lite::RegexBuilder);

impl RegexBuilder {
    /// For this pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(regex_lite::RegexBuilder::new(pattern))
    }

    /// The most bytes that it may take when compiled.
    pub fn size_limit(&mut self, limit: usize) -> &mut Self {
        self.0.size_limit(limit);
        self
    }

    /// There is no automaton that could grow.
    pub fn dfa_size_limit(&mut self, _: usize) -> &mut Self {
        self
    }

    /// Compiles it.
    ///
    /// # Errors
    /// Where the pattern isn't one, or too large.
    pub fn build(&self) -> Result<Regex, Error> {
        self.0.build()
    }
}
