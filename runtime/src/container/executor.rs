//! What the container's first process does at libcontainer's hands: find the command, load the filter,
//! and, once started, execute.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use libcontainer::workload::{
    Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError,
};
use nix::sys::stat::fstat;
use nix::unistd::dup2;
use oci_spec::runtime::{Process, Spec};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{CapabilitySets, set_capabilities};

use super::command::{self, Command, reset_signals};
use super::descriptors::lead_nowhere;
use super::environment;
use super::failure::{Failure, FailureWriter, step};
use super::init::{self, Split};
use super::ready::LateCommandReader;
use super::resource_limits;
use super::seccomp::SystemCallFilter;
use super::user_hooks;
use super::working_directory;
use crate::sys::{exit_at_once, join_new_session_keyring, look_for_arguments, populate_all};
use crate::telling;

/// The command of a bundle. Cloned by libcontainer across its forks.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    /// The filter to load.
    pub filter: Option<SystemCallFilter>,
    /// The process's capabilities, where it has more so far.
    pub capabilities: Option<CapabilitySets>,
    /// Where failures go.
    pub failures: FailureWriter,
    /// Whether the command gets a process of ours as the first of its pid namespace.
    pub has_init: bool,
    /// The command's environment, in its order.
    pub environment: Vec<String>,
    /// The working directory, where only the process's user may enter it.
    pub enters: Option<PathBuf>,
    /// Whether what the bundle says is promised: the environment is as it is listed, and not completed as runc does.
    pub is_sealed: bool,
    /// Whether the process must die with the runtime that holds it in the foreground.
    pub dies_with_parent: bool,
    /// Whether the command ignores the signals that the caller ignores.
    pub keeps_ignored: bool,
    /// Whether the caller asked for its own session keyring.
    pub keeps_keyring: bool,
    /// Whether the runtime, without root's privileges, may look at the process before it is started only
    /// if the process allows it.
    pub can_be_looked_at: bool,
    /// Whether others are in its pid namespace already.
    pub is_among_others: bool,
    /// Where the command is told of, if it isn't known yet.
    pub late: Option<LateCommandReader>,
    /// Scripts to run before the command, as its user.
    pub user_hooks: Vec<String>,
}

impl Payload {
    fn prepare(&self, spec: &Spec) -> Result<(), Failure> {
        if let Some(cwd) = &self.enters {
            let entering = format!("chdir to cwd (\"{}\")", cwd.display());
            step(&entering, || working_directory::enter(cwd, false))?;
        }
        if let Some(process) = with_command(spec) {
            command::find(process)?;
        }
        step("open /dev/null", reopen_null)?;
        // libcontainer leaves the caller's (S7): whoever possesses it could read the caller's keys.
        if !self.keeps_keyring {
            step("make a session keyring", join_new_session_keyring)?;
        }
        if self.can_be_looked_at && !self.is_among_others {
            let_the_runtime_look()?;
        }
        if self.dies_with_parent {
            step("set the parent death signal", || {
                rustix::process::set_parent_process_death_signal(Some(
                    rustix::process::Signal::KILL,
                ))
                .map_err(std::io::Error::from)
            })?;
        }
        if self.sets_limits_first() {
            set_limits(spec)?;
        }
        if let Some(own) = self.capabilities {
            step("drop capabilities", || Ok(set_capabilities(None, own)?))?;
        }
        if let Some(late) = &self.late {
            // There is time now, and none when it is told of the command.
            step("close what isn't needed", || {
                late.close_others(self.failures.number())
            })?;
            step("look for the arguments", look_for_arguments)?;
            populate_all();
        }
        Ok(())
    }

    /// Whether the filter would not let it pass. Else there is time until nothing else has to be done.
    fn sets_limits_first(&self) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| filter.is_early() && !filter.passes("prlimit64"))
    }

    fn load_filter(&self) -> Result<(), Failure> {
        if self.is_among_others {
            step("leave what is open", lead_nowhere)?;
        }
        if let Some(filter) = &self.filter {
            filter.load_early()?;
        }
        if self.can_be_looked_at && self.is_among_others {
            // Who may look may also write into its memory. What comes of that now is what its command could do itself.
            let_the_runtime_look()?;
        }
        Ok(())
    }

    fn execute(&self, spec: &Spec) -> Result<(), Failure> {
        if self.is_among_others {
            step("forbid being looked into", || {
                Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
            })?;
        }
        self.failures.announce_execution();
        let Some(process) = with_command(spec) else {
            // A bundle without a process: the container has served.
            exit_at_once(0);
        };
        let mut process = self.with_environment(process);
        if let Some(late) = &self.late {
            step("take on the command", || late.read()?.take_on(&mut process))?;
        }
        let command = Command::of(&process)?;
        step("reset the signals", || reset_signals(self.keeps_ignored))?;
        if !self.has_init {
            return Err(self.finish(spec, &command));
        }
        let how = Split {
            has_terminal: process.terminal() == Some(true),
            is_among_others: self.is_among_others,
            is_short: self.user_hooks.is_empty(),
        };
        step("split off the first process", || {
            let split = init::split(how, || {
                self.failures.send(&self.finish(spec, &command));
                telling::OURS.into()
            });
            split.map(|_| ())
        })
    }

    /// What is left to do in the command's own process. Returns only where that fails.
    fn finish(&self, spec: &Spec, command: &Command) -> Failure {
        let get_ready = || {
            if !self.sets_limits_first() {
                set_limits(spec)?;
            }
            if let Some(filter) = &self.filter {
                filter.load_late()?;
            }
            user_hooks::run(&self.user_hooks)
        };
        match get_ready() {
            Ok(()) => command.execute(),
            Err(failure) => failure,
        }
    }

    fn with_environment(&self, process: &Process) -> Process {
        let mut process = process.clone();
        let mut environment = self.environment.clone();
        if !self.is_sealed {
            environment = environment::complete(environment, process.user().uid());
        }
        process.set_env(Some(environment));
        process
    }

    fn report<E>(
        &self,
        result: Result<(), Failure>,
        wrap: impl FnOnce(String) -> E,
    ) -> Result<(), E> {
        result.map_err(|failure| {
            self.failures.send(&failure);
            wrap(format!("{failure:?}"))
        })
    }
}

impl Executor for Payload {
    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        self.report(
            self.prepare(spec),
            ExecutorValidationError::ArgValidationError,
        )
    }

    /// The last call before "created": the filter goes in here, so that the created process shows it.
    ///
    /// libcontainer's map has lost the order of the variables; `execute` passes the bundle's list as it is.
    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        let loaded = self.load_filter();
        self.report(loaded, ExecutorSetEnvsError::Other)
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        self.report(self.execute(spec), ExecutorError::Other)
    }
}

/// The process, if there is one: a bundle may have none, and `normalise` puts one without arguments.
fn with_command(spec: &Spec) -> Option<&Process> {
    let process = spec.process().as_ref();
    process.filter(|process| process.args().as_ref().is_some_and(|args| !args.is_empty()))
}

fn set_limits(spec: &Spec) -> Result<(), Failure> {
    step("set the resource limits", || resource_limits::set_all(spec))
}

/// After the last change of ids, which takes it back; execve(2) decides anew.
fn let_the_runtime_look() -> Result<(), Failure> {
    step("let the runtime look at the process", || {
        Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?)
    })
}

fn is_null(number: RawFd) -> bool {
    fstat(number).is_ok_and(|status| {
        status.st_mode & libc::S_IFMT == libc::S_IFCHR && status.st_rdev == libc::makedev(1, 3)
    })
}

/// libcontainer opens the container's `/dev/null` for reading only, in the place of any standard
/// descriptor that is one; a command that writes there would fail.
fn reopen_null() -> Result<(), std::io::Error> {
    for number in 0..3 {
        if is_null(number) {
            let null = File::options().read(true).write(true).open("/dev/null")?;
            if !is_null(null.as_raw_fd()) {
                return Err(std::io::Error::other("it is not the null device"));
            }
            dup2(null.as_raw_fd(), number)?;
        }
    }
    Ok(())
}
