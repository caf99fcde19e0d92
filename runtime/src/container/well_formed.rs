//! What the OCI spec says of single values of a `config.json`, whatever they ask for: refused by key, before
//! anything is made or even looked at.

use std::collections::HashSet;
use std::path::Path;

use libcontainer::oci_spec::runtime::{Hook, Hooks, Linux, Mount, PosixRlimit, Process, Spec};

/// Refuses a spec with a value that can't be.
///
/// # Errors
/// One sentence that names the key.
pub(super) fn check(spec: &Spec) -> Result<(), String> {
    if let Some(process) = spec.process() {
        check_process(process)?;
    }
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        check_mount(index, mount)?;
    }
    if let Some(hooks) = spec.hooks() {
        check_hooks(hooks)?;
    }
    spec.linux().as_ref().map_or(Ok(()), check_linux)
}

/// Refuses a process with a value that can't be.
///
/// # Errors
/// As [`check`].
pub(super) fn check_process(process: &Process) -> Result<(), String> {
    if process.args().as_ref().is_none_or(Vec::is_empty) {
        return Err("process.args is absent or empty".to_owned());
    }
    absolute("process.cwd", process.cwd())?;
    check_limits(process.rlimits().as_deref().unwrap_or_default())
}

fn check_limits(limits: &[PosixRlimit]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (index, limit) in limits.iter().enumerate() {
        let (soft, hard) = (limit.soft(), limit.hard());
        let name = limit.typ().to_string();
        if soft > hard {
            return Err(format!(
                "process.rlimits[{index}], {name}: soft is {soft}, above hard, {hard}"
            ));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("process.rlimits lists \"{name}\" more than once"));
        }
    }
    Ok(())
}

/// A destination may be relative, as masked and read-only paths may: it is below the root all the same.
fn check_mount(index: usize, mount: &Mount) -> Result<(), String> {
    if mount.destination().as_os_str().is_empty() {
        return Err(format!("mounts[{index}].destination is empty"));
    }
    Ok(())
}

fn check_hooks(hooks: &Hooks) -> Result<(), String> {
    for (name, list) in [
        ("prestart", hooks.prestart()),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ] {
        for (index, hook) in list.iter().flatten().enumerate() {
            check_hook(&format!("hooks.{name}[{index}]"), hook)?;
        }
    }
    Ok(())
}

fn check_hook(key: &str, hook: &Hook) -> Result<(), String> {
    absolute(&format!("{key}.path"), hook.path())?;
    match hook.timeout() {
        Some(timeout) if timeout <= 0 => Err(format!(
            "{key}.timeout is {timeout}, it must be at least 1 second"
        )),
        _ => Ok(()),
    }
}

fn check_linux(linux: &Linux) -> Result<(), String> {
    for (index, device) in linux.devices().iter().flatten().enumerate() {
        absolute(&format!("linux.devices[{index}].path"), device.path())?;
    }
    for (index, namespace) in linux.namespaces().iter().flatten().enumerate() {
        if let Some(path) = namespace.path() {
            absolute(&format!("linux.namespaces[{index}].path"), path)?;
        }
    }
    Ok(())
}

fn absolute(key: &str, path: &Path) -> Result<(), String> {
    if path.is_absolute() {
        return Ok(());
    }
    let shown = path.display();
    Err(format!("{key} must be an absolute path, it is \"{shown}\""))
}
