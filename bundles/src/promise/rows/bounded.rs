//! Limits that the kernel enforces.

use oci_spec::runtime::{LinuxResources, Spec};

use crate::promise::spec_view::linux;
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "bounded",
    reason: "Opt-Server: the sandbox limits \"how much memory is consumed, etc.\"",
    meaning: "the number of processes is limited, and memory where a limit is set",
    lesser: Some("limits on processes and memory hold where they are set"),
    in_config,
    on_process,
};

fn resources(spec: &Spec) -> Option<&LinuxResources> {
    linux(spec).and_then(|linux| linux.resources().as_ref())
}

fn pids_limit(spec: &Spec) -> Option<i64> {
    resources(spec)
        .and_then(|resources| resources.pids().as_ref())
        .map(|pids| pids.limit())
        .filter(|limit| *limit > 0)
}

fn memory_limit(spec: &Spec) -> Option<i64> {
    resources(spec)
        .and_then(|resources| resources.memory().as_ref())
        .and_then(|memory| memory.limit())
        .filter(|limit| *limit > 0)
}

fn in_config(spec: &Spec, kind: Kind) -> Vec<String> {
    if kind == Kind::OptServer && pids_limit(spec).is_none() {
        return vec!["linux.resources.pids.limit is absent".to_owned()];
    }
    vec![]
}

fn on_process(observed: &Observed, spec: &Spec, _: Kind) -> Vec<String> {
    let limits = [
        ("pids", pids_limit(spec), observed.cgroup.pids),
        ("memory", memory_limit(spec), observed.cgroup.memory),
    ];
    limits
        .into_iter()
        .filter_map(|(name, wanted, seen)| {
            let wanted = wanted?;
            match seen {
                Some(seen) if seen <= wanted => None,
                Some(seen) => Some(format!("the {name} limit is {seen}, not {wanted}")),
                None => Some(format!("there is no {name} limit, {wanted} is wanted")),
            }
        })
        .collect()
}
