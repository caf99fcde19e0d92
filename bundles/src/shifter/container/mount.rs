//! Mounts of a container, each with the reason why it is there.

use std::path::Path;

use oci_spec::runtime::Mount;

use crate::shifter::volumes::{Propagation, VolumeMap};

/// A mount and its reason.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub mount: Mount,
    pub why: String,
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

/// A bind mount as `map` has it. Here `rec` makes nosuid and nodev hold for what is mounted below, too.
pub(super) fn bind(
    map: &VolumeMap,
    destination: &Path,
    source: &Path,
    default: Propagation,
    why: String,
) -> Planned {
    let propagation = map.propagation.unwrap_or(default);
    let mut options = match map.recursive {
        false => vec!["bind", "nosuid", "nodev"],
        true => vec!["rbind", "nosuid", "rnosuid", "nodev", "rnodev"],
    };
    if map.read_only {
        options.push("ro");
    }
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
