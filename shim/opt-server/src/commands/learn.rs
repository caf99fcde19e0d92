//! `learn`.
//!
//! The command runs in its own sandbox, with everything that the host has readable in it: the same environment,
//! identity, project and system calls as later, so that it looks for the same files; and no way to write
//! anywhere else, nor to the network, whatever it does.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bundles::elf::{Resolver, Role};
use bundles::opt_server::config::{Command, Config, MountDependencies};
use bundles::opt_server::learn::{Brought, Learned, Proposal, Seen, propose};
use bundles::opt_server::{Request, Sandbox};
use bundles::promise::parse_mountinfo;
use nix::unistd::dup2;
use runtime::container::{Looked, Store, Wanted};
use runtime::{own_executable, telling};
use serde_json::json;

use crate::command_line::CommandLine;
use crate::configuration::Configuration;
use crate::execution::{self, LimitFlags, sandboxed};

/// Arguments of `learn`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Propose a directory instead of this many of its entries, or more
    #[arg(long, value_name = "N", default_value_t = 5)]
    fold: usize,
    /// Print what was learnt as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    line: CommandLine,
    // Last: what follows would stand under its heading.
    #[command(flatten)]
    limits: LimitFlags,
}

/// Runs one command line with the whole host readable, and prints what to mount for it. What the command prints
/// goes to standard error.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect this executable")?;
    let config = arguments.configuration.load()?;
    let claimed = execution::claim(&arguments.line.project, config.extensions.identity)?;
    let limits = arguments.limits.limits()?;
    let resolver = Resolver::host().context("read this host's library configuration")?;
    let own = arguments.line.request(&config, claimed.identity, limits)?;
    let command = own.command;
    let wide = wide(command)?;
    let everything = Request {
        command: &wide,
        ..own.clone()
    };
    let limits = own.limits();
    let is_by_files = command.mount_dependencies == MountDependencies::Files;
    let narrow = Sandbox::plan(own, &resolver)?;
    let sandbox = Sandbox::plan(everything, &resolver)?;
    let mut bounds = execution::bounds(command, &limits, false, true);
    bounds.observes = true;
    let looked = with_output_to_stderr(|| {
        let store = Store::at(arguments.root.clone());
        let ended = sandboxed::run(&store, &sandbox, claimed.identity, &bounds, |_| {}, |_| {})?;
        if ended.outcome.code != 0 {
            let code = ended.outcome.code;
            telling::say(&format!(
                "opt-server: warning: the command ended with {code}: what it would have opened later isn't known\n"
            ));
        }
        Ok(ended
            .measured
            .map(|measured| measured.looked)
            .unwrap_or_default())
    })?;
    let seen = seen(&looked, &resolver);
    // Where libraries come with their whole directories, those of a plug-in are better named one by one.
    let brings = |path: &Path| match is_by_files {
        true => brought(&resolver, command, path),
        false => vec![],
    };
    let shows = |path: &Path| narrow.shows(path);
    let learned = propose(&seen, shows, brings, arguments.fold);
    let text = match arguments.json {
        true => as_json(&config, command, &learned)?,
        false => as_table(command, &learned),
    };
    telling::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The command with every directory of the host's readable, but those that the sandbox has of its own. What is
/// mounted elsewhere doesn't come with the directory above it, so it is named too.
fn wide(command: &Command) -> Result<Command> {
    let mut paths = BTreeSet::new();
    for entry in fs::read_dir("/").context("read /")? {
        paths.insert(entry.context("read /")?.path());
    }
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").context("read mountinfo")?;
    let mounted = parse_mountinfo(&mountinfo).context("read mountinfo")?;
    paths.extend(mounted.into_iter().map(|mount| mount.path));
    let own = [
        "/proc",
        "/dev",
        "/sys",
        "/tmp",
        "/project",
        "/run",
        "/lost+found",
    ];
    let is_own = |path: &PathBuf| own.iter().any(|own| path.starts_with(own));
    paths.retain(|path| path != Path::new("/") && !is_own(path) && path.exists());
    let mut wide = command.clone();
    wide.mount_readable.extend(paths);
    Ok(wide)
}

/// Runs `body` with standard output leading where standard error does: it is for what was learnt.
fn with_output_to_stderr<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // Closed when a program is executed: no command is to have it.
    let own = std::io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .context("copy standard output")?;
    dup2(2, 1).context("redirect standard output")?;
    let result = body();
    dup2(own.as_raw_fd(), 1).context("restore standard output")?;
    result
}

/// What was opened and is there; for programs, their dynamic loaders and interpreters too, which the kernel
/// opens by itself.
fn seen(looked: &[Looked], resolver: &Resolver) -> Vec<Seen> {
    let mut seen = vec![];
    let used = looked
        .iter()
        .filter(|looked| !looked.is_written && looked.wanted != Wanted::ToKnow);
    for looked in used {
        let is_executed = looked.wanted == Wanted::ToExecute;
        let Some(canonical) = &looked.found else {
            continue;
        };
        seen.push(Seen {
            path: looked.path.clone(),
            canonical: canonical.clone(),
            is_directory: looked.is_directory,
            is_executed,
            process: looked.process.clone(),
        });
        let executed = is_executed.then(|| resolver.resolve(canonical).ok());
        let files = executed.flatten().into_iter().flat_map(|found| found.files);
        let opened_by_kernel =
            files.filter(|file| matches!(file.role, Role::Interpreter | Role::ScriptInterpreter));
        seen.extend(opened_by_kernel.map(|file| Seen {
            path: file.path,
            canonical: file.canonical,
            is_directory: false,
            is_executed: true,
            process: looked.process.clone(),
        }));
    }
    seen
}

/// What would be mounted with `path`, if it were given to `dlopen`; nothing where it couldn't be.
fn brought(resolver: &Resolver, command: &Command, path: &Path) -> Vec<Brought> {
    let resolved = resolver.resolve_with(&command.executable, &[path.to_owned()]);
    let files = resolved.into_iter().flat_map(|found| found.files);
    files
        .map(|file| Brought {
            path: file.path,
            canonical: file.canonical,
        })
        .collect()
}

fn as_table(command: &Command, learned: &Learned) -> String {
    let mut text = format!(
        "command \"{}\": {} files are shown already, {} entries would have to be added\n",
        command.name,
        learned.shown,
        learned.proposals.len()
    );
    for (key, note) in [
        ("mount-readable", ""),
        ("dlopen", ", with the libraries that each needs"),
    ] {
        let proposals: Vec<&Proposal> = of(learned, key).collect();
        if !proposals.is_empty() {
            text.push_str(&format!("to \"{key}\"{note}:\n"));
        }
        let width = proposals.iter().map(|one| one.path.as_os_str().len()).max();
        let width = width.unwrap_or(0) + 1;
        for one in proposals {
            let slash = if one.is_directory { "/" } else { "" };
            let path = format!("{}{slash}", one.path.display());
            text.push_str(&format!("  {path:<width$}  {}\n", how(one)));
        }
    }
    if !learned.optional.is_empty() {
        text.push_str("left out, for commands do without:\n");
    }
    for (path, what) in &learned.optional {
        text.push_str(&format!("  {}  {what}\n", path.display()));
    }
    text
}

fn of<'a>(learned: &'a Learned, key: &str) -> impl Iterator<Item = &'a Proposal> {
    learned.proposals.iter().filter(move |one| one.key == key)
}

/// How a path was used, and by whom.
fn how(one: &Proposal) -> String {
    let how = if one.is_executed {
        "executed"
    } else {
        "opened"
    };
    let by = one.processes.join(", ");
    let brings = match one.brings.len() {
        0 => String::new(),
        1 => ", and brings 1 other".to_owned(),
        count => format!(", and brings {count} others"),
    };
    match one.is_directory {
        true => format!("{} files of it {how} by {by}", one.files),
        false => format!("{how} by {by}{brings}"),
    }
}

fn as_json(config: &Config, command: &Command, learned: &Learned) -> Result<String> {
    let proposals = learned.proposals.iter().map(|one| {
        json!({
            "path": one.path, "key": one.key, "directory": one.is_directory, "files": one.files,
            "executed": one.is_executed, "opened_by": one.processes, "brings": one.brings,
        })
    });
    let optional = learned.optional.iter();
    let optional = optional.map(|(path, what)| json!({ "path": path, "what": what }));
    let mut readable = command.mount_readable.clone();
    readable.extend(of(learned, "mount-readable").map(|one| one.path.clone()));
    // To be put into the command's entry.
    let mut snippet = json!({ "mount-readable": readable });
    let mut declared = command.extensions.dlopen.clone();
    declared.extend(of(learned, "dlopen").map(|one| one.path.clone()));
    if !declared.is_empty() {
        snippet["x-opt-runtime"] = json!({ "dlopen": declared });
    }
    let whole = json!({
        "config": config.path,
        "command": command.name,
        "shown_already": learned.shown,
        "proposals": proposals.collect::<Vec<_>>(),
        "left_out": optional.collect::<Vec<_>>(),
        "snippet": snippet,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&whole)?))
}
