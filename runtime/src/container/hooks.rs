//! Hooks. libcontainer runs those called `startContainer`; the others are run here.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use libcontainer::container::{Container as LibcontainerContainer, ContainerStatus};
use libcontainer::oci_spec::runtime::Hook;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::snapshot::Snapshot;
use super::store::Container;
use super::{Error, Result};
use crate::sys::unblock_signals_in;
use crate::telling;

/// How much of what a failing hook says is told.
const MAX_SAID: u64 = 1024;

/// libcontainer's view of a container that it creates.
///
/// The status is "created": what hooks must see once the namespaces are there, and crun says too. The pid
/// is what the process has in a pid namespace of its own, for the hooks that run there; libcontainer gives
/// the others the host's.
pub(super) fn libcontainer_view(container: &Container) -> LibcontainerContainer {
    let snapshot = &container.snapshot;
    let mut view = LibcontainerContainer::default();
    view.root.clone_from(&container.directory);
    view.state.id.clone_from(&snapshot.id);
    view.state.status = ContainerStatus::Created;
    view.state.pid = snapshot.has_pid_namespace.then_some(1);
    view.state.bundle.clone_from(&snapshot.bundle);
    view.state.oci_version.clone_from(&snapshot.oci_version);
    view.set_annotations(Some(snapshot.annotations.clone()));
    view
}

/// The state that the hooks of `create` get in the runtime's namespaces, where the first process has `pid`.
pub(super) fn state_in_create(view: &LibcontainerContainer, pid: i32) -> String {
    let state = &view.state;
    serde_json::json!({
        "ociVersion": state.oci_version,
        "id": state.id,
        "status": "created",
        "pid": pid,
        "bundle": state.bundle,
        "annotations": state.annotations,
    })
    .to_string()
}

/// Runs the hooks called `name`, on which the container depends, in `directory`.
///
/// # Errors
/// [`Error::Hook`], naming the first that fails; those after it aren't run.
pub(super) fn run_early(
    state: &str,
    directory: &Path,
    name: &'static str,
    hooks: &[Hook],
) -> Result<()> {
    for (index, hook) in hooks.iter().enumerate() {
        run(hook, state, directory).map_err(|reason| Error::Hook {
            name,
            index,
            path: hook.path().clone(),
            reason,
        })?;
    }
    Ok(())
}

/// Runs the hooks called `name`, which come too late to stop anything: one that fails is told and the
/// others still run (OCI runtime spec before 1.3, and every peer). Those that don't end `within` this time, all
/// together, are killed.
pub(super) fn run_late(
    snapshot: &Snapshot,
    name: &str,
    hooks: Option<&Vec<Hook>>,
    within: Option<Duration>,
) {
    let Some(hooks) = hooks.filter(|hooks| !hooks.is_empty()) else {
        return;
    };
    let state = match serde_json::to_string(&snapshot.oci_state()) {
        Ok(state) => state,
        Err(error) => {
            return telling::say(&format!("opt-runtime: warning: hooks.{name}: {error}\n"));
        }
    };
    let began = Instant::now();
    for (index, hook) in hooks.iter().enumerate() {
        let mut hook = hook.clone();
        if let Some(within) = within {
            let left = within.saturating_sub(began.elapsed()).as_secs();
            let left = i64::try_from(left).unwrap_or(i64::MAX);
            hook.set_timeout(Some(hook.timeout().map_or(left, |own| own.min(left))));
        }
        if let Err(reason) = run(&hook, &state, &snapshot.bundle) {
            let path = hook.path().display();
            telling::say(&format!(
                "opt-runtime: warning: hooks.{name}[{index}] {path}: {reason}\n"
            ));
        }
    }
}

/// Runs one hook to its end, with the state on its standard input. Both its input and what it says go
/// through memory files: a hook that doesn't read, or says much, can't block this process as pipes would.
fn run(hook: &Hook, state: &str, bundle: &Path) -> std::result::Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let mut said = memory_file(c"said").map_err(told)?;
    let mut input = memory_file(c"state").map_err(told)?;
    input
        .write_all(state.as_bytes())
        .and_then(|()| input.rewind())
        .map_err(told)?;
    let mut child = command(hook, bundle)
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(said.try_clone().map_err(told)?)
        .spawn()
        .map_err(told)?;
    let status = wait(&mut child, hook.timeout())?;
    if status.success() {
        return Ok(());
    }
    let mut text = vec![];
    // What can't be read can't be told.
    let _ = said.rewind();
    let _ = said.take(MAX_SAID).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    Err(format!("{status} {}", text.trim()).trim_end().to_owned())
}

fn memory_file(name: &CStr) -> std::io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC)?.into())
}

/// In the bundle's directory, as with runc, while that is there: `delete` may come after its end.
fn command(hook: &Hook, bundle: &Path) -> Command {
    let mut command = Command::new(hook.path());
    if bundle.is_dir() {
        command.current_dir(bundle);
    }
    unblock_signals_in(&mut command);
    let arguments = hook.args().as_deref().unwrap_or_default();
    if let Some((name, rest)) = arguments.split_first() {
        command.arg0(name).args(rest);
    }
    // Where the bundle says nothing of it, it is this process's, as with runc and crun.
    if let Some(environment) = hook.env() {
        let entries = environment.iter();
        command
            .env_clear()
            .envs(entries.filter_map(|entry| entry.split_once('=')));
    }
    command
}

/// Waits for the hook's end, no longer than `timeout` seconds.
fn wait(child: &mut Child, timeout: Option<i64>) -> std::result::Result<ExitStatus, String> {
    if let Some(seconds) = timeout {
        let within = Duration::from_secs(seconds.max(0).unsigned_abs());
        match ends_within(child, within) {
            Ok(true) => {}
            Ok(false) => {
                end(child);
                return Err(format!("did not end within {seconds} s"));
            }
            Err(error) => {
                end(child);
                return Err(error.to_string());
            }
        }
    }
    child.wait().map_err(|error| error.to_string())
}

fn ends_within(child: &Child, within: Duration) -> std::io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::from_raw_os_error(libc::ESRCH))?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let limit = Timespec {
        tv_sec: within.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    Ok(poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit))? > 0)
}

/// Kills and reaps; gone already is as good.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_here(hook: &Hook, state: &str) -> std::result::Result<(), String> {
        run(hook, state, Path::new("/"))
    }

    fn shell(script: &str, timeout: Option<i64>) -> Hook {
        let mut hook = Hook::default();
        hook.set_path("/bin/sh".into())
            .set_args(Some(vec!["sh".into(), "-c".into(), script.into()]))
            .set_env(Some(vec!["GIVEN=yes".into()]))
            .set_timeout(timeout);
        hook
    }

    #[test]
    fn a_hook_gets_the_state_and_its_own_environment_only() {
        let seen = r#"[ "$(cat)" = state ] && [ "$GIVEN" = yes ] && [ -z "$HOME" ]"#;
        assert_eq!(run_here(&shell(seen, Some(5)), "state"), Ok(()));
    }

    #[test]
    fn a_hook_that_does_not_read_is_fine() {
        let state = "x".repeat(1 << 20);
        assert_eq!(run_here(&shell("exec 0<&-; true", Some(5)), &state), Ok(()));
    }

    #[test]
    fn a_failing_hook_says_why() {
        let failed = run_here(&shell("echo no such thing >&2; exit 3", None), "");
        assert_eq!(failed, Err("exit status: 3 no such thing".to_owned()));
        let slow = run_here(&shell("exec sleep 20", Some(1)), "");
        assert_eq!(slow, Err("did not end within 1 s".to_owned()));
        let mut absent = shell("", None);
        absent.set_path("/no/such/hook".into());
        assert!(run_here(&absent, "").is_err());
    }
}
