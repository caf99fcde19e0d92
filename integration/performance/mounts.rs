//! A bundle's mounts, made by the shortest way.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::Value;

const NOTHING: Option<&str> = None;
/// Name, major, minor.
const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Makes the bundle's root this process's, with everything mounted in it.
pub fn set_up(bundle: &Path, spec: &Value) -> io::Result<()> {
    let root = bundle.join("rootfs");
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )?;
    mount(Some(&root), &root, NOTHING, MsFlags::MS_BIND, NOTHING)?;
    std::env::set_current_dir(&root)?;
    for entry in spec["mounts"].as_array().into_iter().flatten() {
        mount_one(entry)?;
    }
    make_devices()?;
    nix::unistd::pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    std::env::set_current_dir("/")?;
    hide(&spec["linux"])?;
    if spec["root"]["readonly"] == true {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(NOTHING, "/", NOTHING, flags, NOTHING)?;
    }
    Ok(())
}

fn mount_one(entry: &Value) -> io::Result<()> {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let mut flags = MsFlags::empty();
    let mut data = Vec::new();
    for option in entry["options"].as_array().into_iter().flatten() {
        match option.as_str().unwrap_or_default() {
            "nosuid" => flags |= MsFlags::MS_NOSUID,
            "noexec" => flags |= MsFlags::MS_NOEXEC,
            "nodev" => flags |= MsFlags::MS_NODEV,
            "ro" => flags |= MsFlags::MS_RDONLY,
            "strictatime" => flags |= MsFlags::MS_STRICTATIME,
            other => data.push(other),
        }
    }
    let target = text("destination").trim_start_matches('/');
    fs::create_dir_all(target)?;
    Ok(mount(
        Some(text("source")),
        target,
        Some(text("type")),
        flags,
        Some(data.join(",").as_str()),
    )?)
}

fn make_devices() -> io::Result<()> {
    let mode = Mode::from_bits_truncate(0o666);
    for (name, major, minor) in DEVICES {
        let path = Path::new("dev").join(name);
        mknod(&path, SFlag::S_IFCHR, mode, makedev(major, minor))?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        std::os::unix::fs::symlink(to, Path::new("dev").join(name))?;
    }
    Ok(())
}

/// The masked and read-only paths that are there.
fn hide(linux: &Value) -> io::Result<()> {
    let paths = |key: &str| {
        let list = linux[key].as_array().cloned().unwrap_or_default();
        list.into_iter()
            .filter_map(|path| path.as_str().map(str::to_owned))
    };
    for path in paths("maskedPaths") {
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => mount(
                Some("tmpfs"),
                path.as_str(),
                Some("tmpfs"),
                MsFlags::MS_RDONLY,
                NOTHING,
            )?,
            Ok(_) => mount(
                Some("/dev/null"),
                path.as_str(),
                NOTHING,
                MsFlags::MS_BIND,
                NOTHING,
            )?,
            Err(_) => {}
        }
    }
    for path in paths("readonlyPaths") {
        if fs::metadata(&path).is_err() {
            continue;
        }
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(path.as_str()), path.as_str(), NOTHING, bind, NOTHING)?;
        let flags = bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(NOTHING, path.as_str(), NOTHING, flags, NOTHING)?;
    }
    Ok(())
}
