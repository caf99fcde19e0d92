//! Flags of the commands that create a container.

use std::path::PathBuf;

use runtime::container::{self, CreateOptions};

use crate::global::Global;

/// How to create.
#[derive(Debug, clap::Args)]
pub struct Creating {
    /// File in which to write the process's pid
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Socket over which a pidfd of the process is sent
    #[arg(long, value_name = "SOCKET")]
    pub pidfd_socket: Option<PathBuf>,
    /// Socket over which the command's terminal is sent, where nobody holds it in the foreground
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
}

impl Creating {
    /// With what the environment and the global flags say; `supervised`: whether the container is held in the
    /// foreground.
    pub fn options(self, global: &Global, supervised: bool) -> CreateOptions {
        CreateOptions {
            pid_file: self.pid_file,
            console_socket: self.console_socket,
            pidfd_socket: self.pidfd_socket,
            preserve_fds: self.preserve_fds,
            activated_sockets: container::activated_sockets(),
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            supervised,
            host: global.host(),
            ..CreateOptions::default()
        }
    }
}
