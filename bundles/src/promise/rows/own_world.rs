//! Namespaces of its own.

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::promise::exceptions::has_host_network;
use crate::promise::spec_view::{has_new_namespace, namespaces};
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "own world",
    reason: "Opt-Server: \"every command executed by an Opt-Server is isolated within a sandbox\"",
    meaning: "namespaces of its own: it sees no process, mount, network, memory segment or name of the host's",
    lesser: Some(
        "mounts and processes of its own: it sees none of the host's. Network, shared memory and the host's name are its own only where it has namespaces of them",
    ),
    in_config,
    on_process,
};

/// The namespaces that a bundle needs: as the OCI spec calls them, and as `/proc/PID/ns` does.
fn needed(
    spec: &Spec,
    kind: Kind,
) -> impl Iterator<Item = &'static (LinuxNamespaceType, &'static str)> {
    const ALL: [(LinuxNamespaceType, &str); 7] = [
        (LinuxNamespaceType::Mount, "mnt"),
        (LinuxNamespaceType::Pid, "pid"),
        (LinuxNamespaceType::Ipc, "ipc"),
        (LinuxNamespaceType::Uts, "uts"),
        (LinuxNamespaceType::Network, "net"),
        (LinuxNamespaceType::Cgroup, "cgroup"),
        (LinuxNamespaceType::User, "user"),
    ];
    let wanted = match kind {
        Kind::Sealed | Kind::Shifter => &ALL[..2],
        Kind::OptServer => &ALL[..],
    };
    let hosts_network = has_host_network(spec);
    wanted
        .iter()
        .filter(move |(typ, _)| !(hosts_network && *typ == LinuxNamespaceType::Network))
}

fn in_config(spec: &Spec, kind: Kind) -> Vec<String> {
    let all: Vec<LinuxNamespaceType> = namespaces(spec).map(|(typ, _)| typ).collect();
    let repeated = all
        .iter()
        .enumerate()
        .filter(|(index, typ)| all[..*index].contains(typ))
        .map(|(index, typ)| format!("linux.namespaces[{index}] is another {typ} namespace"));
    needed(spec, kind)
        .filter(|(typ, _)| !has_new_namespace(spec, *typ))
        .map(|(typ, _)| format!("linux.namespaces has no new {typ} namespace"))
        .chain(repeated)
        .collect()
}

fn on_process(observed: &Observed, spec: &Spec, kind: Kind) -> Vec<String> {
    needed(spec, kind)
        .filter_map(|(_, name)| match observed.namespaces.get(*name) {
            None => Some(format!("its {name} namespace can't be seen")),
            Some(ids) if ids.theirs == ids.ours => Some(format!("its {name} namespace is ours")),
            Some(_) => None,
        })
        .collect()
}
