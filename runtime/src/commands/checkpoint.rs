//! `checkpoint`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use runtime::container::{self, CriuOptions, DumpOptions};

use crate::global::Global;

/// What `checkpoint` and `restore` tell criu.
#[derive(Debug, clap::Args)]
pub struct CriuArguments {
    /// Directory of criu's images
    #[arg(long, value_name = "DIR", default_value = "checkpoint")]
    pub image_path: PathBuf,
    /// Directory of criu's log, where it isn't that of the images
    #[arg(long, value_name = "DIR")]
    pub work_path: Option<PathBuf>,
    /// Keep open TCP connections
    #[arg(long)]
    pub tcp_established: bool,
    /// Allow connections to unix sockets outside
    #[arg(long)]
    pub ext_unix_sk: bool,
    /// Allow a terminal of the caller's
    #[arg(long)]
    pub shell_job: bool,
    /// Keep file locks
    #[arg(long)]
    pub file_locks: bool,
    /// How criu deals with cgroups
    #[arg(long, value_name = "MODE", value_parser = ["soft", "full", "strict", "ignore"], default_value = "soft")]
    pub manage_cgroups_mode: String,
    /// Leave out what is in new namespaces of this kind
    #[arg(long, value_enum, value_name = "KIND")]
    pub empty_ns: Option<EmptyNamespace>,
    /// Drop pages of earlier images that later ones hold too
    #[arg(long)]
    pub auto_dedup: bool,
}

/// Namespaces whose content can be left out.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum EmptyNamespace {
    /// Interfaces, addresses and routes.
    Network,
}

impl CriuArguments {
    /// In the library's form; paths become absolute.
    ///
    /// # Errors
    /// Where there is no working directory to take a relative path from.
    pub fn options(&self, global: &Global) -> Result<CriuOptions> {
        Ok(CriuOptions {
            program: global.criu.clone(),
            images: std::path::absolute(&self.image_path)?,
            work: self
                .work_path
                .as_ref()
                .map(std::path::absolute)
                .transpose()?,
            tcp_established: self.tcp_established,
            external_unix_sockets: self.ext_unix_sk,
            shell_job: self.shell_job,
            file_locks: self.file_locks,
            empty_network: self.empty_ns.is_some(),
            auto_dedup: self.auto_dedup,
            cgroups_mode: self.manage_cgroups_mode.clone(),
        })
    }
}

/// Arguments of `checkpoint`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    criu: CriuArguments,
    /// Images of an earlier --pre-dump, below the same directory
    #[arg(long, value_name = "DIR")]
    pub parent_path: Option<PathBuf>,
    /// Save memory only, and let the container run
    #[arg(long)]
    pub pre_dump: bool,
    /// Let the container run afterwards
    #[arg(long)]
    pub leave_running: bool,
    /// The container's id
    pub id: String,
}

/// Saves a container's processes; the container is gone then, unless it is to run on.
pub fn execute(global: &Global, arguments: &Arguments) -> Result<ExitCode> {
    let options = DumpOptions {
        criu: arguments.criu.options(global)?,
        parent: arguments.parent_path.clone(),
        pre_dump: arguments.pre_dump,
        leave_running: arguments.leave_running,
    };
    container::checkpoint(&global.store(), &arguments.id, &options)?;
    Ok(ExitCode::SUCCESS)
}
