//! The log file that a caller may ask for: one line an event, as text or as the JSON that engines read.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// Format of the log.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text.
    #[default]
    Text,
    /// One JSON object a line, as podman and containerd read it.
    Json,
}

/// How much is logged: an event is, where its level is this one or one before it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// The error that a command ends with. There is at most one, and podman needs it to be alone.
    #[default]
    Error,
    /// What is odd but doesn't stop the command.
    #[value(alias("warn"))]
    Warning,
    /// What a command did.
    Info,
    /// Its steps.
    #[value(alias("trace"))]
    Debug,
}

impl LogLevel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Where to log, and how.
#[derive(Debug, Default, Clone)]
pub struct Log {
    path: Option<PathBuf>,
    format: LogFormat,
}

impl Log {
    /// A log that appends to the file at `path`, or that has no file.
    ///
    /// # Errors
    /// Where the file can't be made or opened: the caller wants to know before anything is done.
    pub fn open(path: Option<&Path>, format: LogFormat) -> io::Result<Self> {
        // Later steps may have another working directory.
        let path = path.map(std::path::absolute).transpose()?;
        if let Some(path) = &path {
            open(path)?;
        }
        Ok(Self { path, format })
    }

    /// Whether there is a file.
    pub fn has_file(&self) -> bool {
        self.path.is_some()
    }

    /// Appends a line to the file; without one, nothing is done.
    ///
    /// The file is opened for each line: an open one would be there for the container's first process.
    ///
    /// # Errors
    /// Where the file can't be opened or written.
    pub fn write(&self, level: LogLevel, text: &str) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        open(path)?.write_all(self.line(level, text).as_bytes())
    }

    /// One event as this log has it, with its newline.
    pub fn line(&self, level: LogLevel, text: &str) -> String {
        line(self.format, level, text)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// One event, with its newline. Text is in the form that runc's logs have (logfmt).
pub(super) fn line(format: LogFormat, level: LogLevel, text: &str) -> String {
    let level = level.as_str();
    let now = chrono::Utc::now();
    match format {
        LogFormat::Text => {
            let time = now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let quoted = serde_json::Value::from(text);
            format!("time=\"{time}\" level={level} msg={quoted}\n")
        }
        LogFormat::Json => {
            let time = now.to_rfc3339();
            let event = serde_json::json!({ "level": level, "msg": text, "time": time });
            format!("{event}\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines_whatever_is_in_them() {
        let text = "a \"b\"\nc";
        let plain = line(LogFormat::Text, LogLevel::Error, text);
        assert!(
            plain.ends_with("Z\" level=error msg=\"a \\\"b\\\"\\nc\"\n"),
            "{plain}"
        );
        let json = line(LogFormat::Json, LogLevel::Error, text);
        assert_eq!(json.matches('\n').count(), 1);
        let event: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(event["level"], "error");
        assert_eq!(event["msg"], text);
        assert!(chrono::DateTime::parse_from_rfc3339(event["time"].as_str().unwrap()).is_ok());
        assert_eq!(event.as_object().unwrap().len(), 3);
    }

    #[test]
    fn a_log_appends_and_one_that_can_not_be_opened_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let log = Log::open(Some(&path), LogFormat::Text).unwrap();
        log.write(LogLevel::Info, "one").unwrap();
        log.write(LogLevel::Error, "two").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], "before");
        assert!(lines[1].ends_with("level=info msg=\"one\""), "{text}");
        assert!(lines[2].ends_with("level=error msg=\"two\""), "{text}");
        assert!(Log::open(Some(place.path()), LogFormat::Text).is_err());
        assert!(Log::open(Some(&place.path().join("no/log")), LogFormat::Text).is_err());
    }
}
