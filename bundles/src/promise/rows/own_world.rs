//! Namespaces of its own.

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::promise::exceptions::{has_host_network, has_shared_tasks};
use crate::promise::spec_view::{
    has_new_namespace, host_id, linux, namespaces, process, shares, shares_tasks,
};
use crate::promise::{Kind, Observed, Protection};

pub(crate) const ROW: Protection = Protection {
    name: "own world",
    reason: "Opt-Server: \"every command executed by an Opt-Server is isolated within a sandbox\"",
    meaning: "namespaces of its own: it sees no process, mount, network, memory segment or name of the host's",
    lesser: Some(
        "mounts and processes of its own: it sees none of the host's. Network, shared memory and the host's name are its own only where it has namespaces of them. Tasks of one parallel program may share their processes (except shared-tasks)",
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
    let mut broken = sharing(spec, kind);
    let is_shared = |typ| SHARED.contains(&typ) && shares(spec, typ);
    let lacking =
        needed(spec, kind).filter(|(typ, _)| !has_new_namespace(spec, *typ) && !is_shared(*typ));
    broken.extend(lacking.map(|(typ, _)| format!("linux.namespaces has no new {typ} namespace")));
    broken.extend(repeated);
    broken
}

/// What tasks of one parallel program share: pids, so that they find each other, and the user namespace, for without it
/// the kernel lets none look into another.
const SHARED: [LinuxNamespaceType; 2] = [LinuxNamespaceType::Pid, LinuxNamespaceType::User];

/// What is wrong with namespaces that tasks share.
fn sharing(spec: &Spec, kind: Kind) -> Vec<String> {
    if !has_shared_tasks(spec) {
        return vec![];
    }
    let mut broken = vec![];
    if kind != Kind::Shifter {
        broken.push(format!(
            "only tasks of shifter's share namespaces, not those of {}",
            kind.as_str()
        ));
    }
    let [pid, user] = SHARED.map(|typ| shares(spec, typ));
    if pid != user {
        broken.push("linux.namespaces shares one of pid and user, and not both".to_owned());
    }
    broken
}

fn on_process(observed: &Observed, spec: &Spec, kind: Kind) -> Vec<String> {
    let is_ours = |name: &str| match observed.namespaces.get(name) {
        None => Some(format!("its {name} namespace can't be seen")),
        Some(ids) if ids.theirs == ids.ours => Some(format!("its {name} namespace is ours")),
        Some(_) => None,
    };
    let mut broken: Vec<String> = needed(spec, kind)
        .filter_map(|(_, name)| is_ours(name))
        .collect();
    if shares_tasks(spec) {
        broken.extend(is_ours("user"));
        broken.extend(not_the_users(observed, spec));
    }
    broken
}

/// What of the namespaces that were joined isn't the process's user's own, or leads elsewhere.
fn not_the_users(observed: &Observed, spec: &Spec) -> Vec<String> {
    let Some(joined) = observed.joined else {
        return vec!["whose its namespaces are can't be seen".to_owned()];
    };
    let user = process(spec).zip(linux(spec));
    let uid =
        user.and_then(|(process, linux)| host_id(spec, process.user().uid(), linux.uid_mappings()));
    let mut broken = vec![];
    if uid.is_none_or(|uid| uid == 0 || uid != joined.owner) {
        let owner = joined.owner;
        broken.push(format!(
            "its user namespace is uid {owner}'s, not its own user's"
        ));
    }
    if !joined.pid_is_of_user {
        broken.push("its pid namespace is of another user namespace".to_owned());
    }
    if !joined.pid_is_below_ours {
        broken.push("its pid namespace isn't right below ours".to_owned());
    }
    broken
}
