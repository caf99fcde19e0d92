//! No capability in any of the five sets.

use std::collections::HashSet;

use oci_spec::runtime::{Capability, Spec};

use crate::promise::capability_mask;
use crate::promise::exceptions;
use crate::promise::spec_view::process;
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "no privilege",
    reason: "Shifter: \"once a process is launched into the container, processes are stripped of all privilege\"; rule 2: capabilities restricted to the null set",
    meaning: "no capability in any of the five sets",
    lesser: None,
    in_config,
    on_process,
};

const SETS: [&str; 5] = [
    "inheritable",
    "permitted",
    "effective",
    "bounding",
    "ambient",
];

/// All five sets must be there and empty but for exceptions: an absent one means "keep everything" to libcontainer.
fn in_config(spec: &Spec, _: Kind) -> Vec<String> {
    let Some(capabilities) = process(spec).and_then(|process| process.capabilities().as_ref())
    else {
        return vec!["process.capabilities is absent; it must hold five empty sets".to_owned()];
    };
    let excepted = exceptions::capabilities(spec);
    let sets: [&Option<HashSet<Capability>>; 5] = [
        capabilities.inheritable(),
        capabilities.permitted(),
        capabilities.effective(),
        capabilities.bounding(),
        capabilities.ambient(),
    ];
    std::iter::zip(SETS, sets)
        .filter_map(|(name, set)| match set {
            None => Some(format!("process.capabilities.{name} is absent")),
            Some(set) => {
                let held = set
                    .iter()
                    .filter(|capability| !excepted.contains(capability));
                let mut names: Vec<String> = held.map(ToString::to_string).collect();
                names.sort();
                let shown = names.join(", ");
                (!names.is_empty()).then(|| format!("process.capabilities.{name} holds {shown}"))
            }
        })
        .collect()
}

fn on_process(observed: &Observed, spec: &Spec, _: Kind) -> Vec<String> {
    let excepted = capability_mask(exceptions::capabilities(spec));
    std::iter::zip(SETS, observed.status.capabilities)
        .filter(|(_, mask)| *mask & !excepted != 0)
        .map(|(name, mask)| format!("the {name} set is {mask:016x}"))
        .collect()
}
