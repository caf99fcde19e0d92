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
    text.replace('\n', " ")
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
    say(&format!("{program}: {text}\n"));
    if let Err(error) = log.write(LogLevel::Error, text) {
        say(&format!("{program}: write log: {error}\n"));
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
}
