//! An identity that is no one's on the host.

use oci_spec::runtime::Spec;

use crate::promise::exceptions::{self, Exception};
use crate::promise::observed_mount::each_mount;
use crate::promise::spec_view::{host_id, linux, process};
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "nobody",
    reason: "Shifter rule 1: \"avoid running privileged processes in containers\"",
    meaning: "uid and gid are not 0 on the host, supplementary groups are the listed ones",
    lesser: None,
    in_config,
    on_process,
};

/// The host's view of the spec's uid, gid and supplementary groups; `None` where one isn't mapped.
struct Identity {
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Vec<Option<u32>>,
}

fn identity(spec: &Spec) -> Option<Identity> {
    let user = process(spec)?.user();
    let linux = linux(spec)?;
    let groups = user.additional_gids().iter().flatten();
    Some(Identity {
        uid: host_id(spec, user.uid(), linux.uid_mappings()),
        gid: host_id(spec, user.gid(), linux.gid_mappings()),
        groups: groups
            .map(|gid| host_id(spec, *gid, linux.gid_mappings()))
            .collect(),
    })
}

fn in_config(spec: &Spec, _: Kind) -> Vec<String> {
    let Some(identity) = identity(spec) else {
        return vec!["process.user or linux is absent".to_owned()];
    };
    let may_be_root = exceptions::known(spec).contains(&Exception::Root);
    let mut broken = vec![];
    let named = [
        ("process.user.uid", identity.uid),
        ("process.user.gid", identity.gid),
    ];
    let groups = identity
        .groups
        .iter()
        .map(|gid| ("process.user.additionalGids", *gid));
    for (name, id) in named.into_iter().chain(groups) {
        match id {
            Some(0) if may_be_root => {}
            Some(0) => broken.push(format!("{name} is 0 on the host")),
            None => broken.push(format!("{name} is not mapped by the user namespace")),
            Some(_) => {}
        }
    }
    broken
}

fn on_process(observed: &Observed, spec: &Spec, kind: Kind) -> Vec<String> {
    let Some(identity) = identity(spec) else {
        return vec!["the spec names no identity to compare with".to_owned()];
    };
    let may_be_root = exceptions::known(spec).contains(&Exception::Root);
    let is_wrong = |id: u32, wanted| id == 0 && !may_be_root || Some(id) != wanted;
    let mut broken = vec![];
    for (name, seen, wanted) in [
        ("uid", observed.status.uid, identity.uid),
        ("gid", observed.status.gid, identity.gid),
    ] {
        if seen.iter().any(|id| is_wrong(*id, wanted)) {
            broken.push(format!("{name} is {seen:?}, not {wanted:?}"));
        }
    }
    let mut seen: Vec<Option<u32>> = observed.status.groups.iter().copied().map(Some).collect();
    let mut wanted = identity.groups;
    // Login and Slurm list a user's own group once more, and without root that can't be undone. It gives
    // the process nothing that its gid doesn't.
    seen.retain(|group| *group != identity.gid || wanted.contains(group));
    // Shifter's users keep the groups that only root could take from them, as MPI and shared directories need them.
    let is_kept = |group: u32| kind == Kind::Shifter && observed.kept_groups.contains(&group);
    seen.retain(|group| {
        wanted.contains(group) || !group.is_some_and(|group| group != 0 && is_kept(group))
    });
    seen.sort_unstable();
    wanted.sort_unstable();
    if seen != wanted {
        broken.push(format!(
            "supplementary groups are {:?}, not the listed ones",
            observed.status.groups
        ));
    }
    for (mount, line) in each_mount(observed, spec) {
        let mapped = mount.uid_mappings().is_some() || mount.gid_mappings().is_some();
        if mapped && !line.is_some_and(|line| line.has("idmapped")) {
            broken.push(format!(
                "{} is not an idmapped mount",
                mount.destination().display()
            ));
        }
    }
    broken
}
