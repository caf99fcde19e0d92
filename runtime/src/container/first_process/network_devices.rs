//! Network devices that a bundle takes from the host.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use libcontainer::network::network_device::dev_change_net_namespace;
use libcontainer::process::channel::{InitSender, MainReceiver};
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::super::{Error, Result};
use super::{broken, told};
use crate::telling;

/// Moves the devices into the container's network namespace and tells the first process the addresses that
/// they had. A container on the host's network keeps them where they are.
///
/// # Errors
/// The device that can't be moved; the kernel moves the others back when the namespace goes.
pub(super) fn hand_over(
    spec: &Spec,
    pid: Pid,
    from: &mut MainReceiver,
    to: &mut InitSender,
) -> Result<()> {
    let linux = spec.linux().as_ref();
    let devices = linux.and_then(|linux| linux.net_devices().as_ref());
    let Some(devices) = devices.filter(|devices| !devices.is_empty()) else {
        return Ok(());
    };
    let namespaces = linux.and_then(|linux| linux.namespaces().as_ref());
    let network = namespaces
        .into_iter()
        .flatten()
        .find(|namespace| namespace.typ() == LinuxNamespaceType::Network);
    let Some(network) = network else {
        return Ok(());
    };
    from.wait_for_network_setup_ready().map_err(told)?;
    let own = || PathBuf::from(format!("/proc/{pid}/ns/net"));
    let path = network.path().clone().unwrap_or_else(own);
    let namespace = File::open(&path).map_err(Error::io("open", &path))?;
    let mut addresses = HashMap::new();
    for (name, device) in devices {
        let had =
            dev_change_net_namespace(name, namespace.as_raw_fd(), device).map_err(|error| {
                Error::Libcontainer(format!(
                    "move network device {name}: {}",
                    telling::line(&error)
                ))
            })?;
        addresses.insert(name.clone(), had);
    }
    to.move_network_device(addresses).map_err(broken)
}
