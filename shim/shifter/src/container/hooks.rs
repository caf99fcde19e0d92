//! Running the site's scripts as root, in the root file system as far as it goes.
//!
//! Shifter runs them with `udiMount` as their working directory, and the root under construction there. So that is put
//! there for each of them, read back when it has ended, and taken away again. What it mounted is kept.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use bundles::bundle::Skeleton;
use bundles::promise::{MountPoint, parse_mountinfo};
use bundles::shifter::container::{ContainerError, Left, LeftMount, RootHook, Stage, StageMount};
use bundles::shifter::trusted::{self, ROOT};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::geteuid;
use runtime::telling;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use image_files::spawn_mortal;

const SHELL: &str = "/bin/sh";
const NONE: Option<&str> = None;

/// Where scripts are run.
#[derive(Debug)]
pub(super) struct Scripts {
    /// The site's `udiMount`.
    udi: PathBuf,
    /// A directory for what they mount.
    kept: PathBuf,
    /// How many mounts are kept so far.
    count: usize,
    /// Whether they are run at all.
    runs: bool,
    /// What isn't as it was asked for, a line each.
    pub notes: Vec<String>,
}

impl Scripts {
    /// For a container on `udi`. What they mount is kept in the directory `kept`.
    pub(super) fn new(udi: &Path, kept: &Path, runs: bool) -> Self {
        Self {
            udi: udi.to_path_buf(),
            kept: kept.to_path_buf(),
            count: 0,
            runs,
            notes: vec![],
        }
    }

    /// Runs one.
    ///
    /// # Errors
    /// [`ContainerError::Hook`].
    pub(super) fn run(
        &mut self,
        hook: &RootHook<'_>,
        stage: &Stage<'_>,
    ) -> Result<Option<Left>, ContainerError> {
        if !self.runs {
            let script = hook.script.display();
            let note = format!(
                "{}: {script} is not run for this; what it adds is missing",
                hook.key
            );
            self.notes.push(note);
            return Ok(None);
        }
        let left = self.run_in(hook.script, stage);
        left.map(Some).map_err(|error| ContainerError::Hook {
            key: hook.key.clone(),
            script: hook.script.to_path_buf(),
            reason: telling::line(error.as_ref()),
        })
    }

    fn run_in(&mut self, script: &Path, stage: &Stage<'_>) -> Result<Left> {
        if !geteuid().is_root() {
            bail!("is root's to run, and this container is made without root");
        }
        let script = trusted::follow(script, &ROOT)?.path;
        // Before they are covered: what earlier scripts mounted is below udiMount.
        let shown = stage.mounts.iter().map(Shown::of);
        let shown: Vec<Shown<'_>> = shown.collect::<Result<_>>()?;
        mount(
            Some("shifter"),
            &self.udi,
            Some("tmpfs"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
            Some("mode=0755"),
        )
        .context("make the root under construction")?;
        let left = self.run_on(&script, stage.layer, &shown);
        umount2(&self.udi, MntFlags::MNT_DETACH)
            .context("take the root under construction away")?;
        let (layer, mounts) = left?;
        let mounts = mounts.into_iter().map(|mount| self.keep(mount));
        Ok(Left {
            layer,
            mounts: mounts.collect::<Result<_>>()?,
        })
    }

    /// With an empty file system on `udiMount`.
    fn run_on(
        &self,
        script: &Path,
        layer: &Skeleton,
        shown: &[Shown<'_>],
    ) -> Result<(Skeleton, Vec<Made>)> {
        layer
            .make(&self.udi)
            .map_err(|(path, error)| error_at(&path, &error))?;
        for mount in shown {
            mount.attach(&self.udi).with_context(|| mount.told())?;
        }
        let before = Mounts::read()?;
        execute(script, &self.udi)?;
        let new: Vec<MountPoint> = Mounts::read()?.since(&before, &self.udi);
        let made = new.iter().map(|mount| Made::of(mount, &self.udi));
        let made = made.collect::<Result<Vec<_>>>()?;
        let listed = shown
            .iter()
            .map(|shown| shown.mount.destination.to_path_buf());
        let mounted = made.iter().map(|mount| mount.destination.clone());
        let mounted: Vec<PathBuf> = listed.chain(mounted).collect();
        let layer = Skeleton::read(&self.udi, &mounted, ROOT[0])
            .map_err(|(path, error)| error_at(&path, &error))?;
        Ok((layer, made))
    }

    fn keep(&mut self, made: Made) -> Result<LeftMount> {
        let source = self.kept.join(format!("hook-{}", self.count));
        self.count += 1;
        match made.is_directory {
            true => fs::create_dir(&source)?,
            false => drop(fs::File::create_new(&source)?),
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&made.tree, "", CWD, &source, flags)
            .with_context(|| format!("keep the mount {}", made.destination.display()))?;
        Ok(LeftMount {
            destination: made.destination,
            source,
            options: made.options,
        })
    }
}

fn error_at(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{} {error}", path.display())
}

/// What the container will have mounted, as a tree of its own.
struct Shown<'a> {
    mount: &'a StageMount<'a>,
    tree: OwnedFd,
}

impl<'a> Shown<'a> {
    fn of(mount: &'a StageMount<'a>) -> Result<Self> {
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        if mount.recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        let tree = open_tree(mount.source, "", flags)
            .with_context(|| format!("clone what is for {}", mount.destination.display()))?;
        Ok(Self { mount, tree })
    }

    /// Read-only where it will be. The way there may lead through what is the user's.
    fn attach(&self, root: &Path) -> Result<()> {
        let root = fs::File::open(root)?;
        let target = openat2(
            &root,
            self.mount.destination.strip_prefix("/")?,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS,
        )?;
        move_mount(
            &self.tree,
            "",
            &target,
            "",
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
        )?;
        let mut flags =
            MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        if self.mount.read_only {
            flags |= MsFlags::MS_RDONLY;
        }
        // By its descriptor: it is what was mounted.
        let place = format!("/proc/self/fd/{}", self.tree.as_raw_fd());
        mount(NONE, place.as_str(), NONE, flags, NONE)?;
        Ok(())
    }

    fn told(&self) -> String {
        format!("mount {}", self.mount.destination.display())
    }
}

/// As Shifter does: by the host's shell, without any variable, its output among the messages.
fn execute(script: &Path, directory: &Path) -> Result<()> {
    let messages: OwnedFd = io::stderr().as_fd().try_clone_to_owned()?;
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let child = spawn_mortal(
        Command::new(SHELL)
            .arg(script)
            .env_clear()
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::from(messages)),
    );
    rustix::process::umask(old);
    let status = child.context(SHELL)?.wait()?;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}

/// A mount that a script made, as a tree of its own.
struct Made {
    destination: PathBuf,
    tree: OwnedFd,
    is_directory: bool,
    options: Vec<String>,
}

impl Made {
    fn of(mount: &MountPoint, udi: &Path) -> Result<Self> {
        let shown = mount.path.display();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, &mount.path, flags).with_context(|| format!("keep {shown}"))?;
        let options = ["ro", "noexec"].into_iter();
        Ok(Self {
            destination: Path::new("/").join(mount.path.strip_prefix(udi)?),
            is_directory: fs::metadata(&mount.path)?.is_dir(),
            tree,
            options: options
                .filter(|option| mount.has(option))
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// The mounts of this process's namespace, by their numbers.
struct Mounts(Vec<(u64, MountPoint)>);

impl Mounts {
    fn read() -> Result<Self> {
        let text = fs::read_to_string("/proc/self/mountinfo").context("read the mounts")?;
        let number = |line: &str| line.split(' ').next()?.parse().ok();
        let numbers = text.lines().map(|line| number(line).unwrap_or_default());
        Ok(Self(numbers.zip(parse_mountinfo(&text)?).collect()))
    }

    /// Those below `udi` that weren't there before, and aren't below another of them.
    fn since(self, before: &Self, udi: &Path) -> Vec<MountPoint> {
        let mut new: Vec<MountPoint> = vec![];
        for (number, mount) in self.0 {
            let is_old = before.0.iter().any(|(known, _)| *known == number);
            let is_below = mount.path != udi && mount.path.starts_with(udi);
            let is_covered = new.iter().any(|above| mount.path.starts_with(&above.path));
            if !is_old && is_below && !is_covered {
                new.push(mount);
            }
        }
        new
    }
}
