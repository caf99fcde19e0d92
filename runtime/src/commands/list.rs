//! `list`.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use runtime::container::{Error, OciState, Snapshot, Store};
use runtime::telling;

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
        let states: Vec<OciState> = containers.iter().map(Snapshot::oci_state).collect();
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
fn table(states: &[OciState]) -> String {
    const HEAD: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let body = states.iter().map(|state| {
        [
            state.id.to_owned(),
            state.pid.to_string(),
            state.status.to_string(),
            state.bundle.display().to_string(),
            state.created.to_owned(),
            state.owner.clone(),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(body)
        .collect();
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].len() + 3).max();
        widest.unwrap_or_default().max(12)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 6]| {
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
    use std::collections::HashMap;
    use std::path::Path;

    use runtime::container::Status;

    use super::*;

    #[test]
    fn columns_line_up() {
        let state = OciState {
            oci_version: "1.0.2",
            id: "a-rather-long-id",
            pid: 7,
            status: Status::Running,
            bundle: Path::new("/b"),
            rootfs: Path::new("/b/rootfs"),
            created: "2026-01-01T00:00:00Z",
            annotations: &HashMap::new(),
            owner: "root".to_owned(),
        };
        assert_eq!(
            table(&[state]),
            "ID                 PID         STATUS      BUNDLE      CREATED                OWNER\n\
             a-rather-long-id   7           running     /b          2026-01-01T00:00:00Z   root\n"
        );
    }
}
