//! The end of a process that ran an execution.

use std::process::ExitCode;

use anyhow::Result;
use runtime::container::Execution;
use runtime::telling;

use super::{Begun, Report, ReportFile, exceeded};

/// Reports how it `ended`, and whether its sandbox was ready beforehand; tells on standard error which limit ended it.
/// Gives its exit code.
///
/// # Errors
/// Why it didn't start; where the report can't be written.
pub fn conclude(
    begun: Begun,
    file: Option<ReportFile>,
    ended: Result<(Execution, bool)>,
) -> Result<ExitCode> {
    let limits = begun.limits;
    if let Some(file) = file {
        file.write(&match &ended {
            Ok((execution, true)) => Report::ended(begun, execution).ran_ready(),
            Ok((execution, false)) => Report::ended(begun, execution),
            Err(error) => Report::not_started(begun, telling::line(error.as_ref())),
        })?;
    }
    let (execution, _) = ended?;
    let bound = execution.measured.and_then(|measured| measured.exceeded);
    if let Some(bound) = bound {
        telling::say(&format!("opt-server: {}\n", exceeded(bound, &limits)));
    }
    Ok(ExitCode::from(execution.outcome.code))
}
