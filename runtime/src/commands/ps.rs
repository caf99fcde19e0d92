//! `ps`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use runtime::container::members;
use runtime::telling;

use crate::global::Global;

/// Arguments of `ps`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A table of the host's ps, or the pids as JSON
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The container's id, and options of the host's ps [default: -ef]
    // One list: what follows the id is ps's, even where we have an option of that name.
    #[arg(
        value_names = ["ID", "PS OPTIONS"],
        required = true,
        num_args = 1..,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub words: Vec<String>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines of the host's ps.
    Table,
    /// An array of pids.
    Json,
}

/// Prints the container's processes, with the pids that they have for us.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let (id, options) = arguments.words.split_first().context("ps: no id")?;
    let pids = members(&global.store().look(id)?)?;
    let text = match arguments.format {
        Format::Json => serde_json::to_string(&pids)? + "\n",
        Format::Table => table(&pids, options)?,
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(pids: &[i32], options: &[String]) -> Result<String> {
    let mut command = Command::new("ps");
    match options {
        [] => command.arg("-ef"),
        options => command.args(options),
    };
    let output = command.output().context("run the host's ps")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("ps: {}", text.trim().replace('\n', " "));
    }
    select(&String::from_utf8_lossy(&output.stdout), pids)
}

/// The heading, and the lines whose column `PID` is one of `pids`.
fn select(table: &str, pids: &[i32]) -> Result<String> {
    let heading = table.lines().next().unwrap_or_default();
    let column = heading.split_whitespace().position(|name| name == "PID");
    let column = column.context("ps: no column PID in its table; hint: let its options show it")?;
    let is_ours = |line: &&str| {
        let pid = line.split_whitespace().nth(column);
        pid.and_then(|pid| pid.parse().ok())
            .is_some_and(|pid| pids.contains(&pid))
    };
    let lines = table.lines().skip(1).filter(is_ours);
    Ok(std::iter::once(heading)
        .chain(lines)
        .map(|line| format!("{line}\n"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_containers_lines_are_selected() {
        let table = "USER   PID COMMAND\nroot    12 12 a\nroot   120 b\nroot     7 c\n";
        let selected = select(table, &[12, 7]).unwrap();
        assert_eq!(
            selected,
            "USER   PID COMMAND\nroot    12 12 a\nroot     7 c\n"
        );
        assert!(select("USER COMMAND\nroot x\n", &[1]).is_err());
        assert!(select("", &[1]).is_err());
    }
}
