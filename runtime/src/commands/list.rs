//! `list`.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use runtime::container::{Error, Snapshot, Store};
use runtime::telling;
use serde_json::Value;

use crate::global::Global;

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How to print
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
}

/// How to print.
#[derive(Debug, Default, Clone, Copy, ValueEnum)]
pub enum Format {
    /// A line a container.
    #[default]
    Table,
    /// An array of objects, each as `state` prints it.
    Json,
}

/// Lists the containers of a state directory.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let containers = containers(&global.store())?;
    let text = if arguments.quiet {
        containers
            .iter()
            .map(|one| format!("{}\n", one.id))
            .collect()
    } else {
        let states: Vec<Value> = containers.iter().map(Snapshot::oci_state).collect();
        match arguments.format {
            Format::Table => table(&states),
            Format::Json => format!("{}\n", serde_json::to_string(&states)?),
        }
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Those that can be read: a shared directory may hold other users' too, and one may go in the meantime.
fn containers(store: &Store) -> Result<Vec<Snapshot>> {
    let mut containers = vec![];
    for id in store.ids()? {
        match store.glance(&id) {
            Ok(container) => containers.push(container),
            Err(error) if is_anothers(&error) => {}
            Err(error) => telling::say(&format!(
                "opt-runtime: warning: container {id}: {}\n",
                telling::line(&error)
            )),
        }
    }
    Ok(containers)
}

fn is_anothers(error: &Error) -> bool {
    match error {
        Error::DoesNotExist(_) | Error::InvalidId(_) => true,
        Error::Io { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
        _ => false,
    }
}

/// Columns as wide as their widest cell, at least 12, with 3 spaces between them, as runc has them.
fn table(states: &[Value]) -> String {
    const KEYS: [&str; 6] = ["id", "pid", "status", "bundle", "created", "owner"];
    let cell = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let head = KEYS.map(str::to_uppercase).to_vec();
    let body = states
        .iter()
        .map(|state| KEYS.map(|key| cell(&state[key])).to_vec());
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].len() + 3).max();
        widest.unwrap_or_default().max(12)
    };
    let widths: Vec<usize> = (0..KEYS.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let text: String = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", text.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up() {
        let state = json!({
            "id": "a-rather-long-id", "pid": 7, "status": "running", "bundle": "/b",
            "created": "2026-01-01T00:00:00Z", "owner": "root",
        });
        assert_eq!(
            table(&[state]),
            "ID                 PID         STATUS      BUNDLE      CREATED                OWNER\n\
             a-rather-long-id   7           running     /b          2026-01-01T00:00:00Z   root\n"
        );
    }
}
