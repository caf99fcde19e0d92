//! `create`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use runtime::container::{self, CONFIG, CreateOptions};
use runtime::own_executable;

use crate::global::Global;

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The bundle's directory
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub bundle: PathBuf,
    /// The file in the bundle to read in place of config.json
    #[arg(short = 'f', long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// File in which to write the process's pid
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Socket over which a pidfd of the process is sent
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,
    /// Socket over which the command's terminal is sent
    #[arg(long, value_name = "SOCKET")]
    pub console_socket: Option<PathBuf>,
    /// Move to the new root without pivot_root, for a root file system in memory
    #[arg(long)]
    pub no_pivot: bool,
    /// Leave the command the caller's session keyring
    #[arg(long)]
    pub no_new_keyring: bool,
    /// Descriptors from 3 on that the command keeps
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub preserve_fds: u16,
    /// The container's id
    pub id: String,
}

/// Creates a container and leaves it waiting for `start`.
pub fn execute(global: &Global, arguments: Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect the runtime's own executable")?;
    let (bundle, changes) = global.bundle(&arguments.bundle, &arguments.config)?;
    let options = CreateOptions {
        pid_file: arguments.pid_file,
        console_socket: arguments.console_socket,
        pidfd_socket: arguments.pidfd_socket,
        preserve_fds: arguments.preserve_fds,
        activated_sockets: container::activated_sockets(),
        no_pivot: arguments.no_pivot,
        no_new_keyring: arguments.no_new_keyring,
        supervised: false,
        host: global.host(),
        ..CreateOptions::default()
    };
    container::create(&global.store(), &arguments.id, &bundle, &options)?;
    global.note_changes(&changes);
    Ok(ExitCode::SUCCESS)
}
