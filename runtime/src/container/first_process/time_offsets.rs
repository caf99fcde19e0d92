//! The clocks of a new time namespace (time_namespaces(7)).

use libcontainer::process::channel::{IntermediateSender, MainReceiver};
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::super::{Error, Result, namespaces};
use super::{broken, told};

/// What to write into `timens_offsets`: a line for each clock. `None` where the spec asks for no new time
/// namespace, or for no offset in it.
pub(super) fn text(spec: &Spec) -> Option<String> {
    let offsets = spec.linux().as_ref()?.time_offsets().as_ref()?;
    if offsets.is_empty() || !namespaces::is_new(spec, LinuxNamespaceType::Time) {
        return None;
    }
    let lines = offsets.iter().map(|(clock, offset)| {
        let seconds = offset.secs().unwrap_or(0);
        let nanoseconds = offset.nanosecs().unwrap_or(0);
        format!("{clock} {seconds} {nanoseconds}\n")
    });
    Some(lines.collect())
}

/// Writes them for the process `pid` when it asks: that takes CAP_SYS_TIME of the outside.
///
/// # Errors
/// Where the kernel refuses them.
pub(super) fn write(
    spec: &Spec,
    pid: Pid,
    from: &mut MainReceiver,
    to: &mut IntermediateSender,
) -> Result<()> {
    let Some(text) = text(spec) else {
        return Ok(());
    };
    from.wait_for_time_offset_request().map_err(told)?;
    let path = format!("/proc/{pid}/timens_offsets");
    std::fs::write(&path, text).map_err(Error::io("write", path))?;
    to.time_offsets_written().map_err(broken)
}
