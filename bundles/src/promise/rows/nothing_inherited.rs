//! No descriptor and no variable of the caller's.

use std::path::Path;

use oci_spec::runtime::Spec;

use crate::promise::spec_view::{is_plain_path, process, shares_tasks};
use crate::promise::{Descriptor, Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "nothing inherited",
    reason: "CVE-2024-21626 and CVE-2016-9962: a descriptor or variable that is left open is a way out",
    meaning: "only standard input, output and error are open, and for shifter the socket that the environment names \
              to an MPI library; the environment is the listed one",
    lesser: None,
    in_config,
    on_process,
};

/// Names the socket of its process manager to a task of a parallel program: PMI-1 and PMI-2.
const PMI_FD: &str = "PMI_FD";

/// Variables that would hand descriptors or code of the caller's to the process. LD_LIBRARY_PATH isn't one:
/// a site's configuration may need it, and it names only what is inside.
const HANDED_DOWN: [&str; 4] = ["LD_AUDIT", "LD_PRELOAD", "LISTEN_FDS", "LISTEN_PID"];

/// Those of them that name libraries to be loaded before all others.
const PRELOADS: [&str; 2] = ["LD_AUDIT", "LD_PRELOAD"];

/// Where in a container of Shifter's nothing is but the site's: users mount nothing there, and what the image has is hidden.
const SITES: &str = "/opt/udiImage/";

/// Whether `entry` of the environment, `NAME=value`, would hand down descriptors or code. In Shifter's containers a site's own
/// libraries may come before others, as its MPI has to.
pub fn is_handed_down(entry: &str, kind: Kind) -> bool {
    let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
    let is_sites = |path: &str| path.starts_with(SITES) && is_plain_path(Path::new(path));
    // As ld.so(8) parts them.
    let mut paths = value.split([':', ' ']).filter(|path| !path.is_empty());
    let is_preload = kind == Kind::Shifter && PRELOADS.contains(&name);
    HANDED_DOWN.contains(&name) && !(is_preload && paths.all(is_sites))
}

fn in_config(spec: &Spec, kind: Kind) -> Vec<String> {
    process(spec)
        .and_then(|process| process.env().as_ref())
        .into_iter()
        .flatten()
        .filter_map(|entry| match entry.split_once('=') {
            None | Some(("", _)) => Some(format!("process.env: \"{entry}\" is not NAME=value")),
            Some((name, _)) if is_handed_down(entry, kind) => {
                Some(format!("process.env sets {name}"))
            }
            Some(_) => None,
        })
        .collect()
}

/// The runtime's own descriptors are still open in the created process; execve(2) must close them all.
/// The standard ones stay, and must not be a way to the caller's files (CVE-2024-21626).
fn on_process(observed: &Observed, spec: &Spec, kind: Kind) -> Vec<String> {
    observed
        .descriptors
        .iter()
        .filter(|descriptor| !descriptor.close_on_exec)
        .filter(|descriptor| kind != Kind::Shifter || !is_process_managers(descriptor, spec))
        .filter(|descriptor| descriptor.number > 2 || descriptor.may_be_directory())
        .chain(within_reach(observed, spec))
        .map(|descriptor| {
            let Descriptor {
                number,
                close_on_exec,
                ..
            } = descriptor;
            let target = descriptor.target();
            if descriptor.number > 2 && *close_on_exec {
                format!(
                    "descriptor {number} ({target}) is open to its neighbours until it executes"
                )
            } else if descriptor.number > 2 {
                format!("descriptor {number} ({target}) would be inherited")
            } else {
                format!("descriptor {number} is the host's directory {target}")
            }
        })
        .collect()
}

/// What other tasks could reach through the process before it executes its command, where they see it: all directories.
fn within_reach<'a>(observed: &'a Observed, spec: &Spec) -> impl Iterator<Item = &'a Descriptor> {
    let is_seen = shares_tasks(spec);
    let descriptors = observed.descriptors.iter().filter(move |_| is_seen);
    descriptors.filter(|descriptor| {
        descriptor.close_on_exec && descriptor.number > 2 && descriptor.may_be_directory()
    })
}

/// Whether it is the socket that `process.env` names to an MPI library.
fn is_process_managers(descriptor: &Descriptor, spec: &Spec) -> bool {
    let named = format!("{PMI_FD}={}", descriptor.number);
    let env = process(spec).and_then(|process| process.env().as_ref());
    descriptor.target().starts_with("socket:")
        && env.into_iter().flatten().any(|entry| *entry == named)
}
