//! How a command of ours tells what went wrong: one line, the cause after a colon.

mod log;
mod steps;

pub use log::{Log, LogFormat, LogLevel};
pub(crate) use steps::follow_this_process;
pub use steps::log_steps;

use std::error::Error;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// The exit code of errors that are ours and not the command's.
pub const OURS: u8 = 125;

/// `error` and its causes on one line; a cause that an error above it tells already isn't repeated.
pub fn line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let below = source.to_string();
        if !text.contains(&below) {
            text = format!("{text}: {below}");
        }
        cause = source.source();
    }
    one_line(&text, LONGEST_LINE)
}

/// The longest text of somebody else's that is shown, characters.
const LONGEST_SHOWN: usize = 200;

/// The longest line, bytes: room for a path and for the end of another.
const LONGEST_LINE: usize = 8192;

/// The longest usage error, bytes.
const LONGEST_USAGE: usize = 800;

/// `text` as it can be shown inside a message, whatever is in it: cut where it is long, and without control
/// characters, which a terminal might act upon.
pub(crate) fn shorten(text: &str) -> String {
    let shown: String = text.chars().take(LONGEST_SHOWN).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    escape(&shown) + dots
}

/// `text` on one line of at most so many bytes, without control characters.
fn one_line(text: &str, longest: usize) -> String {
    let mut line = escape(text);
    if line.len() > longest {
        line.truncate(line.floor_char_boundary(longest));
        line.push('…');
    }
    line
}

/// Line ends become spaces, as a message of several lines is still read as a sentence.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => escaped.push(' '),
            control if control.is_control() => escaped.extend(control.escape_default()),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes `text` to standard output. A reader that has gone has what it wanted, and is no error: the code
/// is then what it would have been.
///
/// # Errors
/// Any other failure, such as a full disk.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("write: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes `text` to standard error; there is nobody to tell that it can't be written.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Tells an error: one line on standard error, and one in the log.
pub fn fail(program: &str, log: &Log, text: &str) {
    say(&format!("{program}: error: {text}\n"));
    if let Err(error) = log.write(LogLevel::Error, text) {
        say(&format!("{program}: error: write log: {error}\n"));
    }
}

/// Tells a usage error on one line, in the log too; help and version, which clap gives as errors as well, are
/// printed whole.
pub fn usage(program: &str, log: &Log, error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };

    match error.kind() {
        DisplayHelp | DisplayVersion => {
            let _ = error.print();
            ExitCode::SUCCESS
        }
        DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(OURS)
        }
        _ => {
            // The first paragraph says it; the usage after it is what --help prints.
            let text = error.to_string();
            let said: Vec<&str> = text
                .lines()
                .map(str::trim)
                .take_while(|line| !line.is_empty())
                .collect();
            let said = said.join(" ");
            let said = said.strip_prefix("error: ").unwrap_or(&said);
            // Arguments can be long, and are what the caller knows already.
            let said = one_line(said, LONGEST_USAGE);
            fail(program, log, &format!("{said}; hint: {program} --help"));
            ExitCode::from(OURS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {source}")]
    struct Repeating {
        source: std::io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outermost")]
    struct Plain {
        source: Repeating,
    }

    #[test]
    fn a_cause_is_told_once() {
        let source = std::io::Error::other("the\ncause");
        let error = Plain {
            source: Repeating { source },
        };
        assert_eq!(line(&error), "outermost: outer: the cause");
    }

    #[test]
    fn a_terminal_finds_nothing_to_act_upon_and_a_line_has_an_end() {
        assert_eq!(shorten("a\u{1b}[2J\r\nb\u{9b}"), "a\\u{1b}[2J\\r b\\u{9b}");
        assert_eq!(shorten(&"ü".repeat(201)), "ü".repeat(200) + "…");
        let error = std::io::Error::other("ü".repeat(9000));
        let line = line(&error);
        assert!(line.len() < LONGEST_LINE + 4 && line.ends_with("ü…"));
    }
}
