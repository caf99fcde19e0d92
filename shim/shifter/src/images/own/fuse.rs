//! An image mounted by a program of the user's, through FUSE.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, fstat, memfd_create, openat};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use rustix::process::{getegid, geteuid};

use crate::images::error::other_ways;
use crate::images::kernel;
use image_files::{FileSystem, Kind, NotAnImage};

/// Where programs are looked for: not where a variable says.
const DIRECTORIES: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// The longest complaint of a program that is passed on, bytes.
const LONGEST_COMPLAINT: u64 = 400;

/// Why the image isn't served. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FuseError {
    /// The file isn't what it should be.
    #[error("image {source}")]
    NotAnImage {
        /// What is wrong.
        #[from]
        source: NotAnImage,
    },
    /// No program serves what is in it.
    #[error(
        "holds {}, which no program serves to a user; hint: {}",
        .0.name(),
        other_ways(*.0)
    )]
    NoServer(Kind),
    /// There would be one.
    #[error("{program} is not installed; hint: {hint}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Users have no FUSE here.
    #[error(
        "open /dev/fuse: {source}; hint: {remedy}, or an image that is a directory (opt-runtime doctor tells more)"
    )]
    NoDevice {
        /// The cause.
        source: io::Error,
        /// What root can do.
        remedy: &'static str,
    },
    /// A system call failed.
    #[error("serve an image: {operation}: {source}")]
    Io {
        /// What failed.
        operation: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The program gave up, and why.
    #[error("{program} doesn't serve it: {complaint}")]
    GaveUp {
        /// Its name.
        program: &'static str,
        /// Its own words.
        complaint: String,
    },
}

/// The program that serves an image. It ends, and the mount with it, when this is dropped or this process ends.
#[derive(Debug)]
pub struct Served {
    child: Child,
    /// A mount of the image, nowhere yet: read-only, nosuid, nodev.
    pub mount: OwnedFd,
}

impl Served {
    /// Mounts the image on the directory `at` of this mount namespace.
    ///
    /// # Errors
    /// [`FuseError::Io`].
    pub fn attach(&self, at: impl AsFd) -> Result<(), FuseError> {
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&self.mount, "", at, "", flags).map_err(|errno| FuseError::Io {
            operation: "put the mount in its place",
            source: errno.into(),
        })
    }

    /// Serves on as long as this process lives, whatever program it becomes.
    pub fn serve_on(self) {
        std::mem::forget(self);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Mounts the image in `file`, read-only, nosuid and nodev, nowhere yet. This process's mount namespace has to be one where
/// it may mount; the program that serves the image mounts nothing and needs no right to.
///
/// # Errors
/// [`FuseError`].
pub fn serve(file: &File) -> Result<Served, FuseError> {
    let kind = FileSystem::of(file)?.kind;
    let (program, path) = server(kind)?;
    let failed = |operation| move |source| FuseError::Io { operation, source };
    let image = file.try_clone().map_err(failed("open a descriptor"))?;
    let said = memfd_create("said", MemfdFlags::CLOEXEC);
    let mut said = File::from(said.map_err(|errno| failed("make a file in memory")(errno.into()))?);
    let to_said = said.try_clone().map_err(failed("open a descriptor"))?;
    let device = open_device()?;
    let mount = mount(&device).map_err(|errno| failed("mount")(errno.into()))?;
    let mut command = Command::new(path);
    // The image is its standard input, which it opens again by name: the name is that of the open file.
    command
        .args(["-f", "/proc/self/fd/0"])
        .arg(format!("/dev/fd/{}", device.as_raw_fd()))
        .stdin(image)
        .stdout(Stdio::null())
        .stderr(to_said);
    fcntl_setfd(&device, FdFlags::empty())
        .map_err(|errno| failed("hand /dev/fuse on")(errno.into()))?;
    let child = image_files::spawn_server(&mut command).map_err(failed("start its program"))?;
    let mut served = Served { child, mount };
    // From here on the connection is the program's alone, and ends with it.
    drop(device);
    // Answered by the program, or by its end.
    if fstat(&served.mount).is_err() {
        served.child.wait().map_err(failed("wait"))?;
        let complaint = complaint(&mut said);
        return Err(FuseError::GaveUp { program, complaint });
    }
    Ok(served)
}

fn open_device() -> Result<OwnedFd, FuseError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    openat(CWD, "/dev/fuse", flags, Mode::empty()).map_err(|errno| FuseError::NoDevice {
        source: errno.into(),
        remedy: match errno {
            Errno::ACCESS | Errno::PERM => "chmod 0666 /dev/fuse, as udev makes it",
            _ => "modprobe fuse",
        },
    })
}

/// Mounts what is served through `device`, nowhere yet.
fn mount(device: &OwnedFd) -> Result<OwnedFd, Errno> {
    let context = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [
        ("fd", device.as_raw_fd().to_string()),
        // Of a directory.
        ("rootmode", "40000".to_owned()),
        ("user_id", geteuid().as_raw().to_string()),
        ("group_id", getegid().as_raw().to_string()),
    ] {
        fsconfig_set_string(&context, key, value)?;
    }
    fsconfig_set_flag(&context, "ro")?;
    // Files' modes count, as for the kernel's own file systems.
    fsconfig_set_flag(&context, "default_permissions")?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, kernel::ATTRIBUTES)
}

fn server(kind: Kind) -> Result<(&'static str, PathBuf), FuseError> {
    let (program, hint) = match kind {
        Kind::Squashfs => ("squashfuse_ll", "its package is squashfuse"),
        Kind::Erofs => (
            "erofsfuse",
            "it is one of erofs-utils' programs; or make a squashfs of the image: shifter image convert",
        ),
        Kind::Ext4 | Kind::Xfs | Kind::Cramfs => return Err(FuseError::NoServer(kind)),
    };
    let mut paths = DIRECTORIES
        .map(|directory| Path::new(directory).join(program))
        .into_iter();
    let path = paths.find(|path| path.is_file());
    Ok((program, path.ok_or(FuseError::Missing { program, hint })?))
}

/// What a program said, on one line.
fn complaint(said: &mut File) -> String {
    let mut text = vec![];
    let read = said
        .rewind()
        .and_then(|()| said.take(LONGEST_COMPLAINT).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    match read {
        Ok(_) if !lines.is_empty() => lines.join(", "),
        _ => "and says nothing about it".to_owned(),
    }
}
