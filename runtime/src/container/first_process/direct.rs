//! The first process as the runtime's child at once. Where it enters no user or time namespace and joins none, nobody has
//! to stand between the two.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use libcontainer::process::args::ContainerArgs;
use libcontainer::process::channel;
use nix::sched::CloneFlags;
use oci_spec::runtime::LinuxNamespaceType;
use rustix::pipe::{PipeFlags, pipe_with};

use super::super::failure::Failure;
use super::super::own_root::OwnRoot;
use super::super::{Error, Result, namespaces};
use super::intermediate::{become_first, get_ready, wait_for_the_runtime};
use super::{Born, Ours, Place, Unfinished, broken};
use crate::sys::{clone_child_into, populate_after_fork};
use crate::telling;

/// Makes it. While its cgroup is made and limited it enters its namespaces, and then waits: what it makes from there on is
/// the cgroup's.
///
/// # Errors
/// The step that failed.
pub(super) fn make(arguments: &ContainerArgs, ours: &Ours, place: &mut dyn Place) -> Result<Born> {
    let (mut to_main, from_init) = channel::main_channel().map_err(broken)?;
    let (to_init, mut from_main) = channel::init_channel().map_err(broken)?;
    let (placed, go) = pipe_with(PipeFlags::CLOEXEC).map_err(Error::step("make a pipe"))?;
    // These two as in `super::make_by_intermediate`.
    let go = Cell::new(Some(File::from(go)));
    let mut unfinished = Unfinished::default();
    let mut born_into = CloneFlags::empty();
    if namespaces::is_new(&arguments.spec, LinuxNamespaceType::Pid) {
        born_into |= CloneFlags::CLONE_NEWPID;
    }
    let first = clone_child_into(place.birthplace(), born_into, |is_born| {
        populate_after_fork(false);
        drop(go.take());
        // The runtime's ends. Where that fails they stay open.
        let _ = from_init.close();
        let _ = to_init.close();
        let enter = || {
            let own_root = ours.taken_out.own_root.as_ref();
            own_root.map_or(Ok(()), OwnRoot::enter_namespaces)?;
            wait_for_the_runtime(placed.as_fd())?;
            Ok(place.enter(is_born)?)
        };
        if let Err(error) = get_ready(&arguments.spec, ours, enter) {
            let reason = telling::line(error.as_ref());
            ours.failures.send(&Failure::Making {
                reason: reason.clone(),
            });
            // Where this fails, the runtime finds the channel broken.
            let _ = to_main.exec_failed(reason);
            return 1;
        }
        become_first(arguments, ours, &mut to_main, &mut from_main)
    })
    .map_err(Error::step("make the first process"))?;
    unfinished.add(first);
    populate_after_fork(true);
    to_main.close().map_err(broken)?;
    drop(placed);
    // Noted at once: if this process is killed while the cgroup is made, whoever deletes the container finds it.
    place.born(first.as_raw())?;
    place.put_in(first.as_raw())?;
    if let Some(mut go) = go.take() {
        go.write_all(b"1")
            .map_err(Error::step("let the first process go on"))?;
    }
    Ok(Born {
        first,
        intermediate: None,
        unfinished,
        from_init,
        to_init,
    })
}
