//! `image list`: the images in use on this node.

use std::process::ExitCode;

use anyhow::Result;
use runtime::telling;
use serde_json::json;

use super::place::State;
use crate::images::Node;

/// Arguments of `image list`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    state: State,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Prints a line for each: the file system, the file, the processes that hold it and where it is mounted to stay.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let uses = Node::open(&arguments.state.state)?.uses()?;
    let text = if arguments.json {
        let all: Vec<_> = uses
            .iter()
            .map(|used| {
                json!({ "image": used.image, "format": used.kind, "pids": used.pids, "places": used.places })
            })
            .collect();
        format!("{}\n", serde_json::to_string_pretty(&all)?)
    } else {
        let lines = uses.iter().map(|used| {
            let holders = [&used.pids[..], &used.places[..]].concat().join(" ");
            format!("{:<8} {} {holders}\n", used.kind, used.image)
        });
        lines.collect()
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
