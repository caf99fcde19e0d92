//! nosuid on every mount.

use oci_spec::runtime::Spec;

use crate::promise::spec_view::{enforces, mounts};
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "setuid is dead",
    reason: "Shifter rule 2: \"mounting as much as possible nosuid\", here with no exception, recursive mounts included",
    meaning: "every mount is nosuid: setuid bits and file capabilities are ignored",
    lesser: None,
    in_config,
    on_process,
};

/// The OCI spec has no options for the root; the runtime sets nosuid there and observes it.
fn in_config(spec: &Spec, _: Kind) -> Vec<String> {
    mounts(spec)
        .iter()
        .enumerate()
        .filter(|(_, mount)| !enforces(mount, "nosuid"))
        .map(|(index, mount)| {
            let destination = mount.destination().display();
            format!("mounts[{index}] {destination} is not nosuid with all that is below it")
        })
        .collect()
}

fn on_process(observed: &Observed, _: &Spec, _: Kind) -> Vec<String> {
    observed
        .mounts
        .iter()
        .filter(|mount| !mount.has("nosuid"))
        .map(|mount| format!("{} is mounted without nosuid", mount.path.display()))
        .collect()
}
