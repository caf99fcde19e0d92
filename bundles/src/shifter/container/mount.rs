//! Mounts of a container, each with the reason why it is there.

use std::os::fd::AsFd;
use std::path::Path;

use oci_spec::runtime::Mount;
use rustix::fs::{StatVfsMountFlags, fstatvfs};

use crate::shifter::volumes::{Propagation, VolumeMap};

/// A mount and its reason.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub mount: Mount,
    pub why: String,
}

/// What can't be done through a mount because it can't be done where its source is mounted. Whether a bind mount takes
/// the host's flags over is up to the runtime, and it knows nothing of what the site shows read-only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub read_only: bool,
    pub no_exec: bool,
}

impl Limits {
    /// Those of the mount that `file` was opened on.
    pub(super) fn of(file: impl AsFd) -> rustix::io::Result<Self> {
        let flags = fstatvfs(file)?.f_flag;
        Ok(Self {
            read_only: flags.contains(StatVfsMountFlags::RDONLY),
            no_exec: flags.contains(StatVfsMountFlags::NOEXEC),
        })
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            read_only: self.read_only || other.read_only,
            no_exec: self.no_exec || other.no_exec,
        }
    }

    /// As options of a mount.
    pub(super) fn options(self) -> impl Iterator<Item = &'static str> {
        let read_only = self.read_only.then_some("ro");
        read_only
            .into_iter()
            .chain(self.no_exec.then_some("noexec"))
    }
}

impl Planned {
    /// Where it is a bind mount, mounts what is mounted below its source as well, to which all options apply then.
    /// What a user namespace hasn't mounted itself it can't uncover: mount_namespaces(7).
    pub(super) fn bring_all_below(&mut self) {
        let is_part_of_sys = |mount: &Mount| mount.destination().starts_with("/sys");
        let options = self.mount.options().clone().unwrap_or_default();
        if is_part_of_sys(&self.mount) || !options.iter().any(|option| option == "bind") {
            return;
        }
        let mut all = vec![];
        for option in options {
            let below = format!("r{option}");
            if !["bind", "private", "slave"].contains(&option.as_str()) {
                all.push(option);
            }
            all.push(below);
        }
        self.mount.set_options(Some(all));
    }
}

pub(super) fn planned(
    destination: &Path,
    typ: &str,
    source: &Path,
    options: &[&str],
    why: String,
) -> Planned {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    let mut mount = Mount::default();
    mount
        .set_destination(destination.to_path_buf())
        .set_typ(Some(typ.to_owned()))
        .set_source(Some(source.to_path_buf()))
        .set_options(Some(options));
    Planned { mount, why }
}

/// A file system of the kernel's.
pub(super) fn file_system(path: &str, typ: &str, options: &[&str], why: &str) -> Planned {
    planned(
        Path::new(path),
        typ,
        Path::new(typ),
        options,
        why.to_owned(),
    )
}

/// A bind mount as `map` has it, within `limits`. Here `rec` makes nosuid and nodev hold for what is mounted below, too.
pub(super) fn bind(
    map: &VolumeMap,
    destination: &Path,
    source: &Path,
    default: Propagation,
    limits: Limits,
    why: String,
) -> Planned {
    let propagation = map.propagation.unwrap_or(default);
    let mut options = match map.recursive {
        false => vec!["bind", "nosuid", "nodev"],
        // `seal` adds the words for what is below where they are missing, and the mount that is bound has the flags already.
        true => vec!["rbind", "nosuid", "rnosuid", "nodev", "rnodev"],
    };
    let asked = Limits {
        read_only: map.read_only,
        no_exec: false,
    };
    options.extend(limits.and(asked).options());
    if map.read_only && map.recursive {
        options.push("rro");
    }
    options.push(match (propagation, map.recursive) {
        (Propagation::Private, false) => "private",
        (Propagation::Private, true) => "rprivate",
        (Propagation::Slave, false) => "slave",
        (Propagation::Slave, true) => "rslave",
    });
    planned(destination, "bind", source, &options, why)
}
