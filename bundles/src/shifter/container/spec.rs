//! A planned container as an OCI spec.

use std::collections::HashMap;

use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceType, LinuxIdMapping, LinuxIdMappingBuilder, LinuxNamespace,
    LinuxNamespaceType, Process, Root, Spec, User,
};

use super::Request;
use super::hooks;
use super::mount::Planned;
use super::site::any_is_slave;
use crate::promise::{
    EXCEPTION_ANNOTATION, Exception, KIND_ANNOTATION, Kind, USER_HOOKS_ANNOTATION, seal, why_key,
};
use crate::shifter::cdi::Node;
use crate::shifter::image::Caller;
use crate::shifter::volumes::signature;

/// Whether the image's file was found to be the one that was made, in words.
pub const IMAGE_CHECKED_ANNOTATION: &str = "org.opt-runtime.shifter.image-checked";

/// The digest of the manifest that the image was made of, where it is known.
pub const IMAGE_MANIFEST_ANNOTATION: &str = "org.opt-runtime.shifter.image-manifest";

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
        .set_readonly(Some(!request.root_writable));
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_hostname(None)
        .set_process(Some(process(request, identity, working_directory)))
        .set_linux(Some(linux(request, identity, &mounts)))
        .set_annotations(Some(annotations(request, &mounts)))
        .set_mounts(Some(
            mounts.into_iter().map(|planned| planned.mount).collect(),
        ));
    seal(&mut spec, Kind::Shifter);
    spec
}

fn process(request: &Request<'_>, identity: &Caller, working_directory: &str) -> Process {
    // Without root, groups stay as they are: setgroups(2) is root's.
    let groups = (!request.user_namespace).then(|| identity.groups.clone());
    let mut user = User::default();
    user.set_uid(identity.uid)
        .set_gid(identity.gid)
        .set_additional_gids(groups)
        .set_umask(Some(request.umask));
    let mut process = Process::default();
    process
        .set_terminal(request.terminal.then_some(true))
        .set_user(user)
        .set_args(Some(request.command.clone()))
        .set_cwd(working_directory.into())
        .set_env(Some(request.environment.clone()))
        // The caller's stay.
        .set_rlimits(None);
    process
}

/// The host's network, IPC and name: MPI needs them.
fn linux(request: &Request<'_>, identity: &Caller, mounts: &[Planned]) -> Linux {
    let mut types = vec![LinuxNamespaceType::Mount, LinuxNamespaceType::Pid];
    if request.user_namespace {
        types.push(LinuxNamespaceType::User);
    }
    let namespaces = types.into_iter().map(|typ| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ);
        namespace
    });
    let is_slave = any_is_slave(mounts.iter().map(|planned| &planned.mount));
    let propagation = if is_slave { "rslave" } else { "rprivate" };
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces.collect()))
        .set_rootfs_propagation(Some(propagation.to_owned()))
        .set_resources(None)
        .set_devices(Some(devices(request)).filter(|all| !all.is_empty()))
        .set_masked_paths(None)
        .set_readonly_paths(None);
    if request.user_namespace {
        linux
            .set_uid_mappings(itself(identity.uid))
            .set_gid_mappings(itself(identity.gid));
    }
    linux
}

/// An id that is inside what it is outside.
fn itself(id: u32) -> Option<Vec<LinuxIdMapping>> {
    let mapping = LinuxIdMappingBuilder::default();
    let mapping = mapping.container_id(id).host_id(id).size(1_u32);
    // It is whole, so the builder has nothing to say.
    mapping.build().ok().map(|mapping| vec![mapping])
}

/// Device files, as they are on the host.
fn devices(request: &Request<'_>) -> Vec<LinuxDevice> {
    let device = |node: &Node| {
        let mut device = LinuxDevice::default();
        device
            .set_path(node.path.clone())
            .set_typ(LinuxDeviceType::C)
            .set_major(node.major.into())
            .set_minor(node.minor.into())
            .set_file_mode(Some(node.mode))
            .set_uid(Some(node.uid))
            .set_gid(Some(node.gid));
        device
    };
    request.devices.nodes.iter().map(device).collect()
}

/// What it was made from, for tools, and why each mount is there.
fn annotations(request: &Request<'_>, mounts: &[Planned]) -> HashMap<String, String> {
    let mut annotations: HashMap<String, String> = mounts
        .iter()
        .map(|planned| (why_key(planned.mount.destination()), planned.why.clone()))
        .collect();
    let modules: Vec<&str> = request.modules.iter().map(|module| &*module.name).collect();
    let (asked, id) = &request.image;
    let (checked, manifest) = &request.image_checked;
    for (key, value) in [
        (KIND_ANNOTATION, Kind::Shifter.as_str().to_owned()),
        ("org.opt-runtime.shifter.image-request", asked.clone()),
        ("org.opt-runtime.shifter.image", id.clone()),
        (IMAGE_CHECKED_ANNOTATION, checked.clone()),
        ("org.opt-runtime.shifter.modules", modules.join(",")),
        (
            "org.opt-runtime.shifter.volumes",
            signature(&request.volumes),
        ),
    ] {
        annotations.insert(key.to_owned(), value);
    }
    let manifest = manifest.clone();
    annotations.extend(manifest.map(|digest| (IMAGE_MANIFEST_ANNOTATION.to_owned(), digest)));
    for node in &request.devices.nodes {
        let exception = Exception::Device(node.path.clone());
        let why = format!("device {}, as the site's specification has it", node.device);
        annotations.insert(format!("{EXCEPTION_ANNOTATION}{exception}"), why);
    }
    let hooks = hooks::of_user(request);
    annotations.extend(hooks.map(|hooks| (USER_HOOKS_ANNOTATION.to_owned(), hooks)));
    annotations
}
