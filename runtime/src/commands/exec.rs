//! `exec`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use libcontainer::oci_spec::runtime::Capability;
use runtime::container::{
    self, Changes, ExecOptions, ExecRequest, SubCgroup, UserArgument, read_process,
};
use runtime::own_executable;

use crate::global::Global;

/// Arguments of `exec`. What follows the id is the command's.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Give the command a terminal
    #[arg(short, long)]
    pub tty: bool,
    /// Return as soon as the command executes
    #[arg(short, long)]
    pub detach: bool,
    /// Variable of the command, besides the bundle's; can be given more than once
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Working directory in the container
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// User of the command, by numbers
    #[arg(short, long, value_name = "UID[:GID]")]
    pub user: Option<UserArgument>,
    /// Supplementary group to add; can be given more than once
    #[arg(short = 'g', long, value_name = "GID", value_delimiter = ',')]
    pub additional_gids: Vec<u32>,
    /// Capability to add; can be given more than once
    #[arg(short, long, value_name = "NAME", value_parser = capability, value_delimiter = ',')]
    pub cap: Vec<Capability>,
    /// The command may never gain privileges
    #[arg(long)]
    pub no_new_privs: bool,
    /// AppArmor profile of the command
    #[arg(long, value_name = "PROFILE")]
    pub apparmor: Option<String>,
    /// SELinux label of the command
    #[arg(long, value_name = "LABEL")]
    pub process_label: Option<String>,
    /// File with the process as JSON, in the place of all that the bundle and other options say of it
    #[arg(short, long, value_name = "FILE")]
    pub process: Option<PathBuf>,
    /// File in which to write the process's pid
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Socket over which a pidfd of the process is sent
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,
    /// Socket over which the command's terminal is sent
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,
    /// Descriptors from 3 on that the command keeps
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u16,
    /// Go into a paused container, and wait there until it is resumed
    #[arg(long)]
    pub ignore_paused: bool,
    /// Cgroup below the container's to run in; can be given more than once
    #[arg(long, value_name = "[CONTROLLER,…:]PATH")]
    pub cgroup: Vec<SubCgroup>,
    /// The container's id
    pub id: String,
    /// The command and its arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub command: Vec<String>,
}

/// Executes a command in a container, and exits with its code unless it is detached.
pub fn execute(global: &Global, arguments: Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect the runtime's own executable")?;
    let options = ExecOptions {
        detach: arguments.detach,
        pid_file: arguments.pid_file.clone(),
        console_socket: arguments.console_socket.clone(),
        console: None,
        pidfd_socket: arguments.pidfd_socket.clone(),
        preserve_fds: arguments.preserve_fds,
        ignore_paused: arguments.ignore_paused,
        sub_cgroups: arguments.cgroup.clone(),
    };
    let id = arguments.id.clone();
    let request = request(arguments)?;
    let outcome = container::exec(&global.store(), &id, &request, &options)?;
    Ok(ExitCode::from(outcome.code))
}

fn request(arguments: Arguments) -> Result<ExecRequest> {
    if let Some(path) = &arguments.process {
        return Ok(ExecRequest::Whole(Box::new(read_process(path)?)));
    }
    Ok(ExecRequest::Changed(Changes {
        args: arguments.command,
        env: arguments.env,
        cwd: arguments.cwd,
        user: arguments.user,
        additional_gids: arguments.additional_gids,
        capabilities: arguments.cap,
        no_new_privileges: arguments.no_new_privs,
        apparmor: arguments.apparmor,
        label: arguments.process_label,
        terminal: arguments.tty,
    }))
}

/// A capability by its name, with or without `CAP_`, in either case.
fn capability(text: &str) -> Result<Capability, String> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    };
    serde_json::from_value(name.into()).map_err(|_| format!("\"{text}\" is no capability"))
}
