//! `setupRoot` and `unsetupRoot`: a container for a job, made by root beforehand, with Shifter's arguments.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use bundles::shifter::records::hosts_file;
use bundles::shifter::trusted::ROOT;
use bundles::shifter::{Config, config};
use nix::unistd::geteuid;

use super::image::place::{State, absolute};
use crate::container::job::{Asked, Key, remove, set_up};

/// The site, for whoever prepares containers.
#[derive(Debug, clap::Args)]
pub struct Site {
    /// The site's configuration
    #[arg(long, value_name = "FILE", default_value = config::USUAL_PATH, value_parser = absolute)]
    config: PathBuf,
    #[command(flatten)]
    pub state: State,
}

impl Site {
    /// Its configuration. Only root prepares containers.
    pub fn configuration(&self) -> Result<Config> {
        if !geteuid().is_root() {
            bail!("only root prepares containers; hint: this belongs in a job's prolog and epilog");
        }
        Ok(Config::read(&self.config, &ROOT)?)
    }
}

/// Arguments of `setupRoot`: Shifter's.
#[derive(Debug, clap::Args)]
pub struct SetUp {
    /// What is to be where in the container
    #[arg(short = 'v', value_name = "FROM:TO[:ro]")]
    volumes: Vec<String>,
    /// A public key that the sshd of one of the modules is to let in
    #[arg(short = 's', value_name = "KEY")]
    ssh_key: Option<String>,
    /// Whose container it is
    #[arg(short = 'u', value_name = "NAME")]
    user: Option<String>,
    /// Likewise, by uid
    #[arg(short = 'U', value_name = "UID")]
    uid: Option<u32>,
    /// The user's gid
    #[arg(short = 'G', value_name = "GID")]
    gid: Option<u32>,
    /// The job's hosts and the tasks of each, for /var/hostsfile
    #[arg(short = 'N', value_name = "HOST/TASKS ...")]
    hosts: Option<String>,
    /// Modules of the site's, in place of its default ones
    #[arg(short = 'm', value_name = "NAME,…")]
    modules: Option<String>,
    /// Accepted, as Shifter does
    #[arg(short = 'V', hide = true)]
    verbose: bool,
    #[command(flatten)]
    site: Site,
    /// The image's type: docker, custom or id
    #[arg(value_name = "TYPE")]
    kind: String,
    /// The image's identifier in the store
    #[arg(value_name = "IDENTIFIER")]
    identifier: String,
}

/// Arguments of `unsetupRoot`: none of Shifter's.
#[derive(Debug, clap::Args)]
pub struct Unset {
    #[command(flatten)]
    site: Site,
}

/// Makes the container of the job that Slurm's variable names, or of the one job that has this node.
pub fn set(arguments: &SetUp) -> Result<ExitCode> {
    let config = arguments.site.configuration()?;
    let asked = Asked {
        key: Key::of_this_process()?,
        user: arguments.user.clone(),
        uid: arguments.uid,
        gid: arguments.gid,
        image: format!("{}:{}", arguments.kind, arguments.identifier),
        is_identifier: true,
        volumes: arguments.volumes.join(";"),
        modules: arguments.modules.clone(),
        hosts: arguments.hosts.as_deref().map(hosts_file).transpose()?,
        ssh_key: arguments.ssh_key.clone(),
    };
    set_up(&config, &asked, &arguments.site.state.state)?;
    Ok(ExitCode::SUCCESS)
}

/// Takes it away.
pub fn unset(arguments: &Unset) -> Result<ExitCode> {
    let config = arguments.site.configuration()?;
    remove(
        &config,
        &Key::of_this_process()?,
        &arguments.site.state.state,
    )?;
    Ok(ExitCode::SUCCESS)
}
