//! The configuration that holds now: `config.json`, `functions/` and `server.json`, read together and
//! replaced together.
//!
//! `opt-server run` reads its configuration by itself, and the administrator's file may be half-edited by
//! then; so the server keeps a copy of what it took, named by its digest, and hands that on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use anyhow::{Context, Result};
use bundles::opt_server::config::Config;
use bundles::opt_server::{Identity, writable_near};
use daemon::WholeFile;
use nix::unistd::geteuid;
use ring::digest::{SHA256, digest};
use runtime::own_executable;

use super::functions::{self, Functions};
use super::parallel::Parallel;
use super::settings::Settings;

/// First words of the server's own paths, which no author can have.
pub const RESERVED: [&str; 2] = ["ui", "v1"];

/// One state of the configuration.
#[derive(Debug)]
pub struct Configuration {
    /// `config.json`.
    pub config: Config,
    /// The server's copy of it.
    pub copy: PathBuf,
    /// `functions/`.
    pub functions: Functions,
    /// The directory of the functions' fixed files.
    pub definitions: PathBuf,
    /// `server.json`.
    pub settings: Settings,
    /// How many may run at the same time.
    pub parallel: Parallel,
}

/// The one that holds.
#[derive(Debug)]
pub struct Live {
    copies: PathBuf,
    now: RwLock<Arc<Configuration>>,
}

impl Live {
    /// Reads the configuration that was `given`, else the one that is found.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(given: Option<PathBuf>, copies: PathBuf) -> Result<Self> {
        let config = match given {
            Some(path) => Config::load(&absolute(&path)?)?,
            None => {
                let executable = own_executable::path().context("find this executable")?;
                let path = absolute(&Config::locate(&executable))?;
                Config::load_unnamed(&path, geteuid().as_raw())?
            }
        };
        let now = complete(config, &copies)?;
        Ok(Self {
            copies,
            now: RwLock::new(Arc::new(now)),
        })
    }

    /// The one that holds now.
    pub fn now(&self) -> Arc<Configuration> {
        let now = self
            .now
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        Arc::clone(&now)
    }

    /// Reads it again. What runs or waits goes on.
    ///
    /// # Errors
    /// What is wrong with the new one; the old one holds then.
    pub fn reload(&self) -> Result<()> {
        let new = complete(self.now().config.reload()?, &self.copies)?;
        let mut now = self
            .now
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *now = Arc::new(new);
        Ok(())
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}

/// What belongs to `config`, whose text is kept as it was read.
fn complete(config: Config, copies: &Path) -> Result<Configuration> {
    let path = config.path.clone();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    refuse_writing_here(&config, copies)?;
    let functions = functions::beside(&config, &path)?;
    let settings = Settings::beside(&path)?;
    if RESERVED.contains(&settings.author.as_str()) {
        anyhow::bail!(
            "{}: \"author\" must not be {:?}: that is a path of the server's own",
            path.with_file_name(super::settings::FILE_NAME).display(),
            settings.author.as_str()
        );
    }
    refuse_shared_id(&config, &settings)?;
    let copy =
        keep(copies, config.lines.text().as_bytes()).context("keep a copy of the configuration")?;
    Ok(Configuration {
        parallel: Parallel::of(&config, &settings),
        config,
        copy,
        functions,
        definitions: path.with_file_name(functions::DIRECTORY),
        settings,
    })
}

/// A command that could write the server's own files would choose what the next one may see.
fn refuse_writing_here(config: &Config, copies: &Path) -> Result<()> {
    let state = copies.parent().unwrap_or(copies);
    let own = [
        config.path.clone(),
        config.path.with_file_name(super::settings::FILE_NAME),
        config.path.with_file_name(functions::DIRECTORY),
        state.to_owned(),
    ];
    match writable_near(config, &own) {
        None => Ok(()),
        Some((command, path, own)) => anyhow::bail!(
            "{}: command \"{}\": \"mount-writable\": {} holds or lies in {}, which is the server's own",
            config.path.display(),
            command.name,
            path.display(),
            own.display()
        ),
    }
}

/// A command with the id of other executions' project files could change them.
fn refuse_shared_id(config: &Config, settings: &Settings) -> Result<()> {
    let range = Identity::range(config.extensions.identity);
    let id = settings.service_uid;
    if id < range.first || id - range.first >= range.count {
        return Ok(());
    }
    anyhow::bail!(
        "{}: \"service-uid\" must not be {id}: executions get their ids from {} to {}",
        config
            .path
            .with_file_name(super::settings::FILE_NAME)
            .display(),
        range.first,
        range.first + (range.count - 1)
    )
}

fn keep(copies: &Path, text: &[u8]) -> std::io::Result<PathBuf> {
    let digest = digest(&SHA256, text);
    let name: String = digest
        .as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = copies.join(format!("{name}.json"));
    if fs::read(&path).is_ok_and(|kept| kept == text) {
        return Ok(path);
    }
    WholeFile::at(&path)?.put(text)?;
    Ok(path)
}
