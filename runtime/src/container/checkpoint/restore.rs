//! Making a container again from images.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::Spec;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::cgroup::{Placement, Wanted};
use super::super::create::CreateOptions;
use super::super::first_snapshot::first_snapshot;
use super::super::in_cgroup;
use super::super::process::ProcessId;
use super::super::snapshot::Status;
use super::super::store::{Container, Store};
use super::super::supervise::{Hold, Signals, Supervised};
use super::super::whole_file::write_pid_file;
use super::super::{Bundle, CgroupManager, Error, HostOptions, Outcome, Result, delete};
use super::criu::{Criu, CriuOptions};
use super::external;
use super::verify::verify;
use crate::enter_mount_namespace;
use crate::preflight;

/// How to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// What criu is told.
    pub criu: CriuOptions,
    /// Whether to leave the container to itself.
    pub detach: bool,
    /// Where to write the first process's pid.
    pub pid_file: Option<PathBuf>,
    /// What the caller says of the host.
    pub host: HostOptions,
}

/// Makes the container `id` again, from images and the bundle that it was of: its end, or success where it
/// is detached.
///
/// # Errors
/// The step that failed. Nothing of the container is left then.
pub fn restore(
    store: &Store,
    id: &str,
    bundle: &Bundle,
    options: &RestoreOptions,
) -> Result<Outcome> {
    super::needs_root()?;
    super::refuse_sealed(bundle.kind.is_some())?;
    refuse_the_impossible(&bundle.spec, options)?;
    preflight::must_be_there(&bundle.rootfs, &bundle.spec)?;
    fs::metadata(&options.criu.images).map_err(Error::io("open", &options.criu.images))?;
    super::make_directories(&options.criu)?;
    let linux = bundle.spec.linux().as_ref();
    let cgroup = Placement::plan(&Wanted {
        path: linux.and_then(|linux| linux.cgroups_path().clone()),
        default: store.cgroup(id),
        host: options.host,
    })?;
    let create = CreateOptions {
        host: options.host,
        ..CreateOptions::default()
    };
    let snapshot = first_snapshot(id, bundle, cgroup, &create)?;
    // Blocked before there is anything whose end could be missed.
    let signals = (!options.detach).then(Signals::block).transpose()?;
    let container = Container::new(store.claim(id)?, snapshot, &bundle.spec);
    let restored = container.and_then(|container| make(container, bundle, options));
    let process = restored.inspect_err(|_| {
        // The first error is the one to report; `delete --force` finishes what this can't.
        let _ = delete::remove_everything(store, id);
    })?;
    let Some(signals) = signals else {
        return Ok(Outcome::default());
    };
    let ended = Supervised::new(process, true)?.wait(&mut Hold {
        signals: &signals,
        guardian: None,
        terminal: None,
        watch: None,
        memory: None,
    });
    delete::delete(store, id, true)?;
    Ok(ended?.into())
}

/// What criu would leave out, or we can't hand to it.
fn refuse_the_impossible(spec: &Spec, options: &RestoreOptions) -> Result<()> {
    let refuse =
        |what: &str, why: &str| Err(Error::unsupported(format!("restore with {what}"), why));
    if let Some(hooks) = spec.hooks() {
        let early = [
            hooks.create_runtime(),
            hooks.create_container(),
            hooks.start_container(),
            hooks.poststart(),
        ];
        if early
            .iter()
            .any(|hooks| hooks.as_ref().is_some_and(|hooks| !hooks.is_empty()))
        {
            return refuse(
                "hooks",
                "criu makes the container at once, with no step between",
            );
        }
    }
    if spec
        .process()
        .as_ref()
        .and_then(|process| process.terminal())
        == Some(true)
    {
        return refuse(
            "process.terminal",
            "a terminal of the caller's can't be given to criu",
        );
    }
    if options.host.cgroup_manager == CgroupManager::Systemd {
        return refuse(
            "--systemd-cgroup",
            "criu makes processes in cgroups that are there",
        );
    }
    Ok(())
}

fn make(mut container: Container, bundle: &Bundle, options: &RestoreOptions) -> Result<ProcessId> {
    container.save()?;
    in_cgroup::claim(&mut container, &bundle.spec, false)?;
    let pid_file = container.directory.join("criu-pid");
    let mut criu = Criu::new("restore", &options.criu);
    criu.option("--root", &bundle.rootfs);
    criu.option("--pidfile", &pid_file);
    criu.flag("--restore-detached");
    criu.flag("--restore-sibling");
    criu.flag("--evasive-devices");
    criu.flag("--leave-stopped");
    for root in container.snapshot.cgroup.roots() {
        criu.option("--cgroup-root", root);
    }
    external::give_namespaces(&mut criu, &bundle.spec)?;
    external::give_mounts(
        &mut criu,
        bundle,
        &container.snapshot.cgroup,
        &options.criu.images,
    )?;
    external::give_descriptors(&mut criu, &options.criu.images)?;
    with_root_mounted(&bundle.rootfs, || criu.run())?;
    let process = read_pid(&pid_file)?;
    container.snapshot.process = Some(process);
    container.save()?;
    let_go(&container, &bundle.spec, process)?;
    container.snapshot.status = Status::Running;
    container.save()?;
    if let Some(path) = &options.pid_file {
        write_pid_file(path, process.pid)?;
    }
    tracing::debug!(id = container.id(), pid = process.pid, "restored");
    Ok(process)
}

/// Lets the restored processes run on, if each is as the bundle says.
fn let_go(container: &Container, spec: &Spec, first: ProcessId) -> Result<()> {
    let mut processes = container.snapshot.cgroup.processes()?;
    // Where the caller wants no cgroup, the first is all that is known.
    processes.push(first.pid);
    processes.iter().try_for_each(|pid| verify(*pid, spec))?;
    for pid in processes {
        // One that has gone in the meantime needs no more.
        let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
    }
    Ok(())
}

fn read_pid(path: &Path) -> Result<ProcessId> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    fs::remove_file(path).map_err(Error::io("remove", path))?;
    let pid = text.trim().parse().map_err(|_| Error::Criu {
        action: "restore",
        reason: format!("\"{}\" is no pid", text.trim()),
    })?;
    ProcessId::of(pid).map_err(Error::step("look at the restored process"))
}

/// Calls `body` in a mount namespace of its own in which the root file system is a mount point, as criu
/// wants it. The host sees no mount of it.
fn with_root_mounted(rootfs: &Path, body: impl FnOnce() -> Result<()>) -> Result<()> {
    let own = "/proc/self/ns/mnt";
    let before = File::open(own).map_err(Error::io("open", own))?;
    let directory =
        std::env::current_dir().map_err(Error::step("look at the working directory"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::step("make a mount namespace"))?;
    let none: Option<&str> = None;
    let mounted = mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .and_then(|()| {
            mount(
                Some(rootfs),
                rootfs,
                none,
                MsFlags::MS_BIND | MsFlags::MS_REC,
                none,
            )
        })
        .map_err(|errno| Error::io("mount", rootfs)(errno.into()))
        .and_then(|()| body());
    enter_mount_namespace(before).map_err(Error::step("go back to the mount namespace"))?;
    // setns(2) has left us at its root.
    std::env::set_current_dir(&directory).map_err(Error::io("go back to", &directory))?;
    mounted
}
