//! Building a container where nobody but this process sees it.
//!
//! All mounts are made in a mount namespace of this process's, on the site's `udiMount`. When it and the container have
//! ended, however that came, the kernel takes them away: the host never saw one.

use std::fs::{self, DirBuilder, File};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundles::bundle;
use bundles::shifter::Config;
use bundles::shifter::container::{Draft, Pinned, Places, Request, wanted_caches};
use bundles::shifter::image::Caller;
use bundles::shifter::trusted::{self, ROOT};
use nix::mount::{MsFlags, mount};
use runtime::sys::{MountAttr, mount_setattr};
use runtime::telling;
use rustix::fs::{CWD, FileType};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::Prepared;
use super::caches;
use super::caller::{Accounts, Asker};
use super::hooks::Scripts;
use super::job::Key;
use super::mode::Mode;
use super::ssh::{self, Keys};
use super::variables::{self, LONGEST_FILE};
use crate::commands::image::place::open_place;
use crate::images::Shown;

const NONE: Option<&str> = None;

/// What every mount of ours has.
const SHUT: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// What a container is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To be run.
    Run,
    /// Only to be looked at: the site's scripts aren't run.
    Look,
}

/// A bundle that can be run or looked at as long as this process lives.
#[derive(Debug)]
pub struct Built {
    /// Its directory.
    pub directory: PathBuf,
    /// What isn't as it was asked for, a line each.
    pub notes: Vec<String>,
    /// The image stays mounted on this node for as long.
    _image: Shown,
}

impl Built {
    /// Says what isn't as it was asked for.
    pub(super) fn tell(&self) {
        for note in &self.notes {
            telling::say(&format!("shifter: {note}\n"));
        }
    }
}

impl Prepared<'_> {
    /// Builds it.
    pub(super) fn build(
        &self,
        config: &Config,
        asker: &Asker,
        state: &Path,
        for_use: Use,
    ) -> Result<Built> {
        cover(&self.udi_mount)?;
        if asker.mode == Mode::Rootless {
            // Where what is below a directory has to be shown with it, this isn't. What is on it can be bound.
            mount(NONE, &self.udi_mount, NONE, MsFlags::MS_UNBINDABLE, NONE)
                .context("keep udiMount from what is shown")?;
            cover(&self.udi_mount)?;
        }
        let shown = asker.mode.show(&self.chosen, state)?;
        let host = (asker.mode == Mode::Rootless).then(|| self.udi_mount.join("host"));
        if let Some(host) = &host {
            fs::create_dir(host).with_context(|| format!("make {}", host.display()))?;
        }
        self.build_in(&self.udi_mount, config, asker, shown, host, for_use)
    }

    /// Builds it in the directory `udi`, around an image that is held. With a directory `host` for what is the host's it
    /// is for a runtime that isn't root's.
    pub(super) fn build_in(
        &self,
        udi: &Path,
        config: &Config,
        asker: &Asker,
        shown: Shown,
        host: Option<PathBuf>,
        for_use: Use,
    ) -> Result<Built> {
        let [image, volumes, directory] = ["image", "volumes", "bundle"].map(|name| udi.join(name));
        for made in [&image, &volumes] {
            fs::create_dir(made).with_context(|| format!("make {}", made.display()))?;
        }
        shown.attach(open_place(&image)?)?;
        let root = File::open(&image).with_context(|| format!("open {}", image.display()))?;
        let rootfs = directory.join("rootfs");
        let mut places = Places::on_host(&rootfs, &volumes);
        places.system = host.clone().filter(|_| asker.mode == Mode::Rootful);
        places.system = places.system.map(|host| host.join("sys"));
        places.host = host;
        let keys = udi.join("ssh");
        let mut request = self.request(config, asker, places, &keys)?;
        request.image_checked.0 = shown.checked().to_string();
        if request.sshd.is_some() {
            self.make_keys(&keys, asker, for_use)?;
        }
        let wanted = wanted_caches(config, &request.modules, &request.volumes)?;
        request.caches = caches::make(wanted, &volumes, config, asker, for_use)?;
        let mut scripts = Scripts::new(udi, &volumes, for_use == Use::Run);
        let writable = request.root_writable;
        let draft = Draft::begin(request, root.as_fd(), &mut |hook, stage| {
            scripts.run(hook, stage)
        });
        let mut draft = draft.map_err(|error| error.of(config))?;
        for number in 0..draft.volumes() {
            let source = asker.does(|| draft.open_volume(number))??;
            draft.mount_volume(number, source)?;
        }
        let here = asker.does(|| draft.working_directory())?;
        if let Some(options) = self.options
            && let Some(path) = &options.env_file
        {
            let inside = Path::new(here.as_deref().unwrap_or("/")).join(path);
            let found = asker.does(|| draft.read_file(&inside, LONGEST_FILE))?;
            let file = variables::of_file(path, found)?;
            let (chosen, requested) = (&self.chosen, &self.requested);
            let more = (&self.devices, &*file);
            let environment = chosen.variables(requested, options, config, asker, more)?;
            draft.set_environment(environment);
        }
        let container = draft.finish(here)?;
        for pinned in &container.pinned {
            attach_pinned(pinned).with_context(|| format!("mount {}", pinned.place.display()))?;
        }
        bundle::write(&directory, &container.spec, &container.layer)?;
        attach_overlay(udi, &rootfs, &image, writable, asker.mode).context("mount the overlay")?;
        if self.options.is_some_and(|options| options.writable) {
            give_root(&rootfs, asker).context("give the root directory to the user")?;
        }
        let notes = [self.notes.clone(), scripts.notes, container.notes].concat();
        Ok(Built {
            directory,
            notes,
            _image: shown,
        })
    }

    /// The directory of the keys of an sshd, the user's alone, with the keys. In a job's container the steps make
    /// them: they come with the user's home directory.
    fn make_keys(&self, directory: &Path, asker: &Asker, for_use: Use) -> Result<()> {
        let Caller { uid, gid, .. } = asker.caller;
        let is_jobs = self.options.is_none();
        if is_jobs {
            return Ok(());
        }
        let owner = (asker.mode == Mode::Rootful).then_some((uid, gid));
        let failed = || format!("make {}", directory.display());
        DirBuilder::new()
            .mode(0o700)
            .create(directory)
            .with_context(failed)?;
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(directory, Some(uid), Some(gid)).with_context(failed)?;
        }
        if for_use == Use::Look {
            return Ok(());
        }
        let job = match Key::of_job()? {
            None => None,
            Some(job) => Some((job.to_string(), asker.home()?)),
        };
        let job = job
            .as_ref()
            .map(|(job, home)| (job.as_str(), home.as_path()));
        let keys = asker.does(|| Keys::of(job, self.ssh_key.as_deref()))??;
        keys.write(directory, owner)
    }

    fn request<'a>(
        &'a self,
        config: &'a Config,
        asker: &Asker,
        places: Places,
        keys: &Path,
    ) -> Result<Request<'a>> {
        let accounts = match config.populate_etc {
            true => Accounts::find(&config.users_to_import, asker)?,
            false => Accounts::default(),
        };
        let modules = config.choose_modules(self.requested.modules.as_deref())?;
        let variables = self
            .chosen
            .variables_of_site(config, &modules, &self.devices);
        let sshd = ssh::server(&modules, self.hosts.as_deref(), variables, keys.into());
        Ok(Request {
            config,
            image: (
                self.chosen.request.clone(),
                self.chosen.image.id.to_string(),
            ),
            image_checked: (
                String::new(),
                self.chosen.image.meta.digests.manifest.clone(),
            ),
            image_is_local: self.chosen.image.is_local,
            caller: asker.caller.clone(),
            user: asker.user.clone(),
            imported: accounts.imported,
            groups: accounts.groups,
            volumes: self.requested.volumes.clone(),
            caches: vec![],
            devices: self.devices.clone(),
            sshd,
            modules,
            command: self.command.clone(),
            environment: self.environment.clone(),
            working_directory: self.working_directory.clone(),
            root_writable: config.root_writable
                || self.options.is_some_and(|options| options.writable),
            umask: self.umask,
            terminal: self.terminal,
            hosts: self.hosts.clone(),
            user_namespace: asker.mode == Mode::Rootless || places.host.is_some(),
            places,
            site_files: &self.site_files,
        })
    }
}

/// Whether the command gets a terminal of its own, connected with the caller's: where all of its standard descriptors are
/// one. Whatever the caller has redirected it gets as it is.
pub(super) fn terminal() -> bool {
    let (input, output, errors) = (io::stdin(), io::stdout(), io::stderr());
    input.is_terminal() && output.is_terminal() && errors.is_terminal()
}

/// The caller's umask, which can only be read by setting it.
pub(super) fn umask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    mask.as_raw_mode()
}

/// The site's `udiMount`, free of links.
pub(super) fn udi_mount(config: &Config) -> Result<PathBuf> {
    let Some(wanted) = &config.udi_mount else {
        let path = config.path.display();
        bail!("{path}: udiMount is missing: where containers are built");
    };
    let place = || config.place_of("udiMount");
    let found = trusted::follow(wanted, &ROOT).with_context(place)?;
    if found.kind != FileType::Directory {
        bail!("{}: {} is not a directory", place(), wanted.display());
    }
    Ok(found.path)
}

/// Mounts an empty file system of memory on `directory`; what the host has there stays as it is.
fn cover(directory: &Path) -> Result<()> {
    mount(
        Some("shifter"),
        directory,
        Some("tmpfs"),
        SHUT,
        Some("mode=0700"),
    )
    .with_context(|| format!("mount {}", directory.display()))
}

fn attach_pinned(pinned: &Pinned) -> io::Result<()> {
    match pinned.is_directory {
        true => fs::create_dir(&pinned.place)?,
        false => drop(File::create_new(&pinned.place)?),
    }
    attach(&clone_of(pinned)?, &pinned.place)
}

/// What is open as a mount of its own. When it is unmounted, the host keeps what it has mounted there.
fn clone_of(pinned: &Pinned) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if pinned.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let clone = open_tree(&pinned.source, "", flags)?;
    let attr = MountAttr {
        set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        propagation: libc::MS_SLAVE,
        ..MountAttr::default()
    };
    mount_setattr(&clone, attr, pinned.recursive)?;
    Ok(clone)
}

pub(super) fn attach(tree: &OwnedFd, place: &Path) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(move_mount(tree, "", CWD, place, flags)?)
}

/// Who asks for a root to write to owns its top directory; what is in it has the modes that the image gives.
fn give_root(rootfs: &Path, asker: &Asker) -> Result<()> {
    let Caller { uid, gid, .. } = asker.caller;
    Ok(std::os::unix::fs::chown(rootfs, Some(uid), Some(gid))?)
}

/// The root file system: the layer, which is there already, over the image. A writable one keeps what is written in
/// memory, until the container ends.
fn attach_overlay(
    udi: &Path,
    rootfs: &Path,
    image: &Path,
    writable: bool,
    mode: Mode,
) -> Result<()> {
    // What an image says of itself in attributes leads nowhere.
    let mut options = format!(
        "redirect_dir=nofollow,metacopy=off,lowerdir={}:{}",
        rootfs.display(),
        image.display()
    );
    let mut flags = SHUT;
    if writable {
        let [upper, work] = ["upper", "work"].map(|name| udi.join(name));
        for made in [&upper, &work] {
            fs::create_dir(made)?;
        }
        options += &format!(",upperdir={},workdir={}", upper.display(), work.display());
        if mode == Mode::Rootless {
            // Other names of attributes are root's.
            options += ",userxattr";
        }
        // The root directory of the container is the upper one.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&upper, open)?;
    } else {
        flags |= MsFlags::MS_RDONLY;
    }
    mount(
        Some("overlay"),
        rootfs,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )?;
    Ok(())
}
