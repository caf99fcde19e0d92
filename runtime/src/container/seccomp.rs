//! A process's system call filter: what it is made of, when it is loaded, and with what privilege.
//!
//! Loading takes no_new_privs or CAP_SYS_ADMIN, and whatever happens afterwards has to pass the filter. So
//! there are two moments for it. *Early*: before the process is "created" (or, for one of `exec`, ready),
//! which then shows the filter, and its listener can be handed over. *Late*: as the last thing before
//! execve(2), for a filter that would get into the way of the steps in between.
//!
//! Without no_new_privs the process keeps CAP_SYS_ADMIN until the filter is loaded, whatever its bundle says
//! (libcontainer drops capabilities before it lets us in). An early one then goes back to the bundle's own
//! sets. A late one leaves that to execve(2): what a process has after it follows from the bounding, the
//! inheritable and the ambient set, and these are the bundle's own from the start.

use std::path::PathBuf;

use bundles::seccomp::{
    Call, Decision, Filter, compile, compile_strict, native_audit_arch, syscall_number,
};
use libcontainer::oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, Process, Spec};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{CapabilitySets, set_capabilities};

use super::capabilities::sets_of;
use super::failure::{Failure, step};
use super::watch::Telling;
use super::{Error, Result};
use crate::sys::load_filter;

/// What a process is, as far as loading its filter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The container's first process.
    First,
    /// A later one, of `exec`.
    Later,
}

/// A filter to load.
#[derive(Debug, Clone)]
pub(super) struct SystemCallFilter {
    filter: Filter,
    /// What is loaded instead of it where somebody is to be told of what it refuses.
    telling: Option<Filter>,
    moment: Moment,
    /// The sets to go back to where the filter takes a capability to load.
    own: Option<CapabilitySets>,
    listener: Option<Listener>,
}

/// Whom to hand the listener to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    /// A socket.
    pub path: PathBuf,
    /// What the bundle has the receiver told.
    pub metadata: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Early,
    Late,
}

/// The calls between an early filter and execve(2), by any architecture's names: telling that the process is
/// ready, waiting for `start`, looking for the command, resetting signals, telling that it isn't there.
const CALLS_AFTER: &[&str] = &[
    "accept4",
    "access",
    "brk",
    "close",
    "execve",
    "exit_group",
    "faccessat",
    "fcntl",
    "fstat",
    "mmap",
    "munmap",
    "newfstatat",
    "read",
    "recvfrom",
    "rt_sigaction",
    "rt_sigprocmask",
    "sendmsg",
    "sendto",
    "stat",
    "statx",
    "write",
];

/// And where capabilities are to be given back.
const CALLS_TO_GIVE_BACK: &[&str] = &["capset"];

/// The calls between a birth with a filter and execve(2): making the process and telling of it, and in it a
/// session, a terminal, signals, limits, and waiting.
const CALLS_AFTER_BIRTH: &[&str] = &[
    "brk",
    "close",
    "dup2",
    "dup3",
    "execve",
    "exit_group",
    "fcntl",
    "ioctl",
    "madvise",
    "mmap",
    "mremap",
    "munmap",
    "prctl",
    "prlimit64",
    "recvmsg",
    "rt_sigaction",
    "rt_sigprocmask",
    "sendmsg",
    "setrlimit",
    "setsid",
    "write",
];

impl SystemCallFilter {
    /// Takes the profile out of `spec`, which libcontainer would ignore in silence, and leaves its process
    /// the capability that loading takes. `None` where the spec has no profile. The spec's capabilities
    /// must be explicit.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the rule that can't be had.
    pub(super) fn take(spec: &mut Spec, is_sealed: bool, role: Role) -> Result<Option<Self>> {
        let Some(linux) = spec.linux_mut() else {
            return Ok(None);
        };
        let Some(profile) = linux.seccomp().clone() else {
            return Ok(None);
        };
        linux.set_seccomp(None);
        let compile = if is_sealed { compile_strict } else { compile };
        let filter = compile(&profile)
            .map_err(|error| Error::unsupported("linux.seccomp", error.to_string()))?;
        for name in filter.unknown_names() {
            tracing::debug!(name, "unknown system call in linux.seccomp");
        }
        tracing::debug!("seccomp filter flags: {}", filter.flags().bits);
        let listener = filter.flags().has_listener.then(|| Listener {
            path: profile.listener_path().clone().unwrap_or_default(),
            metadata: profile.listener_metadata().clone(),
        });
        let process = spec.process().as_ref();
        let has_no_new_privileges = process.and_then(Process::no_new_privileges) == Some(true);
        let moment = match role {
            _ if is_sealed => Moment::Early,
            Role::Later if listener.is_some() => Moment::Early,
            Role::Later => Moment::Late,
            Role::First => first_moment(&filter, has_no_new_privileges, listener.is_some())?,
        };
        let own = match has_no_new_privileges {
            true => None,
            false => keep_capability_to_load(spec),
        };
        Ok(Some(Self {
            filter,
            telling: None,
            moment,
            own,
            listener,
        }))
    }

    /// Has the runtime told of what `telling` says; only for a filter that is loaded early, after which nothing
    /// of ours is refused.
    pub(super) fn tell(&mut self, telling: Telling) {
        let can_tell = self.is_early() && self.listener.is_none();
        if can_tell && telling != Telling::Nothing {
            self.telling = Some(self.filter.telling(telling.observed()));
        }
    }

    /// Whether the runtime is to listen.
    pub(super) fn is_telling(&self) -> bool {
        self.telling.is_some()
    }

    /// By which whoever listens has to answer.
    pub(super) fn answers(&self) -> &Filter {
        &self.filter
    }

    /// Whether the process is to show its filter before it is let go.
    pub(super) fn is_early(&self) -> bool {
        self.moment == Moment::Early
    }

    /// Whether the native call of this name is made, whatever its arguments, or there is none.
    pub(super) fn passes(&self, name: &str) -> bool {
        passes(&self.filter, name)
    }

    /// Whom to hand the listener to, where there is one.
    pub(super) fn listener(&self) -> Option<&Listener> {
        self.listener.as_ref()
    }

    /// Whether the process's parent can load it, which makes the process with these flags of clone(2). A filter
    /// is inherited, and such a process never has the capability that loading takes: one with CAP_SYS_PTRACE
    /// in the container could use it.
    pub(super) fn can_be_inherited(&self, clone_flags: i32) -> bool {
        let needed = CALLS_AFTER_BIRTH.iter().chain(CALLS_TO_GIVE_BACK);
        self.moment == Moment::Late
            && self.own.is_some()
            && self.listener.is_none()
            && needed.copied().all(|name| self.passes(name))
            && self.passes_clone(clone_flags)
    }

    /// Whether clone(2) with these flags is made: profiles let it pass by its flags.
    fn passes_clone(&self, flags: i32) -> bool {
        let nr = syscall_number("clone").and_then(|nr| u32::try_from(nr).ok());
        let (Some(arch), Some(nr)) = (native_audit_arch(), nr) else {
            return false;
        };
        let flags = u64::from(flags.cast_unsigned());
        let call = Call {
            arch,
            nr,
            args: [flags, 0, 0, 0, 0, 0],
        };
        matches!(self.filter.decide(&call), Decision::Allow | Decision::Log)
    }

    /// Whether loading it ends with the process's own capabilities, and needs others until then.
    pub(super) fn restores_capabilities(&self) -> bool {
        self.own.is_some()
    }

    /// In the parent: loads, and gives the capability back.
    pub(super) fn load_to_be_inherited(&self) -> Result<(), Failure> {
        self.load()?;
        match self.own {
            Some(own) => step("drop capabilities", || Ok(set_capabilities(None, own)?)),
            None => Ok(()),
        }
    }

    /// For the early moment: loads, where this is the time for it, and gives the capability back.
    pub(super) fn load_early(&self) -> Result<(), Failure> {
        match (self.moment, self.own) {
            (Moment::Early, own) => {
                self.load()?;
                match own {
                    Some(own) => step("drop capabilities", || Ok(set_capabilities(None, own)?)),
                    None => Ok(()),
                }
            }
            (Moment::Late, None) => Ok(()),
            // It waits with more than its bundle gives it: nobody in the container may make use of that.
            (Moment::Late, Some(_)) => step("forbid being looked into", || {
                Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
            }),
        }
    }

    /// For the late moment: loads, where this is the time for it. Nothing but execve(2) may follow.
    pub(super) fn load_late(&self) -> Result<(), Failure> {
        match self.moment {
            Moment::Early => Ok(()),
            Moment::Late => self.load(),
        }
    }

    fn load(&self) -> Result<(), Failure> {
        step("load the seccomp filter", || {
            // Open until execve(2): whoever it is handed to takes a copy out of this process.
            let Some(telling) = &self.telling else {
                return load_filter(&self.filter).map(std::mem::forget);
            };
            match load_filter(telling) {
                // A flag that this kernel doesn't know.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    load_filter(&telling.interruptible())
                }
                other => other,
            }
            .map(std::mem::forget)
        })
    }
}

/// Early, unless a call that comes after would fail. A listener is handed over early or never: there is
/// nobody to do it at `start`.
fn first_moment(
    filter: &Filter,
    has_no_new_privileges: bool,
    has_listener: bool,
) -> Result<Moment> {
    let given_back = match has_no_new_privileges {
        true => &[][..],
        false => CALLS_TO_GIVE_BACK,
    };
    let in_the_way = CALLS_AFTER
        .iter()
        .chain(given_back)
        .find(|name| !passes(filter, name));
    match in_the_way {
        None => Ok(Moment::Early),
        Some(name) if has_listener => Err(Error::unsupported(
            "linux.seccomp",
            format!("with SCMP_ACT_NOTIFY, {name} must not be refused: the runtime needs it"),
        )),
        Some(name) => {
            tracing::debug!(
                name,
                "the filter is loaded late: it refuses what comes before execve"
            );
            Ok(Moment::Late)
        }
    }
}

/// A listener's answer counts as passing: it is there by then.
fn passes(filter: &Filter, name: &str) -> bool {
    let made = |answer| matches!(answer, Decision::Allow | Decision::Log | Decision::Notify);
    filter.answers(name).into_iter().all(made)
}

/// Gives the process CAP_SYS_ADMIN, and what it is to have without.
fn keep_capability_to_load(spec: &mut Spec) -> Option<CapabilitySets> {
    let process = spec.process_mut().as_mut()?;
    let mut given = process.capabilities().clone().unwrap_or_default();
    let own = sets_of(&given);
    let with = |set: &Option<Capabilities>| {
        let mut set = set.clone().unwrap_or_default();
        set.insert(Capability::SysAdmin);
        Some(set)
    };
    let (effective, permitted) = (with(given.effective()), with(given.permitted()));
    LinuxCapabilities::set_effective(&mut given, effective);
    LinuxCapabilities::set_permitted(&mut given, permitted);
    process.set_capabilities(Some(given));
    Some(own)
}
