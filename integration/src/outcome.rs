//! How a program that was run ended.

use std::fmt;

/// How a program ended. Displays as all there is to know, for messages.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(crate) shown: String,
    /// The pid that it had.
    pub pid: i32,
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shown,
            code,
            signal,
            stdout,
            stderr,
            ..
        } = self;
        writeln!(f, "{shown}\nexit code {code:?}, signal {signal:?}")?;
        write!(f, "-- stdout\n{stdout}-- stderr\n{stderr}--")
    }
}

impl Outcome {
    /// Fails unless standard error is exactly one line, and gives it.
    pub fn one_line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(
            !line.is_empty() && !line.contains('\n'),
            "not one line on standard error: {self}"
        );
        line
    }

    /// What it printed, where it ended with 0; else all there is to know.
    pub fn printed(self) -> Result<String, String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            _ => Err(self.to_string()),
        }
    }

    /// Fails unless standard output holds `text`.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "no \"{text}\": {self}");
        self
    }

    /// Fails unless it is an error of ours that is told in one line with `why`, in whatever case, in it.
    #[track_caller]
    pub fn refused(&self, why: &str) -> &Self {
        assert!(matches!(self.code, Some(1 | 125)), "{self}");
        let line = self.one_line();
        assert!(line.to_lowercase().contains(why), "no \"{why}\": {line}");
        self
    }
}
