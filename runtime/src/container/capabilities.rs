//! Sets of capabilities that libcontainer can't come to.

use libcontainer::capabilities::CapabilityExt;
use libcontainer::oci_spec::runtime::{Capabilities, LinuxCapabilities, Spec};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// The sets that capset(2) sets at once.
pub(super) fn sets_of(given: &LinuxCapabilities) -> CapabilitySets {
    CapabilitySets {
        effective: bits(given.effective()),
        permitted: bits(given.permitted()),
        inheritable: bits(given.inheritable()),
    }
}

/// libcontainer sets one after the other, the permitted set before the inheritable one, which then can't hold
/// more. Where the process of `spec` asks for that, it is permitted more for the moment; given are the sets to
/// go back to.
pub(super) fn permit_what_is_inheritable(spec: &mut Spec) -> Option<CapabilitySets> {
    let process = spec.process_mut().as_mut()?;
    let mut given = process.capabilities().clone()?;
    let own = sets_of(&given);
    if own.permitted.contains(own.inheritable) {
        return None;
    }
    let both = given
        .permitted()
        .iter()
        .chain(given.inheritable())
        .flatten();
    let both: Capabilities = both.copied().collect();
    LinuxCapabilities::set_permitted(&mut given, Some(both));
    process.set_capabilities(Some(given));
    Some(own)
}

fn bits(set: &Option<Capabilities>) -> CapabilitySet {
    let capabilities = set.iter().flatten();
    CapabilitySet::from_bits_retain(
        capabilities.fold(0, |bits, capability| bits | capability.to_cap().bitmask()),
    )
}
