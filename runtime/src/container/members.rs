//! Which processes are a container's.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::process::is_foreign;
use super::snapshot::{Snapshot, Status};
use super::{Error, Result};

/// The pids of the container's processes, sorted: those in its cgroup, or where it has none of its own, those
/// in its pid namespace, or where it has none either, the first one.
///
/// # Errors
/// Where they can't be listed; [`Error::OtherNamespace`] where their pids aren't ours.
pub fn members(container: &Snapshot) -> Result<Vec<i32>> {
    if !container.cgroup.is_anothers() {
        return container.cgroup.processes();
    }
    let (Some(first), false) = (container.process, container.status() == Status::Stopped) else {
        return Ok(vec![]);
    };
    if is_foreign(first) {
        return Err(Error::OtherNamespace(container.id.clone()));
    }
    if container.has_pid_namespace {
        return in_namespace_of(first.pid);
    }
    Ok(vec![first.pid])
}

/// The processes in the pid namespace of `first`; those in namespaces below it are of others.
fn in_namespace_of(first: i32) -> Result<Vec<i32>> {
    let namespace = |pid: i32| {
        let metadata = fs::metadata(format!("/proc/{pid}/ns/pid"));
        metadata.map(|metadata| metadata.ino())
    };
    let failed = Error::step("look at the container's pid namespace");
    let wanted = namespace(first).map_err(failed)?;
    let names = fs::read_dir("/proc").map_err(Error::io("read", "/proc"))?;
    let pids = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
    let mut members: Vec<i32> = pids
        .filter(|pid| namespace(*pid).is_ok_and(|namespace| namespace == wanted))
        .collect();
    members.sort_unstable();
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_its_own_pid_namespace() {
        let own = std::process::id().cast_signed();
        assert!(in_namespace_of(own).unwrap().contains(&own));
    }
}
