//! `keys`.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::DateTime;
use runtime::telling;
use serde_json::json;

use crate::server::keys::{Key, KeyFile, KeyLimits, NewKey, User};
use crate::server::{DEFAULT_STATE, Name, make_state};

/// Arguments of `keys`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's state directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_STATE, global = true)]
    state: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key and print it, once
    Add(New),
    /// List the keys
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key; it is dead at once
    Revoke {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// The function that it was made for
        #[arg(long, value_name = "FUNCTION", value_parser = name)]
        function: Option<Name>,
    },
    /// Make a master key in the place of the old one, and print it, once
    Master,
}

#[derive(Debug, clap::Args)]
struct New {
    /// A name, to list and revoke it by
    #[arg(value_parser = name)]
    name: Name,
    /// Whose it is, as "user-groups" of config.json names users [default: the user of the key's name]
    #[arg(long, value_name = "USER", value_parser = user)]
    user: Option<User>,
    /// The one function that it calls [default: every one]
    #[arg(long, value_name = "FUNCTION", value_parser = name)]
    function: Option<Name>,
    /// Let it run command lines too
    #[arg(long, conflicts_with = "metrics")]
    commands: bool,
    /// Let it read metrics, and nothing else
    #[arg(long)]
    metrics: bool,
    /// Limit of memory for each execution, in megabytes
    #[arg(long, value_name = "MB")]
    max_memory: Option<NonZeroU64>,
    /// Limit of time for each execution, in minutes
    #[arg(long, value_name = "MINUTES")]
    max_time: Option<NonZeroU64>,
    /// Executions at once
    #[arg(long, value_name = "NUMBER")]
    max_parallel_jobs: Option<NonZeroU64>,
}

fn user(text: &str) -> Result<User, String> {
    User::try_from(text.to_owned())
}

fn name(text: &str) -> Result<Name, &'static str> {
    Name::try_from(text.to_owned())
}

/// Makes, lists or revokes keys.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let state = &arguments.state;
    let keys = KeyFile::of(state);
    match &arguments.action {
        Action::Add(new) => {
            make_state(state).with_context(|| state.display().to_string())?;
            let secret = keys.add(NewKey {
                name: new.name.clone(),
                user: new.user.clone(),
                function: new.function.clone(),
                commands: new.commands,
                metrics: new.metrics,
                limits: KeyLimits {
                    max_memory: new.max_memory,
                    max_time: new.max_time,
                    max_parallel_jobs: new.max_parallel_jobs,
                },
            })?;
            telling::print(&format!("{secret}\n"))?;
        }
        Action::List { json } => list(&keys.list()?, *json)?,
        Action::Revoke { name, function } => {
            keys.revoke(name.as_str(), function.as_ref().map(Name::as_str))?;
        }
        Action::Master => {
            make_state(state).with_context(|| state.display().to_string())?;
            telling::print(&format!("{}\n", keys.renew_master()?))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(keys: &[Key], as_json: bool) -> Result<()> {
    if as_json {
        let told: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "name": key.name,
                    "user": key.user(),
                    "function": key.function,
                    "commands": key.commands,
                    "metrics": key.metrics,
                    "limits": key.limits,
                    "created": created(key),
                })
            })
            .collect();
        telling::print(&format!("{:#}\n", json!(told)))?;
        return Ok(());
    }
    let mut table = format!(
        "{:<24} {:<24} {:<16} {:<20} LIMITS\n",
        "NAME", "USER", "CALLS", "CREATED"
    );
    for key in keys {
        let line = format!(
            "{:<24} {:<24} {:<16} {:<20} {}",
            key.name,
            key.user(),
            calls(key),
            created(key),
            limits(key.limits)
        );
        table.push_str(line.trim_end());
        table.push('\n');
    }
    telling::print(&table)?;
    Ok(())
}

fn calls(key: &Key) -> String {
    if key.metrics {
        return "metrics".to_owned();
    }
    let functions = key.function.as_ref().map_or("functions", Name::as_str);
    if key.commands {
        format!("{functions}, commands")
    } else {
        functions.to_owned()
    }
}

fn created(key: &Key) -> String {
    let seconds = i64::try_from(key.created).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn limits(limits: KeyLimits) -> String {
    let told = |limit: Option<NonZeroU64>, unit| limit.map(|limit| format!("{limit} {unit}"));
    let all = [
        told(limits.max_memory, "MB"),
        told(limits.max_time, "min"),
        told(limits.max_parallel_jobs, "at once"),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
