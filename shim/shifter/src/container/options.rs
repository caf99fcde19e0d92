//! Shifter's options, and ours.

use std::path::PathBuf;

use bundles::shifter::cdi::USUAL_DIRECTORIES;
use bundles::shifter::command::{EntryPoint, WorkingDirectory};

use crate::commands::image::place::{State, absolute};

/// Which container, for whom, and what runs in it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The image: docker:NAME, custom:NAME or id:IDENTIFIER, or a file of your own, beginning with / or ./
    #[arg(short, long, value_name = "[TYPE:]NAME|FILE")]
    pub image: Option<String>,
    /// What is to be where in the container; several are separated by ; or given one by one
    #[arg(short = 'V', long = "volume", value_name = "FROM:TO[:ro]")]
    pub volumes: Vec<String>,
    /// Modules of the site's, in place of its default ones; none for no module
    #[arg(short, long, value_name = "NAME,…")]
    pub module: Option<String>,
    /// A device of the site's specifications
    #[arg(long = "device", value_name = "VENDOR/CLASS=NAME")]
    pub devices: Vec<String>,
    /// Where these are [default: /etc/cdi and /var/run/cdi]
    #[arg(long = "cdi-spec-dir", value_name = "DIR")]
    pub specifications: Vec<PathBuf>,
    /// A variable for the command
    #[arg(short, long = "env", value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// A file of variables, one a line: as the container has it, or else the caller
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// A variable that the command is not to have
    #[arg(long, value_name = "NAME")]
    pub unset_env: Vec<String>,
    /// Leave the caller's variables behind
    #[arg(short = 'E', long)]
    pub clearenv: bool,
    /// With --clearenv, a variable of the caller's that the command is to have all the same
    #[arg(long, value_name = "NAME", requires = "clearenv")]
    pub keep_env: Vec<String>,
    /// Let the command write to the root file system; what it writes is kept in memory, and gone when it ends
    #[arg(long)]
    pub writable: bool,
    /// Use the image's entry point, or this program in its place
    #[arg(
        long,
        alias = "entry",
        value_name = "PROGRAM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub entrypoint: Option<String>,
    /// Run what `docker run` would: the image's entry point with COMMAND or else its own command, in its working directory
    #[arg(long, conflicts_with = "entrypoint")]
    pub as_docker: bool,
    /// Run in the image's working directory, or in this one
    #[arg(
        short,
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub workdir: Option<String>,
    /// See the processes of this user's other containers that say the same, and be seen by them, as a job's step's tasks do
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "no_share_tasks"
    )]
    pub share_tasks: Option<String>,
    /// Be in a pid namespace of one's own, also as one of a step's several tasks on a node
    #[arg(long)]
    pub no_share_tasks: bool,
    /// Whose container it is: root has to say so, and nobody else can be anybody else
    #[arg(short, long, value_name = "NAME|UID:GID")]
    pub user: Option<String>,
    /// The site's configuration [default: /etc/shifter/udiRoot.conf]
    #[arg(long, value_name = "FILE", value_parser = absolute)]
    pub config: Option<PathBuf>,
    /// The site's policy, which says what reads users' own images: fuse, kernel or none
    #[arg(long, value_name = "FILE")]
    pub policy: Option<String>,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    #[command(flatten)]
    pub state: State,
    /// Accepted, as Shifter does
    #[arg(short, long, hide = true)]
    pub verbose: bool,
    /// Likewise
    #[arg(short = 'n', hide = true)]
    pub nothing: bool,
    /// The command and its arguments [default: /bin/sh]
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl Options {
    /// Where specifications of devices are.
    pub(super) fn specifications(&self) -> Vec<PathBuf> {
        match self.specifications.is_empty() {
            true => USUAL_DIRECTORIES.map(PathBuf::from).to_vec(),
            false => self.specifications.clone(),
        }
    }

    pub(super) fn entry_point(&self) -> EntryPoint {
        match self.entrypoint.as_deref() {
            None if self.as_docker => EntryPoint::AsDocker,
            None => EntryPoint::Unused,
            Some("") => EntryPoint::Images,
            Some(program) => EntryPoint::Given(program.to_owned()),
        }
    }

    pub(super) fn working_directory(&self) -> WorkingDirectory {
        match self.workdir.as_deref() {
            None if self.as_docker => WorkingDirectory::AsDocker,
            None => WorkingDirectory::Callers,
            Some("") => WorkingDirectory::Images,
            Some(directory) => WorkingDirectory::Given(directory.to_owned()),
        }
    }
}
