//! Making the container's first process: ours up to its birth, libcontainer's from there on.
//!
//! This process forks the *intermediate*, which is put into the cgroup, enters the namespaces that only a
//! child can be born into, and makes the first process as this one's child. libcontainer has the same two,
//! but joins the cgroup in a way of its own: without systemd, without the hierarchies that have no
//! controller, a dozen reads of mountinfo for each, and limits only afterwards.

mod create_container;
mod direct;
mod failed_mount;
mod intermediate;
mod joined;
pub(super) mod loopback;
mod masked;
mod network_devices;
mod time_offsets;
mod without_pivot;

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use libcontainer::process::args::ContainerArgs;
use libcontainer::process::channel::{self, InitSender, IntermediateSender, MainReceiver};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, geteuid};
use oci_spec::runtime::{Hook, LinuxNamespaceType};
use rustix::pipe::{PipeFlags, pipe_with};

pub(super) use failed_mount::describe;
pub(super) use joined::Joined;

use super::failure::FailureWriter;
use super::handed_over::TakenOut;
use super::id_maps::IdMaps;
use super::listener::HandOver;
use super::{Error, Result, hooks, namespaces, working_directory};
use crate::sys::clone_child_into;
use crate::telling;

/// How the intermediate comes into its cgroup.
pub(super) trait Place {
    /// The cgroup that it can be born into: of version 2 only, and much faster than moving it there.
    fn birthplace(&self) -> Option<BorrowedFd<'_>>;

    /// In the runtime: makes what isn't there yet of its cgroup, or has it put there by whoever else is to do that.
    fn put_in(&mut self, pid: i32) -> Result<()>;

    /// In the process itself, afterwards: goes there, as far as it isn't there already, by birth or otherwise.
    fn enter(&self, is_born: bool) -> Result<()>;

    /// Notes the first process as the container's, as soon as it is there.
    fn born(&mut self, pid: i32) -> Result<()>;
}

/// What is ours to do for the process, beside what libcontainer does.
#[derive(Debug)]
pub(super) struct Ours {
    pub taken_out: TakenOut,
    /// Where the process tells what fails after `start`.
    pub failures: FailureWriter,
    /// Where its system call filter has a listener.
    pub listener: Option<HandOver>,
    /// What becomes its standard output and standard error, instead of the runtime's.
    pub output: Option<(RawFd, RawFd)>,
    /// Whether others are in its pid namespace already, and see it from its birth on.
    pub is_among_others: bool,
}

/// The first process, and what it is talked to through.
struct Born {
    first: Pid,
    /// The process that made it, which has nothing left to do but to end.
    intermediate: Option<(Pid, MainReceiver)>,
    /// All of them, ended where what was to come of them doesn't.
    unfinished: Unfinished,
    from_init: MainReceiver,
    to_init: InitSender,
}

/// Makes the first process, which waits for `start`; gives its pid.
///
/// # Errors
/// The step that failed. No process of the container's is left then.
pub(super) fn make(arguments: &ContainerArgs, ours: &Ours, place: &mut dyn Place) -> Result<i32> {
    let born = match ours.taken_out.is_direct {
        true => direct::make(arguments, ours, place)?,
        false => make_by_intermediate(arguments, ours, place)?,
    };
    let Born {
        first,
        intermediate,
        mut from_init,
        mut to_init,
        // The last one here is the first to be dropped.
        mut unfinished,
    } = born;
    run_create_hooks(arguments, ours, first, &mut from_init, &mut to_init)?;
    network_devices::hand_over(&arguments.spec, first, &mut from_init, &mut to_init)?;
    if let Some(listener) = &ours.listener {
        // What it says next may already wait for the listener's answer.
        listener.hand_over(first.as_raw())?;
    }
    to_init.close().map_err(broken)?;
    from_init.wait_for_init_ready().map_err(told)?;
    masked::must_be(first.as_raw(), &arguments.spec)?;
    if arguments.spec.hooks().is_none() || !geteuid().is_root() {
        loopback::bring_up(&arguments.spec, first)?;
    }
    from_init.close().map_err(broken)?;
    unfinished.finish();
    if let Some((intermediate, from_intermediate)) = intermediate {
        from_intermediate.close().map_err(broken)?;
        waitpid(intermediate, None).map_err(Error::step("wait for the intermediate process"))?;
    }
    Ok(first.as_raw())
}

fn make_by_intermediate(
    arguments: &ContainerArgs,
    ours: &Ours,
    place: &mut dyn Place,
) -> Result<Born> {
    let (intermediate_to_main, mut from_intermediate) = channel::main_channel().map_err(broken)?;
    let (init_to_main, from_init) = channel::main_channel().map_err(broken)?;
    let (mut to_intermediate, intermediate_receiver) =
        channel::intermediate_channel().map_err(broken)?;
    let (to_init, init_receiver) = channel::init_channel().map_err(broken)?;
    let (placed, go) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::step("make a pipe"))?;
    let mut ends = intermediate::Ends {
        to_main: intermediate_to_main,
        from_main: intermediate_receiver,
        init_to_main,
        init_from_main: init_receiver,
    };
    // Taken by each of the two processes out of its own memory: the child must not hold it open, for its
    // end of file is how the child learns that this process is gone.
    let go = Cell::new(Some(File::from(go)));
    // Dropped before what they wait for: what made this process give up is to be told, and not that it did.
    let mut unfinished = Unfinished::default();
    let intermediate = clone_child_into(place.birthplace(), CloneFlags::empty(), |is_born| {
        drop(go.take());
        // The runtime's ends, which the first process would have as well. Where that fails they stay open.
        let _ = from_intermediate.close();
        let _ = to_intermediate.close();
        let _ = from_init.close();
        let _ = to_init.close();
        let enter = || {
            intermediate::wait_for_the_runtime(placed.as_fd())?;
            Ok(place.enter(is_born)?)
        };
        intermediate::run(arguments, ours, enter, &mut ends)
    })
    .map_err(Error::step("make the intermediate process"))?;
    unfinished.add(intermediate);
    ends.close_senders()?;
    drop(placed);
    place.put_in(intermediate.as_raw())?;
    if let Some(mut go) = go.take() {
        go.write_all(b"1")
            .map_err(Error::step("let the intermediate process go on"))?;
    }
    if let Some(maps) = &ours.taken_out.id_maps {
        map_ids(
            maps,
            intermediate,
            &mut from_intermediate,
            &mut to_intermediate,
        )?;
    }
    time_offsets::write(
        &arguments.spec,
        intermediate,
        &mut from_intermediate,
        &mut to_intermediate,
    )?;
    to_intermediate.close().map_err(broken)?;
    let first = from_intermediate
        .wait_for_intermediate_ready()
        .map_err(told)?;
    unfinished.add(first);
    // Noted at once: if this process is killed while hooks run, whoever deletes the container finds it.
    place.born(first.as_raw())?;
    Ok(Born {
        first,
        intermediate: Some((intermediate, from_intermediate)),
        unfinished,
        from_init,
        to_init,
    })
}

/// The processes made so far, ended where what was to come of them doesn't: both are this process's
/// children, so their pids stay theirs until they are waited for.
#[derive(Default)]
struct Unfinished(Vec<Pid>);

impl Unfinished {
    fn add(&mut self, pid: Pid) {
        self.0.push(pid);
    }

    fn finish(&mut self) {
        self.0.clear();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for pid in self.0.drain(..) {
            // There is an error to report already.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

/// What a process of the container's said.
fn told(error: channel::ChannelError) -> Error {
    Error::Libcontainer(telling::line(&error))
}

fn broken(error: channel::ChannelError) -> Error {
    Error::Libcontainer(format!(
        "talk to the container's processes: {}",
        telling::line(&error)
    ))
}

/// Writes the id mappings of a new user namespace, which only a process outside of it may.
fn map_ids(
    maps: &IdMaps,
    pid: Pid,
    from: &mut MainReceiver,
    to: &mut IntermediateSender,
) -> Result<()> {
    from.wait_for_mapping_request().map_err(told)?;
    maps.write(pid.as_raw())?;
    to.mapping_written().map_err(broken)
}

/// The hooks of `create`, when the container's namespaces and mounts are there, and what else belongs between
/// these and the move to the new root.
fn run_create_hooks(
    arguments: &ContainerArgs,
    ours: &Ours,
    pid: Pid,
    from: &mut MainReceiver,
    to: &mut InitSender,
) -> Result<()> {
    // The first process asks whenever the spec has hooks of any kind, or an empty list of them.
    let Some(listed) = arguments.spec.hooks() else {
        return Ok(());
    };
    from.wait_for_hook_request().map_err(told)?;
    if let Some(root) = &ours.taken_out.held_root {
        root.release(pid.as_raw())?;
    }
    // For a process without root's privileges the first one isn't open yet: then hooks find the interface down.
    if geteuid().is_root() {
        loopback::bring_up(&arguments.spec, pid)?;
    }
    if let Some(container) = &arguments.container {
        let state = hooks::state_in_create(container, pid.as_raw());
        let bundle = &container.state.bundle;
        let of = |hooks: &Option<Vec<Hook>>| hooks.clone().unwrap_or_default();
        hooks::run_early(&state, bundle, "prestart", &of(listed.prestart()))?;
        hooks::run_early(
            &state,
            bundle,
            "createRuntime",
            &of(listed.create_runtime()),
        )?;
    }
    if ours.taken_out.makes_working_directory {
        working_directory::make(pid.as_raw(), &arguments.rootfs, &arguments.spec)?;
    }
    if arguments.no_pivot && namespaces::is_listed(&arguments.spec, LinuxNamespaceType::Mount) {
        without_pivot::hide_kernel_file_systems(pid.as_raw(), &arguments.rootfs)?;
    }
    if let Some(container) = &arguments.container {
        let listed = &ours.taken_out.create_container;
        create_container::run(listed, container, &arguments.rootfs, pid.as_raw())?;
    }
    to.hook_done().map_err(broken)
}
