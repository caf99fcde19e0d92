//! The prolog's part, as root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::cdi::{Devices, USUAL_DIRECTORIES};
use bundles::shifter::container::SiteFiles;
use bundles::shifter::image::{Caller, ImageType};
use bundles::shifter::trusted::ROOT;
use bundles::shifter::volumes::{Asker as VolumesOf, VolumeMap, signature};

use super::place::{Jobs, Key, cover, mount_system};
use super::record::{Record, Refusal};
use crate::container::caller::Asker;
use crate::container::image::Chosen;
use crate::container::variables::Requested;
use crate::container::{Prepared, Use, build, ssh};
use crate::images::{Node, Shown};

/// What is asked for a job. All of it may be the job's user's own words.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which job.
    pub key: Key,
    /// Whose.
    pub user: Option<String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// The image as it is asked for: `[TYPE:]NAME`.
    pub image: String,
    /// Whether the name is an identifier of the store's whatever its type is, as setupRoot has it.
    pub is_identifier: bool,
    /// Volume maps, parted by `;`.
    pub volumes: String,
    /// Modules, in place of the site's default ones.
    pub modules: Option<String>,
    /// The text of `/var/hostsfile`.
    pub hosts: Option<String>,
    /// A public key for the sshd of a module's.
    pub ssh_key: Option<String>,
}

/// Makes the job's container, in the place of one that it may have already.
///
/// # Errors
/// What can't be done; nothing is left then.
pub fn set_up(config: &Config, asked: &Asked, state: &Path) -> Result<()> {
    let asker = asked.asker()?;
    let jobs = Jobs::of(config)?;
    let made = jobs.make(&asked.key, &asker.caller, |directory| {
        // Here, among the mounts where it is built: what is opened elsewhere can't be mounted.
        let prepared = asked.prepare(config, &asker)?;
        build(directory, &prepared, config, &asker, state)
    });
    if made.is_err() {
        // The first error is the one to be told.
        let _ = super::remove(config, &asked.key, state);
    }
    made
}

/// Leaves word for the job's user, in the place of a container, that there can't be one.
///
/// # Errors
/// Where there is no place for it.
pub fn refuse(config: &Config, asked: &Asked, problem: String) -> Result<()> {
    let Some(uid) = asked.uid else {
        bail!(problem);
    };
    // Of a directory that its owner alone enters.
    let gid = asked.gid.unwrap_or_default();
    let groups = vec![];
    let whose = Caller { uid, gid, groups };
    let request = asked.image.clone();
    let refusal = Refusal { request, problem };
    Jobs::of(config)?.make(&asked.key, &whose, |directory| refusal.write(directory))
}

fn build(
    directory: &Path,
    prepared: &Prepared<'_>,
    config: &Config,
    asker: &Asker,
    state: &Path,
) -> Result<()> {
    let chosen = &prepared.chosen;
    let held = Node::open(state)?.hold(&chosen.image, chosen.verify)?;
    // Before it is mounted: the epilog takes it back in any case.
    held.keep(&directory.display().to_string())?;
    let host = made(directory, "host")?;
    mount_system(&made(&host, "sys")?)?;
    let modules = config.choose_modules(prepared.requested.modules.as_deref())?;
    if ssh::daemon(&modules).is_some() {
        cover(&made(directory, "ssh")?, &asker.caller, "0700")?;
    }
    let shown = Shown::Held(held);
    let built = prepared.build_in(directory, config, asker, shown, Some(host), Use::Run)?;
    readable(&built.directory, 0o755)?;
    readable(&built.directory.join("config.json"), 0o644)?;
    prepared.record(config)?.write(directory)?;
    cover(&made(directory, "state")?, &asker.caller, "0700")
}

fn made(directory: &Path, name: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

fn readable(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("make {} readable", path.display()))
}

impl Asked {
    /// Whose container it is. What the prolog knows by number counts before a name.
    fn asker(&self) -> Result<Asker> {
        let by_number = || match (self.uid, self.gid) {
            (Some(uid), Some(gid)) => Asker::find(Some(&format!("{uid}:{gid}"))),
            _ => bail!("nobody is named; hint: -u NAME, or -U UID and -G GID"),
        };
        let Some(name) = &self.user else {
            return by_number();
        };
        let asker = match Asker::find(Some(name)) {
            Ok(asker) => asker,
            // A directory service's.
            Err(error) => return by_number().map_err(|_| error),
        };
        let caller = &asker.caller;
        if self.uid.is_some_and(|uid| uid != caller.uid) {
            bail!("user {name} has the uid {}", caller.uid);
        }
        let gid = self.gid.unwrap_or(caller.gid);
        let groups = caller.groups.clone();
        let caller = Caller {
            uid: caller.uid,
            gid,
            groups,
        };
        Ok(Asker { caller, ..asker })
    }

    fn prepare(&self, config: &Config, asker: &Asker) -> Result<Prepared<'static>> {
        let mut requested = Requested {
            image: self.image.clone(),
            volumes: VolumeMap::parse(&self.volumes, VolumesOf::User)?,
            modules: self.modules.clone(),
        };
        if self.is_identifier {
            requested.image = self.by_identifier()?;
        }
        let mut chosen = Chosen::find(&requested, config, asker, None)?;
        chosen.request.clone_from(&self.image);
        let modules = config.choose_modules(self.modules.as_deref())?;
        let devices: Vec<String> = modules
            .iter()
            .flat_map(|module| module.devices.clone())
            .collect();
        let devices = Devices::find(&devices, &USUAL_DIRECTORIES.map(PathBuf::from), &ROOT)?;
        devices.check_groups(&asker.caller)?;
        devices.check_names()?;
        // The user's own variables come with each step.
        let environment = chosen.variables_of_site(config, &modules, &devices);
        let ssh_key = self.ssh_key.as_deref().map(ssh::public_key).transpose()?;
        if ssh_key.is_some() && ssh::daemon(&modules).is_none() {
            bail!("a key for sshd: no module of this container's has one; hint: module_NAME_sshd");
        }
        Ok(Prepared {
            options: None,
            chosen,
            requested,
            command: vec!["/bin/sh".to_owned()],
            environment,
            working_directory: "/".to_owned(),
            umask: 0o022,
            terminal: false,
            hosts: self.hosts.clone(),
            notes: vec![],
            devices,
            ssh_key,
            site_files: SiteFiles::read(config, &ROOT).map_err(|error| error.of(config))?,
            udi_mount: build::udi_mount(config)?,
        })
    }

    /// `TYPE:IDENTIFIER` as the store has it: whoever looked the name up has done so.
    fn by_identifier(&self) -> Result<String> {
        let parted = self.image.split_once(':');
        match parted.map(|(kind, id)| (ImageType::of(kind), id)) {
            Some((Some(ImageType::Local), _)) => Ok(self.image.clone()),
            Some((Some(_), id)) => Ok(format!("id:{id}")),
            _ => bail!(
                "image {:?}: its type is none of docker, custom, id, local",
                self.image
            ),
        }
    }
}

impl Prepared<'_> {
    fn record(&self, config: &Config) -> Result<Record> {
        let modules = config.choose_modules(self.requested.modules.as_deref())?;
        let meta = &self.chosen.image.meta;
        Ok(Record {
            request: self.chosen.request.clone(),
            identifier: self.chosen.image.id.to_string(),
            volumes: signature(&self.requested.volumes),
            modules: modules.iter().map(|module| module.name.clone()).collect(),
            environment: meta.environment.clone(),
            entry_point: meta.entry_point.clone(),
            command: meta.command.clone(),
            working_directory: meta.working_directory.clone(),
            ssh_key: self.ssh_key.clone(),
            of_devices: self.devices.environment.clone(),
        })
    }
}
