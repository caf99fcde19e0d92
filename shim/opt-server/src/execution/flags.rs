//! Limits on the command line.

use anyhow::{Context, Result};
use bundles::opt_server::config::{Config, ConfigError, Limit, Limits};

/// The limits of a user group.
#[derive(Debug, Default, clap::Args)]
pub struct GroupFlag {
    /// User group of the configuration whose limits hold besides
    #[arg(long, value_name = "NAME")]
    user_group: Option<String>,
}

impl GroupFlag {
    /// Its limits; none where it isn't given.
    ///
    /// # Errors
    /// Where the configuration has no such group.
    pub fn limits(&self, config: &Config) -> Result<Limits, ConfigError> {
        let group = self.user_group.as_deref();
        let group = group
            .map(|name| config.named_user_group(name))
            .transpose()?;
        Ok(group.map(|group| group.limits).unwrap_or_default())
    }
}

/// Each narrows what the configuration says: the smaller value counts.
#[derive(Debug, Default, clap::Args)]
#[command(
    next_help_heading = "Limits (of each, the smaller of this one and the configuration's counts)"
)]
pub struct LimitFlags {
    /// Memory of all its processes together, swap included, in MB of 1048576 bytes
    #[arg(long, value_name = "MB")]
    max_memory: Option<String>,
    /// Time on the clock; then SIGTERM, and after the grace SIGKILL
    #[arg(long, value_name = "MINUTES")]
    max_time: Option<String>,
    /// Processor time of all its processes together
    #[arg(long, value_name = "SECONDS")]
    max_cpu_time: Option<String>,
    /// Time on the clock, finer
    #[arg(long, value_name = "SECONDS")]
    max_wall_time: Option<String>,
    /// From the end of its time to its being killed
    #[arg(long, value_name = "SECONDS")]
    grace: Option<String>,
    /// Processes and threads
    #[arg(long, value_name = "N")]
    max_processes: Option<String>,
    /// Standard output and standard error together
    #[arg(long, value_name = "BYTES")]
    max_output: Option<String>,
    /// The largest file that it may write
    #[arg(long, value_name = "BYTES")]
    max_file_size: Option<String>,
    /// Open files of each process
    #[arg(long, value_name = "N")]
    max_open_files: Option<String>,
    /// What fits into its /tmp
    #[arg(long, value_name = "BYTES")]
    scratch_size: Option<String>,
}

impl LimitFlags {
    /// The limits that are set.
    ///
    /// # Errors
    /// A value that is no number, or too small or too large to be meant.
    pub fn limits(&self) -> Result<Limits> {
        let given = [
            ("max-memory", &self.max_memory),
            ("max-time", &self.max_time),
            ("max-cpu-time", &self.max_cpu_time),
            ("max-wall-time", &self.max_wall_time),
            ("grace", &self.grace),
            ("max-processes", &self.max_processes),
            ("max-output", &self.max_output),
            ("max-file-size", &self.max_file_size),
            ("max-open-files", &self.max_open_files),
            ("scratch-size", &self.scratch_size),
        ];
        let mut limits = Limits::default();
        for (name, text) in given {
            if let Some(text) = text {
                let limit = Limit::named(name).with_context(|| format!("no limit {name}"))?;
                limit.parse(&mut limits, text).context("command line")?;
            }
        }
        Ok(limits)
    }
}
