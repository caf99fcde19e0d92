//! A program that reads or writes file systems, run to its end, its exit code believed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::ConvertError;
use crate::sandbox::Sandbox;
use crate::sys;

/// How often progress is told.
const A_WHILE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};

/// The longest end of a program's messages that is passed on, bytes.
const LONGEST_SAID: u64 = 2000;

/// Follows a conversion.
pub trait Watch {
    /// The next step begins.
    fn step(&mut self, name: &'static str);
    /// It goes on; so many bytes are written, where that is known.
    fn goes_on(&mut self, bytes: Option<u64>);
    /// Whether nobody wants it any more. Asked twice a second.
    fn should_stop(&mut self) -> bool {
        false
    }
    /// Whether SIGINT, SIGTERM and SIGHUP are blocked and end it; not where somebody else in this process waits for them.
    fn minds_signals(&self) -> bool {
        true
    }
}

/// How a program may end that was asked for what it can't do, and that isn't wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untroubled {
    /// Its exit code.
    pub code: i32,
    /// What is in each line that it has written on standard error.
    pub lines_with: &'static str,
}

/// A program with its arguments.
#[derive(Debug)]
pub(super) struct Tool {
    program: &'static str,
    package: &'static str,
    command: Command,
    untroubled: Option<Untroubled>,
    sandbox: Option<Sandbox>,
}

impl Tool {
    pub(super) fn new(program: &'static str, package: &'static str) -> Self {
        let mut command = Command::new(program);
        // Its messages are looked at, and a time in here would be written into images.
        command
            .env("LC_ALL", "C")
            .env_remove("SOURCE_DATE_EPOCH")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Self {
            program,
            package,
            command,
            untroubled: None,
            sandbox: None,
        }
    }

    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn input(mut self, file: File) -> Self {
        self.command.stdin(file);
        self
    }

    pub(super) fn untroubled_by(mut self, how: Untroubled) -> Self {
        self.untroubled = Some(how);
        self
    }

    pub(super) fn confined_to(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// Runs it; `written` is the file that it writes.
    pub(super) fn run(
        mut self,
        watch: &mut dyn Watch,
        written: Option<&Path>,
    ) -> Result<(), ConvertError> {
        let program = self.program;
        let failed = |how: &str, error: io::Error| ConvertError::Tool {
            program,
            how: format!("{how}: {error}"),
            said: String::new(),
        };
        let said = memfd_create("said", MemfdFlags::CLOEXEC);
        let mut said = File::from(said.map_err(|errno| failed("prepare", errno.into()))?);
        let to_said = said.try_clone().map_err(|error| failed("prepare", error))?;
        self.command.stderr(to_said);
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.confine(&mut self.command);
        }
        let mut child = sys::spawn_mortal(&mut self.command).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                let package = self.package;
                return ConvertError::Missing { program, package };
            }
            failed("start", error)
        })?;
        let status = wait(&mut child, watch, written);
        let status = match status {
            Ok(Ok(status)) => status,
            Ok(Err(stopped)) => return Err(stopped),
            Err(error) => return Err(failed("wait", error)),
        };
        let said = end_of(&mut said).map_err(|error| failed("read its messages", error))?;
        self.judge(status, &said)
    }

    fn judge(&self, status: ExitStatus, said: &str) -> Result<(), ConvertError> {
        let is_untroubled = self.untroubled.is_some_and(|how| {
            let mut lines = said.lines().filter(|line| !line.trim().is_empty());
            status.code() == Some(how.code) && lines.all(|line| line.contains(how.lines_with))
        });
        if status.success() || is_untroubled {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
        };
        let said = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let last: Vec<&str> = said.rev().take(2).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        let said = match last.is_empty() {
            true => String::new(),
            false => format!(": {}", last.join(", ")),
        };
        Err(ConvertError::Tool {
            program: self.program,
            how,
            said,
        })
    }
}

/// Waits for the child's end, or for a signal that ends this program, or until nobody wants it; then the child is killed.
fn wait(
    child: &mut Child,
    watch: &mut dyn Watch,
    written: Option<&Path>,
) -> io::Result<Result<ExitStatus, ConvertError>> {
    let signals = match watch.minds_signals() {
        true => ending_signals(),
        false => SigSet::empty(),
    };
    signals.thread_block()?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signal = SignalFd::with_flags(&signals, flags)?;
    let pid = Pid::from_child(child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let mut waiting = [
            PollFd::new(&pidfd, PollFlags::IN),
            PollFd::new(&signal, PollFlags::IN),
        ];
        match poll(&mut waiting, Some(&A_WHILE)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Some(status) = child.try_wait()? {
            return Ok(Ok(status));
        }
        let stopped = match signal.read_signal()? {
            Some(signal) => {
                let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
                Some(ConvertError::Stopped(number))
            }
            None => watch.should_stop().then_some(ConvertError::Unwanted),
        };
        if let Some(stopped) = stopped {
            child.kill()?;
            child.wait()?;
            return Ok(Err(stopped));
        }
        let bytes = written.and_then(|path| Some(fs::metadata(path).ok()?.len()));
        watch.goes_on(bytes);
    }
}

fn ending_signals() -> SigSet {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals
}

/// The end of what a program wrote.
fn end_of(said: &mut File) -> io::Result<String> {
    let length = said.metadata()?.len();
    said.seek(SeekFrom::Start(length.saturating_sub(LONGEST_SAID)))?;
    let mut text = vec![];
    said.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
