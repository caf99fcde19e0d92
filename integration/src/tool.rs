//! Running a program with a watchdog and its output captured.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::outcome::Outcome;
use crate::terminal::Terminal;

/// No run of ours takes nearly as long; a watchdog, never a measurement.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Waits until `condition` holds, and fails with `what` where it doesn't within `limit`.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A program to be run.
#[derive(Debug)]
pub struct Tool {
    command: Command,
    input: Vec<u8>,
    limit: Duration,
    has_terminal: bool,
}

impl Tool {
    /// Runs `program`; its standard input is empty unless given.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            input: vec![],
            limit: WATCHDOG,
            has_terminal: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// As a caller runs it who ignores SIGCHLD. A shell can't hand that down everywhere.
    pub fn ignoring_ended_children(self) -> Self {
        let hand_down = "import os, signal, sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nos.execvp(sys.argv[1], sys.argv[1:])";
        self.within("python3", &["-c", hand_down])
    }

    /// `program ARGUMENTS… COMMAND…`: what is there so far, started by another program, in the same directory and
    /// with the same variables.
    #[must_use]
    pub fn within(self, program: &str, arguments: &[&str]) -> Self {
        let own = self.command;
        let mut command = Command::new(program);
        command.args(arguments).arg(own.get_program());
        command.args(own.get_args());
        for (name, value) in own.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = own.get_current_dir() {
            command.current_dir(directory);
        }
        Self { command, ..self }
    }

    /// The same in a mount namespace of its own, after a shell script that changes what is mounted there.
    #[must_use]
    pub fn after(self, script: &str) -> Self {
        let script = format!("set -e; {script}\nexec \"$@\"");
        let arguments = [
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            &script,
            "sh",
        ];
        self.within("unshare", &arguments)
    }

    /// The same with no pipe of ours for its output: what it leaves running would hold that open.
    #[must_use]
    pub fn quietly(self) -> Self {
        self.within(
            "sh",
            &["-c", "exec \"$@\" > /dev/null 2>&1 < /dev/null", "sh"],
        )
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Another watchdog.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Makes `terminal` its standard input and its session's controlling terminal.
    #[must_use]
    pub fn terminal(mut self, terminal: &Terminal) -> Self {
        terminal.control(&mut self.command);
        self.has_terminal = true;
        self
    }

    /// The command itself, for what is rarely wanted.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it to its end; one that doesn't end is killed and fails the test.
    pub fn run(self) -> Outcome {
        let input = self.input.clone();
        let mut running = self.start();
        running.write(&input);
        running.finish()
    }

    /// Runs it and fails the test unless it ends with `code`.
    pub fn expect(self, code: i32) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, Some(code), "{outcome}");
        outcome
    }

    /// Runs it to its end, where it may leave processes behind that write where it wrote: its output goes
    /// into these files, and the outcome has what is in them by then.
    pub fn run_into(mut self, stdout: &Path, stderr: &Path) -> Outcome {
        let shown = format!("{:?}", self.command);
        let file = |path: &Path| File::create(path).expect("make a file");
        let stdin = if self.input.is_empty() {
            Stdio::null()
        } else {
            let path = stdout.with_extension("input");
            fs::write(&path, &self.input).expect("write a file");
            File::open(&path).expect("a file").into()
        };
        self.command
            .stdin(stdin)
            .stdout(file(stdout))
            .stderr(file(stderr));
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("start {shown}: {error}"));
        let deadline = Instant::now() + self.limit;
        let status = loop {
            if let Some(status) = child.try_wait().expect("wait") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{shown} hangs");
            }
            thread::sleep(Duration::from_millis(1));
        };
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("read")).into_owned();
        Outcome {
            shown,
            pid: child.id().cast_signed(),
            code: status.code(),
            signal: status.signal(),
            stdout: read(stdout),
            stderr: read(stderr),
        }
    }

    /// Starts it and lets it run.
    pub fn start(mut self) -> Running {
        let shown = format!("{:?}", self.command);
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if !self.has_terminal {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("start {shown}: {error}"));
        let stdout = Stream::of(child.stdout.take().expect("a pipe"));
        let stderr = Stream::of(child.stderr.take().expect("a pipe"));
        Running {
            shown,
            stdin: child.stdin.take(),
            child,
            stdout,
            stderr,
            deadline: Instant::now() + self.limit,
        }
    }
}

/// What a pipe has brought so far.
struct Stream {
    pieces: Receiver<Vec<u8>>,
    text: Vec<u8>,
    ended: bool,
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            pieces,
            text: vec![],
            ended: false,
        }
    }

    /// Waits for a piece, or for the end.
    fn wait(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.pieces.recv_timeout(left) {
            Ok(piece) => self.text.extend(piece),
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
        true
    }

    fn read_to_end_by(&mut self, deadline: Instant) -> bool {
        while !self.ended {
            if !self.wait(deadline) {
                return false;
            }
        }
        true
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

/// A program that runs. Killed when dropped before its end.
pub struct Running {
    shown: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
    deadline: Instant,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Running {
    /// Its pid.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Writes to its standard input; that it doesn't read all is its own business.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes);
        }
    }

    /// Waits until its standard output holds `text`.
    pub fn wait_for(&mut self, text: &str) {
        while !self.stdout.text().contains(text) {
            let more = !self.stdout.ended && self.stdout.wait(self.deadline);
            if !more {
                self.kill();
                self.stderr.read_to_end_by(self.deadline);
                panic!(
                    "{}: no \"{text}\" in its output:\n{}\n{}",
                    self.shown,
                    self.stdout.text(),
                    self.stderr.text()
                );
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        let signal = nix::sys::signal::Signal::try_from(signal).expect("a signal");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).expect("kill");
    }

    /// Kills it with SIGKILL and reaps it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_some()
    }

    /// Closes its input and waits for its end.
    pub fn finish(mut self) -> Outcome {
        self.stdin = None;
        self.wait()
    }

    /// Waits for its end with its input open: something else must end it.
    pub fn wait(mut self) -> Outcome {
        let whole =
            self.stdout.read_to_end_by(self.deadline) && self.stderr.read_to_end_by(self.deadline);
        let mut status = None;
        while whole && status.is_none() && Instant::now() < self.deadline {
            status = self.child.try_wait().expect("wait");
            if status.is_none() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        let Some(status) = status else {
            let ended = self.has_ended();
            let stuck = if ended {
                "left its output open"
            } else {
                "hangs"
            };
            self.kill();
            panic!(
                "{} {stuck}; it printed:\n{}\n{}",
                self.shown,
                self.stdout.text(),
                self.stderr.text()
            );
        };
        Outcome {
            shown: self.shown.clone(),
            pid: self.pid(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.child.try_wait().is_ok_and(|status| status.is_some()) {
            self.kill();
        }
    }
}
