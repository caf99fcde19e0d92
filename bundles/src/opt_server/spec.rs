//! A planned sandbox as an OCI spec.

use std::collections::HashMap;
use std::path::Path;

use oci_spec::runtime::{
    Linux, LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespace, LinuxNamespaceType, LinuxSeccomp,
    Mount, Process, Root, Spec, User,
};

use super::config::{Command, Network};
use super::mounts::Readable;
use super::sandbox::Sandbox;
use super::{Identity, PROJECT, TEMPORARY, resources};
use crate::promise::{EXCEPTION_ANNOTATION, Exception, KIND_ANNOTATION, Kind, seal, why_key};
use crate::seccomp;

const OCI_VERSION: &str = "1.2.1";

/// Builds the spec: what this command needs, then sealed, which adds what every sealed bundle has.
pub(super) fn build(sandbox: &Sandbox<'_>, filter: LinuxSeccomp) -> Spec {
    let mut spec = Spec::default();
    let mut root = Root::default();
    root.set_path("rootfs".into()).set_readonly(Some(true));
    let mounts = mounts(sandbox);
    spec.set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_hostname(Some("sandbox".to_owned()))
        .set_process(Some(process(sandbox)))
        .set_linux(Some(linux(sandbox, filter)))
        .set_annotations(Some(annotations(sandbox, &mounts)))
        .set_mounts(Some(mounts.into_iter().map(|(mount, _)| mount).collect()));
    seal(&mut spec, Kind::OptServer);
    spec
}

fn process(sandbox: &Sandbox<'_>) -> Process {
    let id = sandbox.request.identity.inside();
    let mut user = User::default();
    user.set_uid(id).set_gid(id).set_umask(Some(0o022));
    let mut process = Process::default();
    process
        .set_terminal(None)
        .set_user(user)
        .set_args(Some(sandbox.command_line.clone()))
        .set_cwd(PROJECT.into())
        .set_env(Some(environment(sandbox)))
        .set_rlimits(Some(resources::rlimits(&sandbox.request.limits())));
    process
}

/// A fresh environment; the configuration's variables replace ours of the same name.
fn environment(sandbox: &Sandbox<'_>) -> Vec<String> {
    let ours = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", TEMPORARY),
        ("TMPDIR", TEMPORARY),
        ("LANG", "C.UTF-8"),
    ];
    let configured = &sandbox.request.command.environment_variables;
    let replaced = |name: &str| configured.iter().any(|(other, _)| other == name);
    ours.iter()
        .filter(|(name, _)| !replaced(name))
        .map(|(name, value)| format!("{name}={value}"))
        .chain(
            configured
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        )
        .collect()
}

/// The mounts in order, each with the reason why it is there.
fn mounts(sandbox: &Sandbox<'_>) -> Vec<(Mount, String)> {
    let (scratch, shared_memory) = resources::sizes(&sandbox.request.limits());
    let own = [
        (
            "/proc",
            "proc",
            &["nosuid", "nodev", "noexec"][..],
            "always mounted, as the Opt-Server does; shows the sandbox's own processes only",
        ),
        (
            "/dev",
            "tmpfs",
            &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
            "null, zero, full, random, urandom and tty",
        ),
        (
            "/dev/shm",
            "tmpfs",
            &["nosuid", "nodev", "noexec", "mode=1777", &shared_memory],
            "shared memory of its own, so that no neighbour sees it",
        ),
        (
            TEMPORARY,
            "tmpfs",
            &["nosuid", "nodev", "mode=1777", &scratch],
            "a temporary directory of its own, gone with the sandbox",
        ),
    ];
    let own = own
        .into_iter()
        .map(|(path, typ, options, why)| (file_system(path, typ, options), why.to_owned()));
    let project = sandbox.project.iter().map(|path| {
        let why = "the project directory: the command's working directory, writable";
        (project(sandbox, path), why.to_owned())
    });
    let own_config = sandbox.own_config.iter().map(|(path, inside)| {
        let options = ["bind", "ro", "nosuid", "nodev", "noexec"];
        let why = "this command's configuration: read-only, though it lies in the project";
        (mount(inside, "bind", path, &options), why.to_owned())
    });
    own.chain(hosts(sandbox))
        .chain(project)
        .chain(own_config)
        .collect()
}

/// What is the host's: readable or writable, what lies above first.
fn hosts(sandbox: &Sandbox<'_>) -> Vec<(Mount, String)> {
    let readables = sandbox.readables.mounts.iter();
    let readables = readables.map(|(path, readable)| (read_only(path, readable), readable.why()));
    let identity = sandbox.request.identity;
    let writables = sandbox.writables.mounts.iter();
    let writables = writables.map(|(path, writable)| {
        let mount = owned(path, path, writable.owner, identity);
        (mount, writable.why.clone())
    });
    let mut all: Vec<(Mount, String)> = readables.chain(writables).collect();
    all.sort_by(|(one, _), (other, _)| one.destination().cmp(other.destination()));
    all
}

fn file_system(path: &str, typ: &str, options: &[&str]) -> Mount {
    mount(Path::new(path), typ, Path::new(typ), options)
}

fn read_only(path: &Path, readable: &Readable) -> Mount {
    mount(
        path,
        "bind",
        &readable.source,
        &["bind", "ro", "nosuid", "nodev"],
    )
}

fn mount(destination: &Path, typ: &str, source: &Path, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(destination.to_path_buf())
        .set_typ(Some(typ.to_owned()))
        .set_source(Some(source.to_path_buf()))
        .set_options(Some(
            options.iter().map(|option| (*option).to_owned()).collect(),
        ));
    mount
}

fn project(sandbox: &Sandbox<'_>, path: &Path) -> Mount {
    let identity = sandbox.request.identity;
    let owner = match identity {
        Identity::Own {
            project_uid,
            project_gid,
            ..
        } => (project_uid, project_gid),
        Identity::Caller { uid, gid } => (uid, gid),
    };
    let destination = Path::new(PROJECT);
    if identity.borrower().is_some() {
        // The files are the command's own by then.
        return mount(destination, "bind", path, &WRITABLE);
    }
    owned(destination, path, owner, identity)
}

const WRITABLE: [&str; 4] = ["bind", "rw", "nosuid", "nodev"];

/// Writable, and with ids of its own: files of the owner are the command's inside, and what the command
/// makes there belongs to the owner.
fn owned(destination: &Path, source: &Path, owner: (u32, u32), identity: Identity) -> Mount {
    let mut mount = mount(destination, "bind", source, &WRITABLE);
    if let Identity::Own { first_id, .. } = identity {
        let on_host = first_id + identity.inside();
        mount
            .set_uid_mappings(Some(vec![id_mapping(owner.0, on_host, 1)]))
            .set_gid_mappings(Some(vec![id_mapping(owner.1, on_host, 1)]));
    }
    mount
}

fn id_mapping(inside: u32, on_host: u32, count: u32) -> LinuxIdMapping {
    LinuxIdMappingBuilder::default()
        .container_id(inside)
        .host_id(on_host)
        .size(count)
        .build()
        .unwrap_or_default()
}

/// What system calls the command may make.
pub(super) fn filter(command: &Command) -> LinuxSeccomp {
    let extensions = &command.extensions;
    let profile = match extensions.network {
        Network::None => seccomp::opt_server(),
        Network::Host => seccomp::networked(),
    };
    seccomp::with_calls(profile.to_oci(), &extensions.seccomp)
}

fn linux(sandbox: &Sandbox<'_>, filter: LinuxSeccomp) -> Linux {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network as Net, Pid, User, Uts};
    let extensions = &sandbox.request.command.extensions;
    let is_hosts = extensions.network == Network::Host;
    let types = [Pid, Ipc, Uts, Mount, Net, Cgroup, User];
    let own = types.into_iter().filter(|typ| !(is_hosts && *typ == Net));
    let namespaces = own.map(|typ| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ);
        namespace
    });
    let (uid, gid, count) = sandbox.request.identity.mapping();
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces.collect()))
        .set_uid_mappings(Some(vec![id_mapping(0, uid, count)]))
        .set_gid_mappings(Some(vec![id_mapping(0, gid, count)]))
        .set_resources(Some(resources::resources(
            &sandbox.request.limits(),
            &sandbox.devices,
        )))
        .set_devices(resources::nodes(&sandbox.devices))
        .set_seccomp(Some(filter))
        .set_masked_paths(None)
        .set_readonly_paths(None);
    linux
}

fn annotations(sandbox: &Sandbox<'_>, mounts: &[(Mount, String)]) -> HashMap<String, String> {
    let mut annotations: HashMap<String, String> = mounts
        .iter()
        .map(|(mount, why)| (why_key(mount.destination()), why.clone()))
        .collect();
    annotations.insert(
        KIND_ANNOTATION.to_owned(),
        Kind::OptServer.as_str().to_owned(),
    );
    annotations.insert(
        "org.opt-runtime.command".to_owned(),
        sandbox.request.command.name.clone(),
    );
    for (exception, why) in exceptions(sandbox) {
        annotations.insert(format!("{EXCEPTION_ANNOTATION}{exception}"), why);
    }
    annotations
}

/// What the configuration takes back of the promise, each with who says so.
fn exceptions(sandbox: &Sandbox<'_>) -> Vec<(Exception, String)> {
    let origin = sandbox.request.origin();
    let devices = sandbox.devices.iter().map(|device| {
        let why = format!("\"devices\" of {origin}");
        (Exception::Device(device.path.clone()), why)
    });
    let network = (sandbox.request.command.extensions.network == Network::Host).then(|| {
        let why = format!("\"network\" of {origin}: the host's network, and every service on it");
        (Exception::HostNetwork, why)
    });
    devices.chain(network).collect()
}
