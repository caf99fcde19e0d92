//! The id mappings of a new user namespace: user_namespaces(7).

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libcontainer::oci_spec::runtime::{
    LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespaceType, Spec,
};
use nix::unistd::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

use super::{Error, Result, namespaces};
use crate::kernel_file;

/// What an ordinary user maps ids of others with: newuidmap(1), newgidmap(1), as `/etc/subuid` allows.
const HELPERS: [&str; 2] = ["newuidmap", "newgidmap"];

/// Where they are looked for when PATH doesn't have them, as with services that pass none of the user's.
const USUAL_DIRECTORIES: &str = "/usr/bin:/usr/local/bin:/bin";

/// The mappings of the user namespace that a spec asks for.
#[derive(Debug, Clone)]
pub(super) struct IdMaps {
    uids: Vec<LinuxIdMapping>,
    gids: Vec<LinuxIdMapping>,
}

impl IdMaps {
    /// Writes them into `spec` where it asks for a new user namespace and has none: the process's ids are then the
    /// caller's own, as with crun. Who has nothing to say of ids needs no others.
    pub(super) fn make_explicit(spec: &mut Spec) {
        if !namespaces::is_new(spec, LinuxNamespaceType::User) {
            return;
        }
        let process = spec.process().as_ref();
        let user = process.map(|process| process.user().clone());
        let user = user.unwrap_or_default();
        let Some(linux) = spec.linux_mut() else {
            return;
        };
        let is_absent =
            |maps: &Option<Vec<LinuxIdMapping>>| maps.as_ref().is_none_or(Vec::is_empty);
        if is_absent(linux.uid_mappings()) {
            linux.set_uid_mappings(single(user.uid(), geteuid().as_raw()));
        }
        if is_absent(linux.gid_mappings()) {
            linux.set_gid_mappings(single(user.gid(), getegid().as_raw()));
        }
    }

    /// Those of `spec`, or `None` where it asks for no new user namespace.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it has none, or the process's groups aren't mapped.
    pub(super) fn of(spec: &Spec) -> Result<Option<Self>> {
        if !namespaces::is_new(spec, LinuxNamespaceType::User) {
            return Ok(None);
        }
        let linux = spec.linux().as_ref();
        let given = |of: fn(&oci_spec::runtime::Linux) -> &Option<Vec<LinuxIdMapping>>| {
            linux
                .and_then(|linux| of(linux).clone())
                .unwrap_or_default()
        };
        let maps = Self {
            uids: given(|linux| linux.uid_mappings()),
            gids: given(|linux| linux.gid_mappings()),
        };
        for (key, maps) in [("uidMappings", &maps.uids), ("gidMappings", &maps.gids)] {
            if maps.is_empty() {
                return Err(Error::unsupported(
                    "linux.namespaces with a new user namespace",
                    format!("linux.{key} is absent or empty"),
                ));
            }
        }
        maps.covers_process(spec)?;
        Ok(Some(maps))
    }

    fn covers_process(&self, spec: &Spec) -> Result<()> {
        let Some(process) = spec.process() else {
            return Ok(());
        };
        let user = process.user();
        let unmapped = |key: &str, id: u32| {
            Error::unsupported(
                format!("process.user.{key} {id}"),
                "the mappings of the user namespace don't hold it",
            )
        };
        if outside(&self.uids, user.uid()).is_none() {
            return Err(unmapped("uid", user.uid()));
        }
        let groups = user.additional_gids().iter().flatten().copied();
        for gid in groups.chain([user.gid()]) {
            if outside(&self.gids, gid).is_none() {
                return Err(unmapped("gid", gid));
            }
        }
        let groups = user.additional_gids().as_deref().unwrap_or_default();
        if !groups.is_empty() && !is_privileged() && is_single(&self.gids, getegid().as_raw()) {
            // CVE-2014-8989: the kernel allows no change of groups to who maps his own only.
            return Err(Error::unsupported(
                "process.user.additionalGids",
                "with a single mapping an ordinary user can't set groups; hint: map a range of /etc/subgid",
            ));
        }
        Ok(())
    }

    /// The id outside of the namespace that `uid` in it stands for.
    pub(super) fn outside_uid(&self, uid: u32) -> Option<u32> {
        outside(&self.uids, uid)
    }

    /// Writes them for the process `pid`, which has entered the namespace and is dumpable.
    ///
    /// # Errors
    /// Where the kernel or newuidmap(1) refuses them.
    pub(super) fn write(&self, pid: i32) -> Result<()> {
        if is_privileged() {
            write_map(pid, "uid_map", &self.uids)?;
            return write_map(pid, "gid_map", &self.gids);
        }
        if is_single(&self.uids, geteuid().as_raw()) {
            write_map(pid, "uid_map", &self.uids)?;
        } else {
            ask_helper(HELPERS[0], pid, &self.uids)?;
        }
        if is_single(&self.gids, getegid().as_raw()) {
            let path = format!("/proc/{pid}/setgroups");
            fs::write(&path, "deny").map_err(Error::io("write", path))?;
            write_map(pid, "gid_map", &self.gids)
        } else {
            ask_helper(HELPERS[1], pid, &self.gids)
        }
    }
}

/// Whether the user namespace of the process `/proc/PROCESS` lets groups be set (user_namespaces(7)): one that an
/// ordinary user has mapped by himself doesn't (CVE-2014-8989).
///
/// # Errors
/// Where the process is gone.
pub(super) fn may_set_groups(process: impl Display) -> Result<bool> {
    let path = format!("/proc/{process}/setgroups");
    let text = kernel_file::read(&path).map_err(Error::io("read", path))?;
    Ok(text.trim() == "allow")
}

/// The mapping of one id.
fn single(inside: u32, outside: u32) -> Option<Vec<LinuxIdMapping>> {
    let map = LinuxIdMappingBuilder::default()
        .container_id(inside)
        .host_id(outside)
        .size(1u32);
    Some(vec![map.build().ok()?])
}

/// What the id `id` of a container is outside of it.
pub(super) fn outside(maps: &[LinuxIdMapping], id: u32) -> Option<u32> {
    maps.iter().find_map(|map| {
        let offset = id.checked_sub(map.container_id())?;
        (offset < map.size()).then_some(map.host_id().checked_add(offset)?)
    })
}

/// Whether these map one id only, the caller's own: the one map that everybody may write.
fn is_single(maps: &[LinuxIdMapping], own: u32) -> bool {
    matches!(maps, [map] if map.size() == 1 && map.host_id() == own)
}

/// Whether this process may map any ids of its own user namespace.
fn is_privileged() -> bool {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
    capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

fn write_map(pid: i32, file: &str, maps: &[LinuxIdMapping]) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    let text: String = maps
        .iter()
        .map(|map| format!("{} {} {}\n", map.container_id(), map.host_id(), map.size()))
        .collect();
    fs::write(&path, text).map_err(Error::io("write", path))
}

fn ask_helper(name: &str, pid: i32, maps: &[LinuxIdMapping]) -> Result<()> {
    let refused =
        |reason: String| Error::unsupported("linux.uidMappings and linux.gidMappings", reason);
    let Some(program) = find(name) else {
        return Err(refused(format!(
            "more than your own id needs {name}; hint: install uidmap, or map your own id only"
        )));
    };
    let numbers = maps
        .iter()
        .flat_map(|map| [map.container_id(), map.host_id(), map.size()]);
    let output = Command::new(&program)
        .arg(pid.to_string())
        .args(numbers.map(|number| number.to_string()))
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("execute", &program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(refused(said.trim().to_owned()))
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(USUAL_DIRECTORIES.split(':'))
        .filter(|directory| directory.starts_with('/'))
        .map(|directory| Path::new(directory).join(name))
        .find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(container: u32, host: u32, size: u32) -> LinuxIdMapping {
        let text = json!({ "containerID": container, "hostID": host, "size": size });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_map_holds_its_range_only() {
        let maps = [map(0, 1000, 1), map(10, 100_000, 5), map(20, u32::MAX, 2)];
        for (id, host) in [
            (0, Some(1000)),
            (1, None),
            (9, None),
            (10, Some(100_000)),
            (14, Some(100_004)),
            (15, None),
            (20, Some(u32::MAX)),
            (21, None),
        ] {
            assert_eq!(outside(&maps, id), host, "{id}");
        }
    }

    #[test]
    fn only_the_own_id_alone_needs_no_helper() {
        assert!(is_single(&[map(0, 1000, 1)], 1000));
        assert!(is_single(&[map(1000, 1000, 1)], 1000));
        assert!(!is_single(&[map(0, 1001, 1)], 1000));
        assert!(!is_single(&[map(0, 1000, 2)], 1000));
        assert!(!is_single(&[map(0, 1000, 1), map(1, 100_000, 1)], 1000));
    }
}
