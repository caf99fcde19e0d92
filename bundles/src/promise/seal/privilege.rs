//! Privilege out of a spec: identity, groups, capabilities.

use std::collections::HashSet;

use oci_spec::runtime::{Capability, Linux, LinuxCapabilities, LinuxIdMapping, Process, Spec};

use crate::promise::Kind;
use crate::promise::exceptions::{self, Exception};
use crate::promise::spec_view::{host_id, linux, process};

/// Who runs what would be root on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAs {
    /// In the place of a uid that is 0 on the host.
    pub uid: u32,
    /// In the place of a gid that is 0 on the host.
    pub gid: u32,
}

/// Another uid and gid where they are root's on the host, unless the user namespace makes root of the other one, too, or
/// doesn't map it. A capability that is excepted reaches a program that isn't root's only as an ambient one.
pub(super) fn change_identity(spec: &mut Spec, other: RunAs) -> Vec<String> {
    if exceptions::known(spec).contains(&Exception::Root) {
        return vec![];
    }
    let instead = |id, other, mappings: fn(&Linux) -> &Option<Vec<LinuxIdMapping>>| {
        let mappings = linux(spec).map_or(&None, mappings);
        let is_root = host_id(spec, id, mappings) == Some(0);
        let is_somebody = host_id(spec, other, mappings).is_some_and(|id| id != 0);
        (is_root && is_somebody).then_some(other)
    };
    let Some(user) = process(spec).map(Process::user) else {
        return vec![];
    };
    let uid = instead(user.uid(), other.uid, Linux::uid_mappings);
    let gid = instead(user.gid(), other.gid, Linux::gid_mappings);
    let mut changes = vec![];
    let Some(process) = spec.process_mut() else {
        return changes;
    };
    let user = process.user_mut();
    if let Some(uid) = uid {
        user.set_uid(uid);
        changes.push(format!("process.user.uid changed from root's to {uid}"));
    }
    if let Some(gid) = gid {
        user.set_gid(gid);
        changes.push(format!("process.user.gid changed from root's to {gid}"));
    }
    if let Some(mut capabilities) = process.capabilities().clone().filter(|_| uid.is_some()) {
        let permitted = capabilities.permitted().clone();
        capabilities
            .set_inheritable(permitted.clone())
            .set_ambient(permitted);
        process.set_capabilities(Some(capabilities));
    }
    changes
}

/// A supplementary group is a privilege: root's are dropped.
pub(super) fn drop_groups(spec: &mut Spec, _: Kind) -> Vec<String> {
    let asked = process(spec).and_then(|process| process.user().additional_gids().clone());
    let mappings = linux(spec).and_then(|linux| linux.gid_mappings().clone());
    let Some(mut groups) = asked.filter(|_| !exceptions::known(spec).contains(&Exception::Root))
    else {
        return vec![];
    };
    let before = groups.len();
    groups.retain(|gid| host_id(spec, *gid, &mappings) != Some(0));
    if groups.len() == before {
        return vec![];
    }
    if let Some(process) = spec.process_mut() {
        process.user_mut().set_additional_gids(Some(groups));
    }
    vec!["process.user.additionalGids: root's group removed".to_owned()]
}

pub(super) fn drop_privilege(spec: &mut Spec, _: Kind) -> Vec<String> {
    let mut changes = vec![];
    let excepted = exceptions::capabilities(spec);
    let Some(process) = spec.process_mut() else {
        return changes;
    };
    let sealed = only(&excepted, process.capabilities().as_ref());
    if process.capabilities().as_ref() != Some(&sealed) {
        process.set_capabilities(Some(sealed));
        changes.push(if excepted.is_empty() {
            "process.capabilities emptied".to_owned()
        } else {
            "process.capabilities emptied but for exceptions".to_owned()
        });
    }
    if process.no_new_privileges() != Some(true) {
        process.set_no_new_privileges(Some(true));
        changes.push("process.noNewPrivileges set".to_owned());
    }
    changes
}

/// The five sets, present, with what is `excepted` of those that were asked for.
fn only(excepted: &[Capability], asked: Option<&LinuxCapabilities>) -> LinuxCapabilities {
    let mut capabilities = no_capabilities();
    let Some(asked) = asked else {
        return capabilities;
    };
    let kept = |set: &Option<HashSet<Capability>>| {
        let asked = set.iter().flatten().copied();
        Some(asked.filter(|one| excepted.contains(one)).collect())
    };
    capabilities
        .set_bounding(kept(asked.bounding()))
        .set_effective(kept(asked.effective()))
        .set_inheritable(kept(asked.inheritable()))
        .set_permitted(kept(asked.permitted()))
        .set_ambient(kept(asked.ambient()));
    capabilities
}

/// The five sets, present and empty.
fn no_capabilities() -> LinuxCapabilities {
    let mut capabilities = LinuxCapabilities::default();
    capabilities
        .set_bounding(Some(HashSet::new()))
        .set_effective(Some(HashSet::new()))
        .set_inheritable(Some(HashSet::new()))
        .set_permitted(Some(HashSet::new()))
        .set_ambient(Some(HashSet::new()));
    capabilities
}
