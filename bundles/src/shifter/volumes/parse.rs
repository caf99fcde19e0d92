//! The grammar of volume maps.

use super::bytes::parse_bytes;
use super::rules::check_target;
use super::{Asker, PerNodeCache, Propagation, VolumeError, VolumeMap, VolumeProblem};

const DEFAULT_BLOCK_SIZE: u64 = 1 << 20;
const USERS_FLAGS: &str = "ro, perNodeCache=size=BYTES";
const SITES_FLAGS: &str = "ro, rec, slave, private, perNodeCache=size=BYTES";

pub(super) fn maps(text: &str, asker: Asker) -> Result<Vec<VolumeMap>, VolumeError> {
    // Blanks at the ends mean nothing: a site continues its list on the next line.
    let written = text.split(';').map(str::trim);
    let written = written.filter(|map| !map.is_empty());
    written
        .map(|written| {
            map(written, asker).map_err(|problem| VolumeError {
                map: written.to_owned(),
                problem,
            })
        })
        .collect()
}

fn map(written: &str, asker: Asker) -> Result<VolumeMap, VolumeProblem> {
    let unquoted = written
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(written);
    let mut parts = unquoted.split(':').map(str::trim);
    let from = parts.next().unwrap_or_default();
    let to = match parts.next() {
        Some(to) => to,
        // A site may leave the target out where it is the same.
        None if asker == Asker::Site => from,
        None => return Err(VolumeProblem::NoPath),
    };
    if from.is_empty() || to.is_empty() {
        return Err(VolumeProblem::NoPath);
    }
    let mut map = VolumeMap {
        from: path(from)?,
        to: path(to)?,
        read_only: false,
        recursive: false,
        propagation: None,
        cache: None,
    };
    for flag in parts.filter(|flag| !flag.is_empty()) {
        add_flag(&mut map, flag, asker)?;
    }
    check_target(&map.to, asker)?;
    Ok(map)
}

/// A normal path: what leads somewhere else than it says is refused, and so is what Shifter would cut out.
fn path(written: &str) -> Result<String, VolumeProblem> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_:.+-/".contains(c);
    let path = written.to_owned();
    if let Some(character) = written.chars().find(|c| !is_allowed(*c)) {
        return Err(VolumeProblem::Character { path, character });
    }
    if written.contains("..") {
        return Err(VolumeProblem::Parent { path });
    }
    if !written.starts_with('/') {
        return Err(VolumeProblem::Relative { path });
    }
    let names = written.split('/');
    let names: Vec<&str> = names.filter(|name| !["", "."].contains(name)).collect();
    Ok(format!("/{}", names.join("/")))
}

fn add_flag(map: &mut VolumeMap, written: &str, asker: Asker) -> Result<(), VolumeProblem> {
    let (name, value) = match written.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (written, None),
    };
    let flag = match name.to_ascii_lowercase().as_str() {
        "ro" => "ro",
        "rec" => "rec",
        "slave" => "slave",
        "private" => "private",
        "pernodecache" => "perNodeCache",
        _ => {
            return Err(VolumeProblem::UnknownFlag {
                flag: written.to_owned(),
                known: match asker {
                    Asker::User => USERS_FLAGS,
                    Asker::Site => SITES_FLAGS,
                },
            });
        }
    };
    if value.is_some() && flag != "perNodeCache" {
        return Err(VolumeProblem::NoValue { flag });
    }
    if asker == Asker::User && ["rec", "slave", "private"].contains(&flag) {
        return Err(VolumeProblem::NotForUsers { flag });
    }
    let is_given = match flag {
        "ro" => std::mem::replace(&mut map.read_only, true),
        "rec" => std::mem::replace(&mut map.recursive, true),
        "perNodeCache" => map.cache.replace(cache(value)?).is_some(),
        _ => return propagate(map, flag),
    };
    if is_given {
        return Err(VolumeProblem::Twice { flag });
    }
    Ok(())
}

fn propagate(map: &mut VolumeMap, flag: &'static str) -> Result<(), VolumeProblem> {
    let wanted = match flag {
        "slave" => Propagation::Slave,
        _ => Propagation::Private,
    };
    match map.propagation.replace(wanted) {
        None => Ok(()),
        Some(given) if given == wanted => Err(VolumeProblem::Twice { flag }),
        Some(_) => Err(VolumeProblem::Contradiction),
    }
}

fn cache(value: Option<&str>) -> Result<PerNodeCache, VolumeProblem> {
    let refuse = |reason: String| VolumeProblem::Cache { reason };
    let mut cache = PerNodeCache {
        size: 0,
        block_size: DEFAULT_BLOCK_SIZE,
    };
    for pair in value.unwrap_or_default().split(',') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let bytes = || match parse_bytes(value) {
            Some(bytes) if bytes > 0 => Ok(bytes),
            _ => Err(refuse(format!("{value:?} is not a size, such as 500M"))),
        };
        match key.to_ascii_lowercase().as_str() {
            "size" => cache.size = bytes()?,
            "bs" => cache.block_size = bytes()?,
            "fs" if value != "xfs" => {
                return Err(refuse(format!(
                    "the file system must be xfs, not {value:?}"
                )));
            }
            "method" if value != "loop" => {
                return Err(refuse(format!("the method must be loop, not {value:?}")));
            }
            // Shifter passes over what it doesn't know.
            _ => {}
        }
    }
    if cache.size == 0 {
        return Err(refuse("needs a size: perNodeCache=size=500M".to_owned()));
    }
    Ok(cache)
}
