//! Making `perNodeCache`: an xfs in a sparse file without a name, which goes when its mount does, however that goes.

use std::fs::{self, DirBuilder, File};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::container::Cache;
use bundles::shifter::trusted::{self, ROOT};
use bundles::shifter::volumes::{PerNodeCache, VolumeMap};
use image_files::spawn_mortal;
use nix::mount::{MsFlags, mount};
use nix::unistd::geteuid;
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, chownat, fstatvfs, openat};

use super::build::Use;
use super::caller::Asker;
use crate::sys::{Access, attach_loop_device};

/// Makes the caches that `wanted` asks for, in directories below `volumes`. For who only looks there are the directories
/// alone.
///
/// # Errors
/// Why one can't be made, naming the map.
pub(super) fn make(
    wanted: Vec<VolumeMap>,
    volumes: &Path,
    config: &Config,
    asker: &Asker,
    for_use: Use,
) -> Result<Vec<Cache>> {
    let mut caches = vec![];
    for (number, map) in wanted.into_iter().enumerate() {
        let place = volumes.join(format!("cache-{number}"));
        DirBuilder::new().mode(0o700).create(&place)?;
        if let (Use::Run, Some(cache)) = (for_use, map.cache) {
            make_one(cache, &place, config, asker).with_context(|| format!("volume {map}"))?;
        }
        caches.push((map, place));
    }
    Ok(caches)
}

fn make_one(cache: PerNodeCache, place: &Path, config: &Config, asker: &Asker) -> Result<()> {
    if !geteuid().is_root() {
        bail!("perNodeCache is mounted by root, and this container is made without root");
    }
    let directory = config.cache.path.as_ref();
    let directory = directory.context("the site has no perNodeCachePath")?;
    let directory = trusted::follow(directory, &ROOT)
        .context("perNodeCachePath")?
        .path;
    let program = config.mkfs_xfs.as_ref();
    let program = program.context("mkfsXfsPath is missing: nothing makes the file system")?;
    let program = trusted::follow(program, &ROOT).context("mkfsXfsPath")?.path;
    let file =
        nameless(&directory).with_context(|| format!("make a file in {}", directory.display()))?;
    let free = fstatvfs(&file)?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    if cache.size > free {
        let place = directory.display();
        bail!(
            "{} bytes are more than the {free} that are free in {place}",
            cache.size
        );
    }
    file.set_len(cache.size)?;
    let device =
        attach_loop_device(file.as_fd(), Access::ReadWrite).context("make a loop device")?;
    let path = fs::read_link(format!("/proc/self/fd/{}", device.as_raw_fd()))?;
    fill(&program, &path)?;
    mount(
        Some(&path),
        place,
        Some("xfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        None::<&str>,
    )
    .context("mount it")?;
    let (uid, gid) = (asker.caller.uid, asker.caller.gid);
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    chownat(
        CWD,
        place,
        owner.0,
        owner.1,
        rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
    )?;
    rustix::fs::chmod(place, Mode::from_raw_mode(0o700))?;
    Ok(())
}

/// A file that no directory knows: the kernel frees it when the last who has it open is gone.
fn nameless(directory: &Path) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match openat(CWD, directory, flags, Mode::from_raw_mode(0o600)) {
        Ok(file) => Ok(file.into()),
        // Not every file system can.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
            let path = directory.join(format!("perNodeCache.{}", std::process::id()));
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the file system. What the program says is told where it fails.
fn fill(program: &Path, device: &PathBuf) -> Result<()> {
    let child = spawn_mortal(
        Command::new(program)
            .args(["-q", "-K"])
            .arg(device)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    let output = child
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| program.display().to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    bail!("{}: {}: {first}", program.display(), output.status)
}
