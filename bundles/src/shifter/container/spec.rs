//! A planned container as an OCI spec.

use std::collections::HashMap;

use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType, Process, Root, Spec, User};

use super::Request;
use super::mount::Planned;
use super::site::any_is_slave;
use crate::promise::{KIND_ANNOTATION, Kind, seal, why_key};
use crate::shifter::image::Caller;
use crate::shifter::volumes::signature;

const OCI_VERSION: &str = "1.2.1";

/// Builds the spec: what this container needs, then sealed, which adds what every sealed bundle has.
pub(super) fn build(
    request: &Request<'_>,
    identity: &Caller,
    working_directory: &str,
    mounts: Vec<Planned>,
) -> Spec {
    let mut root = Root::default();
    root.set_path("rootfs".into())
        .set_readonly(Some(!request.config.root_writable));
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_hostname(None)
        .set_process(Some(process(request, identity, working_directory)))
        .set_linux(Some(linux(&mounts)))
        .set_annotations(Some(annotations(request, &mounts)))
        .set_mounts(Some(
            mounts.into_iter().map(|planned| planned.mount).collect(),
        ));
    seal(&mut spec, Kind::Shifter);
    spec
}

fn process(request: &Request<'_>, identity: &Caller, working_directory: &str) -> Process {
    let mut user = User::default();
    user.set_uid(identity.uid)
        .set_gid(identity.gid)
        .set_additional_gids(Some(identity.groups.clone()))
        .set_umask(Some(request.umask));
    let mut process = Process::default();
    process
        .set_terminal(None)
        .set_user(user)
        .set_args(Some(request.command.clone()))
        .set_cwd(working_directory.into())
        .set_env(Some(request.environment.clone()))
        // The caller's stay.
        .set_rlimits(None);
    process
}

/// The host's network, IPC and name: MPI needs them.
fn linux(mounts: &[Planned]) -> Linux {
    let types = [LinuxNamespaceType::Mount, LinuxNamespaceType::Pid];
    let namespaces = types.map(|typ| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ);
        namespace
    });
    let is_slave = any_is_slave(mounts.iter().map(|planned| &planned.mount));
    let propagation = if is_slave { "rslave" } else { "rprivate" };
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces.to_vec()))
        .set_rootfs_propagation(Some(propagation.to_owned()))
        .set_resources(None)
        .set_devices(None)
        .set_masked_paths(None)
        .set_readonly_paths(None);
    linux
}

/// What it was made from, for tools, and why each mount is there.
fn annotations(request: &Request<'_>, mounts: &[Planned]) -> HashMap<String, String> {
    let mut annotations: HashMap<String, String> = mounts
        .iter()
        .map(|planned| (why_key(planned.mount.destination()), planned.why.clone()))
        .collect();
    let modules: Vec<&str> = request.modules.iter().map(|module| &*module.name).collect();
    let (asked, id) = &request.image;
    for (key, value) in [
        (KIND_ANNOTATION, Kind::Shifter.as_str().to_owned()),
        ("org.opt-runtime.shifter.image-request", asked.clone()),
        ("org.opt-runtime.shifter.image", id.clone()),
        ("org.opt-runtime.shifter.modules", modules.join(",")),
        (
            "org.opt-runtime.shifter.volumes",
            signature(&request.volumes),
        ),
    ] {
        annotations.insert(key.to_owned(), value);
    }
    annotations
}
