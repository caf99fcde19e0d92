//! How a command of ours tells what went wrong: one line, the cause after a colon.

use std::error::Error;
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

/// Tells a usage error on one line; help and version, which clap gives as errors too, are printed whole.
pub fn usage(program: &str, error: &clap::Error) -> ExitCode {
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
            eprintln!("{program}: {said}; hint: {program} --help");
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
