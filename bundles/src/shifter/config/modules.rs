//! Modules: what a site offers users by name (`module_NAME_KEY`), and the choice among them.

use std::path::PathBuf;

use super::error::Problem;
use super::values::Value;
use super::{Config, SiteEnvironment};
use crate::shifter::sshd::Daemon;
use crate::shifter::volumes::VolumeMap;

/// The keys of a module, behind `module_NAME_`.
pub(super) const KEYS: [&str; 14] = [
    "siteEnv",
    "siteEnvPrepend",
    "siteEnvAppend",
    "siteEnvUnset",
    "conflict",
    "siteFs",
    "copyPath",
    "roothook",
    "userhook",
    "enabled",
    "cdi",
    "sshd",
    "sshdPort",
    "sshdListen",
];

/// A module of the site's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Variables.
    pub environment: SiteEnvironment,
    /// Modules that it can't be used with; either of the two may say so.
    pub conflicts: Vec<String>,
    /// Mounts.
    pub site_fs: Vec<VolumeMap>,
    /// The directory that is `/opt/udiImage/modules/NAME` inside.
    pub copy_path: Option<PathBuf>,
    /// A script that root runs while the container is built.
    pub root_hook: Option<PathBuf>,
    /// A script that the user runs inside before the command.
    pub user_hook: Option<PathBuf>,
    /// Devices that come with it, `VENDOR/CLASS=NAME`; not one of Shifter's keys, which passes over it.
    pub devices: Vec<String>,
    /// An sshd of the user's own that comes with it; likewise a key of ours.
    pub sshd: Daemon,
    /// Whether it can be chosen.
    pub enabled: bool,
}

/// Takes `module_NAME_KEY` apart; `None` where it has no such form. A name can't have `_` in it.
pub(super) fn split(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("module_")?.split_once('_')
}

impl Module {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            environment: SiteEnvironment::default(),
            conflicts: vec![],
            site_fs: vec![],
            copy_path: None,
            root_hook: None,
            user_hook: None,
            devices: vec![],
            sshd: Daemon::default(),
            enabled: true,
        }
    }

    /// A later line takes an earlier one's place, but for `siteFs`. Shifter passes over keys that it doesn't know.
    fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), Problem> {
        match key {
            "siteEnv" => self.environment.set = value.assignments()?,
            "siteEnvPrepend" => self.environment.prepend = value.additions()?,
            "siteEnvAppend" => self.environment.append = value.additions()?,
            "siteEnvUnset" => self.environment.unset = value.variables(),
            "conflict" => self.conflicts = value.words(),
            "siteFs" => self.site_fs.extend(value.volumes()?),
            "copyPath" => self.copy_path = Some(value.path()?),
            "roothook" => self.root_hook = Some(value.path()?),
            "userhook" => self.user_hook = Some(value.path()?),
            "cdi" => self.devices = value.words(),
            "sshd" => self.sshd.program = Some(value.path()?),
            "sshdPort" => self.sshd.port = value.port()?,
            "sshdListen" => self.sshd.listen = Some(value.address()?),
            "enabled" => self.enabled = value.flag(),
            _ => {}
        }
        Ok(())
    }
}

impl Config {
    pub(super) fn set_module(&mut self, key: &str, value: Value<'_>) -> Result<(), Problem> {
        let Some((name, key)) = split(key) else {
            return Ok(());
        };
        let known = self.modules.iter().position(|module| module.name == name);
        let index = known.unwrap_or_else(|| {
            self.modules.push(Module::new(name));
            self.modules.len() - 1
        });
        self.modules[index].set(key, value)
    }

    /// The module of this name, enabled or not.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// The modules that a user asks for, in that order, each once; the site's default ones where nothing is asked
    /// for. `none`, alone and in any case, and nothing between the commas are no modules.
    ///
    /// # Errors
    /// A module that isn't there or not enabled, and two that exclude each other.
    pub fn choose_modules(&self, asked: Option<&str>) -> Result<Vec<&Module>, Problem> {
        let names = match asked {
            None => self.default_modules.clone(),
            Some(text) if text.trim().eq_ignore_ascii_case("none") => vec![],
            Some(text) => Value(text).names(),
        };
        let mut chosen: Vec<&Module> = vec![];
        for name in names {
            let module = self.enabled_module(&name)?;
            if chosen.iter().any(|other| other.name == name) {
                continue;
            }
            let both_have_sshd =
                |other: &Module| module.sshd.program.is_some() && other.sshd.program.is_some();
            let excludes = |one: &Module, other: &Module| one.conflicts.contains(&other.name);
            let excluded = chosen.iter().find(|other| {
                excludes(module, other) || excludes(other, module) || both_have_sshd(other)
            });
            if let Some(other) = excluded {
                return Err(Problem::Conflict {
                    one: other.name.clone(),
                    other: name,
                });
            }
            chosen.push(module);
        }
        Ok(chosen)
    }

    fn enabled_module(&self, name: &str) -> Result<&Module, Problem> {
        let module = self.must_have_module(name)?;
        if module.enabled {
            return Ok(module);
        }
        Err(Problem::DisabledModule {
            name: name.to_owned(),
        })
    }

    pub(super) fn must_have_module(&self, name: &str) -> Result<&Module, Problem> {
        self.module(name).ok_or_else(|| Problem::UnknownModule {
            name: name.to_owned(),
            known: self
                .modules
                .iter()
                .map(|known| known.name.clone())
                .collect(),
        })
    }
}
