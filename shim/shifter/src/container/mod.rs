//! One container, from a command line to its end.

mod build;
mod caches;
mod caller;
mod hooks;
pub(crate) mod hosts;
mod image;
pub(crate) mod job;
mod mode;
mod names;
mod options;
pub(crate) mod ssh;
mod variables;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bundles::promise;
use bundles::shifter::cdi::Devices;
use bundles::shifter::config::{Module, USUAL_PATH};
use bundles::shifter::container::SiteFiles;
use bundles::shifter::environment::{Environment, Sources};
use bundles::shifter::trusted::ROOT;
use bundles::shifter::volumes::signature;
use bundles::shifter::{Config, command};
use nix::unistd::geteuid;
use runtime::container::{self, Bundle, CgroupManager, RunOptions, Store};
use runtime::{own_executable, policy, telling};

use build::Use;
pub use options::Options;

use crate::inherited::Inherited;
use crate::tasks::{Alike, Program, Tasks, tell};
use caller::Asker;
use image::Chosen;
use job::Step;
use mode::Mode;
use variables::{ImageSays, Requested};

/// Runs the command of `options` in a container and gives its exit code.
///
/// # Errors
/// What can't be done; nothing is left then.
pub fn run(options: &Options, inherited: Inherited) -> Result<ExitCode> {
    own_executable::protect().context("protect this executable")?;
    inherited.withhold();
    leave_what_is_gone(options)?;
    if !geteuid().is_root() {
        let config = site(options)?;
        if let Some(step) = Step::find(options, &config)? {
            return step.run(inherited);
        }
    }
    let (config, asker) = site_and_asker(options)?;
    let prepared = prepare(options, &config, &asker)?;
    let store = Store::at(options.root.clone());
    let program = program(options, asker.mode)?;
    let tasks = program
        .map(|program| Tasks::join(&program, &prepared.alike(&config)?, store.for_tasks()?))
        .transpose()?;
    asker.mode.leave_hosts_mounts(tasks.as_ref())?;
    // Until the container has ended.
    let mut kept = None;
    let bundle = |_: &str| {
        let built = prepared
            .build(&config, &asker, &options.state.state, Use::Run)
            .map_err(|error| container::Error::Step {
                step: "build the container",
                source: std::io::Error::other(telling::line(error.as_ref())),
            })?;
        built.tell();
        let mut bundle = Bundle::load(&kept.insert(built).directory)?;
        if let Some(tasks) = &tasks {
            tasks.share(&mut bundle.spec);
        }
        // What it asks for, the site has named: nothing else gets there.
        bundle.granted = promise::exceptions(&bundle.spec).map_err(policy::Error::from)?;
        Ok(bundle)
    };
    let mut run = RunOptions::default();
    if asker.mode == Mode::Rootless {
        // A job's step stays in its own, so that its limits and its accounting hold.
        run.create.host.cgroup_manager = CgroupManager::Disabled;
    }
    run.create.preserve_fds = inherited.pass_on(&prepared.environment);
    run.create.keeps_ignored = true;
    let ended = container::run(&store, &run, bundle);
    drop(kept);
    if let Some(tasks) = tasks {
        tasks.leave();
    }
    Ok(ExitCode::from(ended?.code))
}

/// Builds the container of `options` where nobody sees it, for `look`, or has it look at the one that a job's prolog has
/// built.
///
/// # Errors
/// What can't be done; nothing is left then.
pub fn look_at<T>(options: &Options, look: impl FnOnce(&Bundle) -> Result<T>) -> Result<T> {
    if !geteuid().is_root() {
        let config = site(options)?;
        if let Some(step) = Step::find(options, &config)? {
            return look(&step.shown()?);
        }
    }
    let (config, asker) = site_and_asker(options)?;
    let prepared = prepare(options, &config, &asker)?;
    let program = program(options, asker.mode)?;
    asker.mode.leave_hosts_mounts(None)?;
    let built = prepared.build(&config, &asker, &options.state.state, Use::Look)?;
    built.tell();
    let mut bundle = Bundle::load(&built.directory)?;
    if let Some(program) = program {
        tell(&mut bundle.spec, program.name());
    }
    look(&bundle)
}

/// The program of whose tasks this container is one, if they share what they have.
fn program(options: &Options, mode: Mode) -> Result<Option<Program>> {
    if mode == Mode::Rootful {
        if options.share_tasks.is_some() {
            bail!(
                "--share-tasks: containers that root makes share nothing; hint: the user makes it"
            );
        }
        return Ok(None);
    }
    Program::find(options.share_tasks.as_deref(), options.no_share_tasks)
}

fn site_and_asker(options: &Options) -> Result<(Config, Asker)> {
    let config = site(options)?;
    let asker = Asker::find(options.user.as_deref())?;
    Ok((config, asker))
}

fn site(options: &Options) -> Result<Config> {
    let path = options.config.clone().unwrap_or_else(|| USUAL_PATH.into());
    Ok(Config::read(&path, &ROOT)?)
}

/// No container is made from a directory that was removed, or that has no path here.
fn leave_what_is_gone(options: &Options) -> Result<()> {
    let Err(error) = std::env::current_dir() else {
        return Ok(());
    };
    if options.workdir.is_none() {
        let note = "the command runs in /";
        telling::say(&format!(
            "shifter: the directory it is called in: {error}; {note}\n"
        ));
    }
    std::env::set_current_dir("/").context("go to /")
}

/// The directory that this process is in, as the command is to find it.
fn here() -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    here.display().to_string()
}

/// What is known before anything is mounted: all that has to be root's has been looked at.
struct Prepared<'a> {
    /// The user's; a job's container has none.
    options: Option<&'a Options>,
    chosen: Chosen,
    requested: Requested,
    command: Vec<String>,
    /// Without what a file in the container adds.
    environment: Vec<String>,
    working_directory: String,
    umask: u32,
    terminal: bool,
    /// The text of `/var/hostsfile`.
    hosts: Option<String>,
    /// What isn't as it could be, a line each.
    notes: Vec<String>,
    site_files: SiteFiles,
    udi_mount: PathBuf,
    devices: Devices,
    /// A public key that the container's sshd lets in, if it has one.
    ssh_key: Option<String>,
}

fn prepare<'a>(options: &'a Options, config: &Config, asker: &Asker) -> Result<Prepared<'a>> {
    let requested = Requested::of(options)?;
    let chosen = Chosen::find(&requested, config, asker, options.policy.as_deref())?;
    let meta = &chosen.image.meta;
    let words = command::command_line(&options.entry_point(), &options.command, meta)?;
    let modules = config.choose_modules(requested.modules.as_deref())?;
    let of_modules = modules.iter().flat_map(|module| &module.devices);
    let devices: Vec<String> = of_modules.chain(&options.devices).cloned().collect();
    let devices = Devices::find(&devices, &options.specifications(), &ROOT)?;
    devices.check_groups(&asker.caller)?;
    if asker.mode == Mode::Rootless {
        devices.check_names()?;
    }
    let environment = chosen.variables(&requested, options, config, asker, (&devices, &[]))?;
    let directory = command::working_directory(&options.working_directory(), &here(), meta)?;
    let mut notes = vec![];
    let hosts = hosts::of_this_job().unwrap_or_else(|error| {
        notes.push(format!("no /var/hostsfile: {error}"));
        None
    });
    Ok(Prepared {
        options: Some(options),
        environment,
        umask: build::umask(),
        terminal: build::terminal(),
        hosts,
        notes,
        chosen,
        command: words,
        working_directory: directory,
        site_files: SiteFiles::read(config, &ROOT).map_err(|error| error.of(config))?,
        udi_mount: build::udi_mount(config)?,
        devices,
        ssh_key: ssh::named_key(),
        requested,
    })
}

impl Prepared<'_> {
    /// What tells it from others, for the tasks that it may share with.
    fn alike(&self, config: &Config) -> Result<Alike> {
        let modules = config.choose_modules(self.requested.modules.as_deref())?;
        let names: Vec<&str> = modules.iter().map(|module| &*module.name).collect();
        let mut options = self
            .options
            .map_or_else(Vec::new, |own| own.devices.clone());
        if self.options.is_some_and(|own| own.writable) {
            options.push("--writable".to_owned());
        }
        Ok(Alike {
            image: self.chosen.image.id.to_string(),
            volumes: signature(&self.requested.volumes),
            modules: names.join(","),
            options,
            place: config.udi_mount.clone().unwrap_or_default(),
            is_rootless: true,
        })
    }
}

impl Chosen {
    /// The variables that a command in this image has from the image, the devices and the site alone.
    fn variables_of_site(
        &self,
        config: &Config,
        modules: &[&Module],
        devices: &Devices,
    ) -> Vec<String> {
        let environment = Environment::assemble(&Sources {
            image_names: Some((&self.request, self.image.id.as_str())),
            image: &self.image.meta.environment,
            devices: &devices.environment,
            modules,
            site: Some(&config.environment),
            ..Sources::default()
        });
        environment.entries()
    }

    /// The variables of a command in this image, with those of a file.
    fn variables(
        &self,
        requested: &Requested,
        options: &Options,
        config: &Config,
        asker: &Asker,
        (devices, file): (&Devices, &[(String, String)]),
    ) -> Result<Vec<String>> {
        let modules = config.choose_modules(requested.modules.as_deref())?;
        let image = ImageSays {
            request: &self.request,
            identifier: self.image.id.as_str(),
            environment: &self.image.meta.environment,
        };
        let of_devices = &devices.environment;
        variables::environment(
            options,
            config,
            &modules,
            of_devices,
            &image,
            Some(asker),
            file,
        )
    }
}
