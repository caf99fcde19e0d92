//! The options that stand before the command, and what follows from them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use runtime::container::{self, Bundle, CgroupManager, HostOptions, Rootless, Store};
use runtime::policy::Policy;
use runtime::telling::{self, Log, LogFormat, LogLevel};

/// Options of every command.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Directory for the state of containers [default: /run/opt-runtime, or one of your own]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// File to which errors are appended, besides standard error
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Format of the log file
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    pub log_format: LogFormat,
    /// How much is logged
    #[arg(long, global = true, value_enum, value_name = "LEVEL", default_value_t)]
    pub log_level: LogLevel,
    /// Log every step, to standard error where there is no log file
    #[arg(long, global = true)]
    pub debug: bool,
    /// Have systemd make cgroups: --cgroup-manager systemd
    #[arg(long, global = true)]
    pub systemd_cgroup: bool,
    /// Who makes cgroups
    #[arg(long, global = true, value_enum, value_name = "MANAGER")]
    pub cgroup_manager: Option<CgroupManager>,
    /// Whether missing rights on cgroups are expected
    // Not for after the command: `spec` has a flag of this name.
    #[arg(long, value_enum, value_name = "auto|true|false", default_value_t)]
    pub rootless: Rootless,
    /// For bundles that come from elsewhere [default: what /etc/opt-runtime/config.toml says, or off]
    #[arg(long, global = true, value_name = "FILE|off|check|seal")]
    pub policy: Option<String>,
    /// The criu program, for checkpoint and restore
    #[arg(long, global = true, value_name = "PROGRAM", default_value = "criu")]
    pub criu: PathBuf,
}

impl Global {
    /// The log, as it was asked for; steps are logged from now on.
    ///
    /// # Errors
    /// Where the log file can't be opened.
    pub fn log(&self) -> Result<Log> {
        let log = open_log(self.log.as_deref(), self.log_format)?;
        let level = if self.debug {
            LogLevel::Debug
        } else {
            self.log_level
        };
        telling::log_steps(&log, level);
        Ok(log)
    }

    /// The store that `--root` names, or the default one.
    pub fn store(&self) -> Store {
        Store::at(self.root.clone())
    }

    /// The bundle in `directory`, with `config` in place of its `config.json`, under the site's policy; and what
    /// that changed, one sentence each.
    ///
    /// # Errors
    /// Where either can't be read, or the policy doesn't let the bundle run.
    pub fn bundle(
        &self,
        directory: &Path,
        config: &Path,
    ) -> container::Result<(Bundle, Vec<String>)> {
        let policy = Policy::load(self.policy.as_deref())?;
        let mut bundle = Bundle::load_as(directory, config)?;
        let changes = policy.apply(&mut bundle)?;
        Ok((bundle, changes))
    }

    /// Logs what the site's policy changed, once the container is there: a failed command logs its error alone.
    pub fn note_changes(&self, changes: &[String]) {
        if changes.is_empty() {
            return;
        }
        let text = format!("bundle sealed by policy: {}", changes.join("; "));
        let written = open_log(self.log.as_deref(), self.log_format)
            .and_then(|log| log.write(LogLevel::Info, &text).context("write log"));
        // The container is there all the same.
        if let Err(error) = written {
            telling::say(&format!("opt-runtime: warning: {error:#}\n"));
        }
    }

    /// What was said of the host.
    pub fn host(&self) -> HostOptions {
        let by_flag = self.systemd_cgroup.then_some(CgroupManager::Systemd);
        HostOptions {
            cgroup_manager: self.cgroup_manager.or(by_flag).unwrap_or_default(),
            rootless: self.rootless,
        }
    }
}

fn open_log(path: Option<&Path>, format: LogFormat) -> Result<Log> {
    let shown = path.unwrap_or(Path::new("")).display();
    Log::open(path, format).with_context(|| format!("open log {shown}"))
}

/// The log that a command line asks for which can't be parsed: engines read a usage error there too.
pub fn log_of_raw(arguments: &[OsString]) -> Log {
    let path = value_of(arguments, "--log").map(PathBuf::from);
    let format = value_of(arguments, "--log-format")
        .and_then(|text| LogFormat::from_str(&text.to_string_lossy(), false).ok())
        .unwrap_or_default();
    // A second error on top of the usage error would help nobody.
    open_log(path.as_deref(), format).unwrap_or_default()
}

fn value_of(arguments: &[OsString], option: &str) -> Option<OsString> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == option {
            return arguments.next().cloned();
        }
        let text = argument.to_string_lossy();
        if let Some(value) = text
            .strip_prefix(option)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value.into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn parse(arguments: &[&str]) -> Global {
        let arguments = ["opt-runtime"].iter().chain(arguments);
        Cli::try_parse_from(arguments).unwrap().before.global
    }

    #[test]
    fn options_stand_before_and_after_the_command() {
        for line in [
            "--root /r --log /l --log-format json --debug --systemd-cgroup state x",
            "state x --root /r --log /l --log-format json --debug --systemd-cgroup",
            "state --root=/r --log=/l --log-format=json --debug x --systemd-cgroup",
        ] {
            let arguments: Vec<&str> = line.split(' ').collect();
            let global = parse(&arguments);
            assert_eq!(global.root.as_deref(), Some(Path::new("/r")), "{line}");
            assert_eq!(global.log.as_deref(), Some(Path::new("/l")), "{line}");
            assert_eq!(global.log_format, LogFormat::Json, "{line}");
            assert!(global.debug, "{line}");
            assert_eq!(global.host().cgroup_manager, CgroupManager::Systemd);
        }
    }

    #[test]
    fn the_cgroup_manager_and_rootless_have_several_spellings() {
        let manager = |line: &[&str]| parse(line).host().cgroup_manager;
        assert_eq!(manager(&["state", "x"]), CgroupManager::Cgroupfs);
        assert_eq!(
            manager(&["--cgroup-manager=disabled", "state", "x"]),
            CgroupManager::Disabled
        );
        assert_eq!(
            manager(&[
                "--cgroup-manager",
                "cgroupfs",
                "--systemd-cgroup",
                "state",
                "x"
            ]),
            CgroupManager::Cgroupfs
        );
        for (text, wanted) in [
            ("--rootless=auto", Rootless::Auto),
            ("--rootless=true", Rootless::Yes),
            ("--rootless=1", Rootless::Yes),
            ("--rootless=false", Rootless::No),
        ] {
            assert_eq!(parse(&[text, "state", "x"]).rootless, wanted);
        }
        assert_eq!(
            parse(&["--rootless", "true", "state", "x"]).rootless,
            Rootless::Yes
        );
    }

    #[test]
    fn a_log_is_found_in_a_line_that_can_not_be_parsed() {
        let raw = |line: &str| -> Vec<OsString> { line.split(' ').map(OsString::from).collect() };
        let line = raw("opt-runtime --log-format=json create --log /l --nonsense x");
        assert_eq!(value_of(&line, "--log"), Some("/l".into()));
        assert_eq!(value_of(&line, "--log-format"), Some("json".into()));
        assert_eq!(value_of(&line, "--root"), None);
    }
}
