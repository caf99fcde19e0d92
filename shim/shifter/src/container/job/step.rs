//! The user's part, without root: a step of the job runs its command in what the prolog has built.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bundles::promise::{self, Exception, USER_HOOKS_ANNOTATION};
use bundles::shifter::config::Module;
use bundles::shifter::sshd::START;
use bundles::shifter::volumes::signature;
use bundles::shifter::{Config, command, container as shifter_container};
use nix::unistd::getegid;
use runtime::container::{
    self, Bundle, CgroupManager, CreateOptions, HostOptions, RunOptions, Store,
};
use runtime::{policy, telling};

use super::place::{Jobs, Key};
use super::record::{Record, Refusal};
use crate::container::build;
use crate::container::caller::Asker;
use crate::container::ssh::{self, Keys};
use crate::container::variables::{self, ImageSays, LONGEST_FILE, Requested};
use crate::container::{Options, here};
use crate::inherited::Inherited;
use crate::tasks::{Alike, Program, Tasks, tell};

/// A container that was prepared, for a command of its user's.
pub(crate) struct Step<'a> {
    options: &'a Options,
    config: &'a Config,
    directory: PathBuf,
    record: Record,
}

impl<'a> Step<'a> {
    /// The job's container, if it is the one that `options` ask for: the same image, volumes and modules, or none named.
    ///
    /// # Errors
    /// Why the prolog couldn't make it.
    pub(crate) fn find(options: &'a Options, config: &'a Config) -> Result<Option<Self>> {
        // One that is written to is nobody else's, and one with devices of one's own has others.
        let is_own = options.writable || !options.devices.is_empty();
        if config.udi_mount.is_none() || is_own {
            return Ok(None);
        }
        let directory = Jobs::of(config)?.directory(&Key::of_this_process()?);
        let requested = Requested::named(options)?;
        if let Some(refusal) = Refusal::read(&directory)?
            && requested
                .as_ref()
                .is_none_or(|requested| requested.image == refusal.request)
        {
            bail!("the job's prolog made no container: {}", refusal.problem);
        }
        let Some(record) = Record::read(&directory)? else {
            return Ok(None);
        };
        if let Some(requested) = requested
            && !record.is_for(&requested, config)?
        {
            return Ok(None);
        }
        Ok(Some(Self {
            options,
            config,
            directory,
            record,
        }))
    }

    /// The bundle that the prolog has made, with the command as its process.
    ///
    /// # Errors
    /// What can't be read, or isn't as it is asked for.
    pub(crate) fn bundle(&self) -> Result<Bundle> {
        let mut bundle = Bundle::load(&self.directory.join("bundle"))?;
        // What it asks for, the site has named: root has made it, and nobody can change it.
        bundle.granted = promise::exceptions(&bundle.spec).map_err(policy::Error::from)?;
        let rootfs = File::open(&bundle.rootfs).context("open the root file system")?;
        let directory = self.directory_inside(&bundle, &rootfs)?;
        let file = match &self.options.env_file {
            None => vec![],
            Some(path) => {
                let inside = Path::new(&directory).join(path);
                let (spec, root) = (&bundle.spec, rootfs.as_fd());
                let found = shifter_container::file_inside(spec, root, &inside, LONGEST_FILE);
                variables::of_file(path, found)?
            }
        };
        if ssh::daemon(&self.modules()?).is_some() && !ssh::is_first_task() {
            without_sshd(&mut bundle)?;
        }
        let environment = self.environment(&file)?;
        self.adapt(&mut bundle, environment, directory)?;
        Ok(bundle)
    }

    /// Runs the command and gives its exit code.
    ///
    /// # Errors
    /// What can't be done.
    pub(crate) fn run(self, inherited: Inherited) -> Result<ExitCode> {
        let mut bundle = self.bundle()?;
        self.make_keys()?;
        let state = self.options.root.clone();
        let store = Store::at(Some(state.unwrap_or_else(|| self.directory.join("state"))));
        let tasks = self
            .program()?
            .map(|program| Tasks::join(&program, &self.alike(), store.for_tasks()?))
            .transpose()?;
        if let Some(tasks) = &tasks {
            tasks.share(&mut bundle.spec);
            bundle.granted.push(Exception::SharedTasks);
        }
        let process = bundle.spec.process().as_ref();
        let environment = process.and_then(|process| process.env().as_deref());
        let create = CreateOptions {
            preserve_fds: inherited.pass_on(environment.unwrap_or_default()),
            keeps_ignored: true,
            // The step's, so that its limits and its accounting hold.
            host: HostOptions {
                cgroup_manager: CgroupManager::Disabled,
                ..HostOptions::default()
            },
            ..CreateOptions::default()
        };
        let options = RunOptions {
            create,
            ..RunOptions::default()
        };
        let ended = container::run(&store, &options, |_| Ok(bundle));
        if let Some(tasks) = tasks {
            tasks.leave();
        }
        Ok(ExitCode::from(ended?.code))
    }

    /// The bundle as it is shown, with what it will share.
    ///
    /// # Errors
    /// As [`Self::bundle`].
    pub(crate) fn shown(&self) -> Result<Bundle> {
        let mut bundle = self.bundle()?;
        if let Some(program) = self.program()? {
            tell(&mut bundle.spec, program.name());
        }
        Ok(bundle)
    }

    fn program(&self) -> Result<Option<Program>> {
        let options = self.options;
        Program::find(options.share_tasks.as_deref(), options.no_share_tasks)
    }

    /// What tells it from others: all of the job's steps have the same.
    fn alike(&self) -> Alike {
        Alike {
            image: self.record.identifier.clone(),
            volumes: self.record.volumes.clone(),
            modules: self.record.modules.join(","),
            options: vec![],
            place: self.directory.clone(),
            is_rootless: false,
        }
    }

    /// Those that the container was made with.
    fn modules(&self) -> Result<Vec<&'a Module>> {
        let names = self.record.modules.join(",");
        Ok(match names.is_empty() {
            true => vec![],
            false => self.config.choose_modules(Some(&names))?,
        })
    }

    /// Puts the keys of the job's sshd where the prolog has made a place for them, each step the same.
    fn make_keys(&self) -> Result<()> {
        let directory = self.directory.join("ssh");
        if ssh::daemon(&self.modules()?).is_none() || !directory.is_dir() {
            return Ok(());
        }
        let job = Key::of_this_process()?.to_string();
        let named = self.record.ssh_key.as_deref();
        let home = Asker::find(None)?.home()?;
        Keys::of(Some((&job, &home)), named)?.write(&directory, None)
    }

    fn environment(&self, file: &[(String, String)]) -> Result<Vec<String>> {
        let modules = self.modules()?;
        let image = ImageSays {
            request: &self.record.request,
            identifier: &self.record.identifier,
            environment: &self.record.environment,
        };
        let devices = &self.record.of_devices;
        variables::environment(
            self.options,
            self.config,
            &modules,
            devices,
            &image,
            None,
            file,
        )
    }

    /// Where the command runs.
    fn directory_inside(&self, bundle: &Bundle, rootfs: &File) -> Result<String> {
        let meta = self.record.meta();
        let wanted = self.options.working_directory();
        let wanted = command::working_directory(&wanted, &here(), &meta)?;
        let found =
            shifter_container::directory_inside(&bundle.spec, rootfs.as_fd(), Path::new(&wanted));
        Ok(found.unwrap_or_else(|| {
            let note = "is no directory in the container; the command runs in /";
            telling::say(&format!("shifter: {wanted} {note}\n"));
            "/".to_owned()
        }))
    }

    /// The bundle's process becomes the command's: everything else is as root has made it.
    fn adapt(
        &self,
        bundle: &mut Bundle,
        environment: Vec<String>,
        directory: String,
    ) -> Result<()> {
        let meta = self.record.meta();
        let options = self.options;
        let words = command::command_line(&options.entry_point(), &options.command, &meta)?;
        let process = bundle.spec.process_mut().as_mut();
        let process = process.context("the job's bundle has no process")?;
        let mut user = process.user().clone();
        if user.gid() != getegid().as_raw() {
            bail!(
                "the job's container is for gid {}; hint: newgrp and sg change it",
                user.gid()
            );
        }
        user.set_umask(Some(build::umask()));
        process
            .set_terminal(build::terminal().then_some(true))
            .set_user(user)
            .set_args(Some(words))
            .set_env(Some(kept(environment)))
            .set_cwd(directory.into());
        Ok(())
    }
}

impl Record {
    fn is_for(&self, requested: &Requested, config: &Config) -> Result<bool> {
        let modules = config.choose_modules(requested.modules.as_deref())?;
        let names = modules.iter().map(|module| &module.name);
        let is_image = requested.image == self.request
            || requested.image.strip_prefix("id:") == Some(&self.identifier);
        Ok(is_image
            && signature(&requested.volumes) == self.volumes
            && names.eq(self.modules.iter()))
    }
}

/// Of several tasks on a node, one starts it.
fn without_sshd(bundle: &mut Bundle) -> Result<()> {
    let mut hooks = promise::user_hooks(&bundle.spec)?;
    hooks.retain(|hook| hook != START);
    let annotations = bundle.spec.annotations_mut().get_or_insert_default();
    annotations.insert(
        USER_HOOKS_ANNOTATION.to_owned(),
        serde_json::to_string(&hooks)?,
    );
    Ok(())
}

/// The variables that a sealed bundle may have; the others are told.
fn kept(environment: Vec<String>) -> Vec<String> {
    let tell = |entry: &String| match shifter_container::left_out(entry) {
        Some(note) => {
            telling::say(&format!("shifter: {note}\n"));
            false
        }
        None => true,
    };
    environment.into_iter().filter(tell).collect()
}
