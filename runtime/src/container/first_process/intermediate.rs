//! The intermediate process: between the runtime and the container's first process.

use std::error::Error as StdError;
use std::os::fd::BorrowedFd;

use libcontainer::namespaces::Namespaces;
use libcontainer::process::args::ContainerArgs;
use libcontainer::process::channel::{InitReceiver, IntermediateReceiver, MainSender};
use libcontainer::process::init::container_init_process;
use libcontainer::process::init::error::InitProcessError;
use libcontainer::syscall::Syscall;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Gid, Pid, Uid, dup2};
use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::super::failure::Failure;
use super::super::id_maps::may_set_groups;
use super::super::own_root::OwnRoot;
use super::super::{resource_limits, standard_pipes};
use super::{Error, Ours, Result, broken, failed_mount, time_offsets};
use crate::kernel_file;
use crate::sys::{clone_child, forget_arguments_and_environment};
use crate::telling::{self, OURS};

/// Its ends of the channels, and those that it hands on to the first process.
pub(super) struct Ends {
    pub to_main: MainSender,
    pub from_main: IntermediateReceiver,
    pub init_to_main: MainSender,
    pub init_from_main: InitReceiver,
}

impl Ends {
    /// In the runtime: a channel is found broken only when no copy of its sending end is left.
    pub(super) fn close_senders(&self) -> Result<()> {
        self.to_main
            .close()
            .and_then(|()| self.init_to_main.close())
            .map_err(broken)
    }
}

/// The process's life; its value is its exit code. `enter` puts it into its cgroup.
pub(super) fn run(
    arguments: &ContainerArgs,
    ours: &Ours,
    enter: impl FnOnce() -> Step,
    ends: &mut Ends,
) -> i32 {
    match make_first(arguments, ours, enter, ends) {
        Ok(()) => 0,
        Err(error) => {
            let reason = telling::line(error.as_ref());
            ours.failures.send(&Failure::Making {
                reason: reason.clone(),
            });
            // Where this fails, the runtime finds the channel broken.
            let _ = ends.to_main.send_error(reason);
            1
        }
    }
}

pub(super) type Step = std::result::Result<(), Box<dyn StdError>>;

fn make_first(
    arguments: &ContainerArgs,
    ours: &Ours,
    enter: impl FnOnce() -> Step,
    ends: &mut Ends,
) -> Step {
    let spec = &*arguments.spec;
    let linux = spec.linux().as_ref().ok_or("linux is absent")?;
    let namespaces = Namespaces::try_from(linux.namespaces().as_ref())?;
    let system = arguments.syscall.create_syscall();
    get_ready(spec, ours, enter)?;
    if let Some(tree) = &ours.taken_out.tree {
        tree.build()?;
    }
    if let Some(root) = &ours.taken_out.held_root {
        root.hold()?;
    }
    let later = ours.taken_out.joined.enter()?;
    if let Some(user) = namespaces.get(LinuxNamespaceType::User)? {
        enter_user_namespace(&namespaces, user, ends)?;
        become_root_if_mapped(system.as_ref())?;
        standard_pipes::give_from_inside(spec)?;
    }
    later.enter()?;
    if let Some(time) = namespaces.get(LinuxNamespaceType::Time)? {
        namespaces.unshare_or_setns(time)?;
        if time_offsets::text(spec).is_some() {
            ask_dumpable(ends, MainSender::time_offset_request, |receiver| {
                receiver.wait_for_time_offsets_ack()
            })?;
        }
    }
    // Only a child is born into it.
    if let Some(pid) = namespaces.get(LinuxNamespaceType::Pid)? {
        namespaces.unshare_or_setns(pid)?;
    }
    if ours.is_among_others {
        // While /proc is the host's.
        forget_arguments_and_environment()?;
    }
    let first = make_sibling(arguments, ours, ends)?;
    ends.to_main.intermediate_ready(first)?;
    Ok(())
}

/// What comes before the container's namespaces, or before its root. `enter` puts the process into its cgroup.
pub(super) fn get_ready(spec: &Spec, ours: &Ours, enter: impl FnOnce() -> Step) -> Step {
    // What the runtime forwards is blocked there, and hooks in the container inherit from here.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    // Before it is where a container's processes could see it: what it holds is the runtime's (CVE-2016-9962).
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    enter()?;
    // Before the user namespace, in which nobody may raise one.
    resource_limits::raise(spec)?;
    if let Some((stdout, stderr)) = ours.output {
        dup2(stdout, 1)?;
        dup2(stderr, 2)?;
    }
    standard_pipes::give_from_outside(spec, ours.taken_out.id_maps.as_ref())?;
    Ok(())
}

/// Waits until the runtime has done its part; end of file instead of a byte means that it gave up.
pub(super) fn wait_for_the_runtime(placed: BorrowedFd<'_>) -> Step {
    let mut byte = [0];
    match rustix::io::retry_on_intr(|| rustix::io::read(placed, &mut byte))? {
        0 => Err("the runtime gave up".into()),
        _ => Ok(()),
    }
}

fn enter_user_namespace(namespaces: &Namespaces, user: &LinuxNamespace, ends: &mut Ends) -> Step {
    namespaces.unshare_or_setns(user)?;
    if user.path().is_some() {
        return Ok(());
    }
    ask_dumpable(
        ends,
        MainSender::identifier_mapping_request,
        IntermediateReceiver::wait_for_mapping_ack,
    )
}

/// What is made from here on belongs to the namespace's root, if it has one: a user may map nothing but an
/// id to itself. The privileges are there either way.
fn become_root_if_mapped(system: &dyn Syscall) -> Step {
    if has_root("/proc/self/uid_map")? && has_root("/proc/self/gid_map")? {
        system.set_id(Uid::from_raw(0), Gid::from_raw(0))?;
    }
    // The caller's groups (T2), which only newgidmap(1)'s caller may give up: CVE-2014-8989.
    if may_set_groups("self")? {
        system.set_groups(&[])?;
    }
    Ok(())
}

fn has_root(map: &str) -> std::io::Result<bool> {
    let text = kernel_file::read(map)?;
    Ok(text
        .lines()
        .any(|line| line.split_whitespace().next() == Some("0")))
}

/// Asks the runtime for something that it writes into `/proc/PID` of this process, which it may only where
/// this process is dumpable.
fn ask_dumpable<E: StdError + 'static>(
    ends: &mut Ends,
    ask: impl FnOnce(&mut MainSender) -> std::result::Result<(), E>,
    wait: impl FnOnce(&mut IntermediateReceiver) -> std::result::Result<(), E>,
) -> Step {
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    ask(&mut ends.to_main)?;
    wait(&mut ends.from_main)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// The first process, as the runtime's child: this one ends before it does.
fn make_sibling(
    arguments: &ContainerArgs,
    ours: &Ours,
    ends: &mut Ends,
) -> std::result::Result<Pid, Box<dyn StdError>> {
    let first = clone_child(true, || {
        let _ = ends.to_main.close();
        let own_root = ours.taken_out.own_root.as_ref();
        if let Some(Err(error)) = own_root.map(OwnRoot::enter_namespaces) {
            let _ = ends.init_to_main.exec_failed(telling::line(&error));
            return OURS.into();
        }
        become_first(
            arguments,
            ours,
            &mut ends.init_to_main,
            &mut ends.init_from_main,
        )
    })
    .map_err(Error::step("make the first process"))?;
    Ok(first)
}

/// The life of the first process, in its namespaces and its cgroup, until it executes the command; its value is its exit
/// code where it doesn't.
pub(super) fn become_first(
    arguments: &ContainerArgs,
    ours: &Ours,
    to_main: &mut MainSender,
    from_main: &mut InitReceiver,
) -> i32 {
    if let Some(Err(error)) = ours.taken_out.own_root.as_ref().map(OwnRoot::make) {
        let _ = to_main.exec_failed(telling::line(&error));
        return OURS.into();
    }
    let made = failed_mount::named(&arguments.spec, || {
        container_init_process(arguments, to_main, from_main)
    });
    match made {
        Ok(()) => 0,
        Err((error, text)) => {
            let _ = to_main.exec_failed(text);
            // After `start` nobody listens there any more.
            if let InitProcessError::Hooks(error) = &error {
                ours.failures.send(&Failure::Step {
                    step: "error running startContainer hook".to_owned(),
                    reason: telling::line(error),
                });
            }
            OURS.into()
        }
    }
}
