//! Faults on purpose, in builds with the feature `fault-points` only: each takes one protection from what
//! libcontainer or a step of ours is told to do, so that a test can see the start gate refuse the process.

use libcontainer::oci_spec::runtime::{
    Capability, LinuxCapabilities, LinuxNamespaceType, Mount, Spec,
};

use super::CreateOptions;
use super::normalise::Normalised;
use super::seccomp::SystemCallFilter;

/// The variable that names the fault.
const VARIABLE: &str = "OPT_RUNTIME_FAULT";

/// Whether the fault `name` is asked for.
pub(super) fn is(name: &str) -> bool {
    std::env::var(VARIABLE).is_ok_and(|fault| fault == name)
}

/// Takes the protection that the fault names from what is to be made; the promise stays as it was.
pub(super) fn weaken(normalised: &mut Normalised, options: &mut CreateOptions) {
    let Ok(fault) = std::env::var(VARIABLE) else {
        return;
    };
    weaken_filter(&mut normalised.filter);
    match fault.as_str() {
        "no-filter" => {}
        "can-gain" => {
            // A filter can't be loaded without no_new_privs, so it goes as well.
            normalised.filter = None;
            weaken_spec(&mut normalised.spec, &fault);
        }
        "leaked-descriptor" => {
            options.preserve_fds = 64;
            leak_descriptor();
        }
        _ => weaken_spec(&mut normalised.spec, &fault),
    }
}

/// Takes the filter away, of the first process and of those of `exec`.
pub(super) fn weaken_filter(filter: &mut Option<SystemCallFilter>) {
    if is("no-filter") {
        *filter = None;
    }
}

/// Opens a host directory so that execve(2) doesn't close it.
fn leak_descriptor() {
    use std::os::fd::{AsRawFd, IntoRawFd};

    let leaked = std::fs::File::open("/etc").map(|file| nix::unistd::dup(file.as_raw_fd()));
    // The copy has no close-on-exec flag and no owner.
    if let Ok(Ok(copy)) = leaked {
        let _ = copy.into_raw_fd();
    }
}

fn weaken_spec(spec: &mut Spec, fault: &str) {
    if let Some(process) = spec.process_mut() {
        match fault {
            "capability" => {
                let one = Some([Capability::NetBindService].into());
                let mut kept = process.capabilities().clone().unwrap_or_default();
                LinuxCapabilities::set_bounding(&mut kept, one);
                process.set_capabilities(Some(kept));
            }
            "can-gain" => {
                process.set_no_new_privileges(None);
            }
            "other-user" => {
                process.user_mut().set_uid(2);
            }
            "extra-group" => {
                process.user_mut().set_additional_gids(Some(vec![3]));
            }
            _ => {}
        }
    }
    if let Some(linux) = spec.linux_mut() {
        match fault {
            "no-limits" => drop(linux.resources_mut().take()),
            "no-masks" => drop((
                linux.masked_paths_mut().take(),
                linux.readonly_paths_mut().take(),
            )),
            "shared-root" => {
                linux.set_rootfs_propagation(Some("shared".to_owned()));
            }
            "host-network" => without(linux.namespaces_mut(), LinuxNamespaceType::Network),
            "host-ipc" => without(linux.namespaces_mut(), LinuxNamespaceType::Ipc),
            _ => {}
        }
    }
    for mount in spec.mounts_mut().iter_mut().flatten() {
        if fault == "devices" {
            without_option(mount, "nodev");
        }
    }
}

fn without(
    namespaces: &mut Option<Vec<libcontainer::oci_spec::runtime::LinuxNamespace>>,
    typ: LinuxNamespaceType,
) {
    if let Some(namespaces) = namespaces {
        namespaces.retain(|namespace| namespace.typ() != typ);
    }
}

fn without_option(mount: &mut Mount, option: &str) {
    if let Some(options) = mount.options_mut() {
        options.retain(|have| have != option);
    }
}
