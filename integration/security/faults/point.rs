//! One point: what is tried there, and what must be true afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use integration::{Bench, Probe, Tool, host, plain};
use nix::sys::signal;
use nix::unistd::Pid;
use serde_json::json;

use super::operation::{Operation, traced};

/// After so long nobody waits for a command under strace any more, but lets it go on without.
const TRACED: Duration = Duration::from_secs(6);

/// A command takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where an operation is tried again and again.
pub struct Stage {
    pub bench: Bench,
    pub operation: Operation,
    pub id: String,
    pub config: PathBuf,
}

impl Stage {
    pub fn new(operation: Operation) -> Self {
        let bench = Bench::new();
        let id = format!("faults-{}-{}", std::process::id(), operation as usize);
        // Its name is in its processes' command lines.
        plain::bundle(
            &bench,
            "plain",
            &["sh", "-c", &format!("sleep 1000; : {id}")],
        );
        let command = Probe::on(&bench).command();
        bench.sealed("sealed", &command, &["hold", &id]);
        bench.sealed("short", &command, &["ids"]);
        bench.directory("made");
        bench.directory("project");
        let config = bench.config(&json!([command]));
        Self {
            bench,
            operation,
            id,
            config,
        }
    }

    pub fn runtime(&self) -> Tool {
        self.bench.runtime()
    }

    pub fn create(&self) {
        let create = self.runtime().args(["create", "--bundle"]);
        let create = create.arg(self.bench.path("plain")).arg(&self.id);
        create.quietly().expect(0);
    }

    pub fn wait_until_stopped(&self) {
        integration::wait_until("it stops", PATIENCE, || {
            let state = self.runtime().args(["state", &self.id]).run();
            state.stdout.contains("\"stopped\"")
        });
    }

    /// Runs the operation with these options of strace's: how it ended, `None` where it doesn't end, and what it said.
    fn run(&self, options: &[&str]) -> (Option<ExitStatus>, String) {
        self.operation.prepare(self);
        let errors = self.bench.path("errors");
        let mut tool = traced(self, options, self.operation);
        let file = |name| Stdio::from(File::create(self.bench.path(name)).expect("a file"));
        let mut child = tool
            .command()
            .stdin(Stdio::null())
            .stdout(file("output"))
            .stderr(file("errors"))
            .spawn()
            .expect("start strace");
        let mut status = ended(&mut child, TRACED);
        if status.is_none() {
            // A first process of a pid namespace that aborts does so for ever while it is traced: its signals don't
            // end it then (signal(7) has it for kill(2), the kernel for faults of traced ones).
            self.end_tracing();
            status = ended(&mut child, PATIENCE);
        }
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let said = fs::read(errors).unwrap_or_default();
        (status, String::from_utf8_lossy(&said).into_owned())
    }

    fn end_tracing(&self) {
        let place = self.bench.path("").display().to_string();
        for line in host::processes(|shown| shown.starts_with("strace ") && shown.contains(&place))
        {
            kill(&line);
        }
    }

    /// Deletes by force, and tells what is left then.
    fn leftovers(&self, killed: bool) -> Vec<String> {
        let mut left = vec![];
        let delete = self.runtime().args(["delete", "--force", &self.id]).run();
        if delete.code != Some(0) {
            left.push(format!("delete --force fails: {}", delete.stderr.trim()));
        }
        let place = self.bench.path("").display().to_string();
        let place = place.trim_end_matches('/').to_owned();
        let deadline = Instant::now() + PATIENCE;
        let alive = || host::processes(|shown| shown.contains(&place) || shown.contains(&self.id));
        while !alive().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        left.extend(
            alive()
                .into_iter()
                .map(|process| format!("process {process}")),
        );
        // What notes that a run was in the foreground isn't the container's: the next run sweeps it.
        if self
            .bench
            .state_names()
            .iter()
            .any(|name| name.starts_with('%'))
        {
            let run = self.runtime().args(["run", "--bundle"]);
            let run = run.arg(self.bench.path("short"));
            run.arg(format!("{}-next", self.id)).expect(0);
        }
        left.extend(
            self.bench
                .state_names()
                .into_iter()
                .map(|name| format!("state {name}")),
        );
        let cgroups = host::cgroups_with(&self.id);
        left.extend(
            cgroups
                .iter()
                .map(|path| format!("cgroup {}", path.display())),
        );
        left.extend(
            host::mounts_below(&self.bench.path(""))
                .into_iter()
                .map(|line| format!("mount {line}")),
        );
        left.extend(self.half_made(killed));
        if !left.is_empty() {
            // The next point is to be blamed for its own only.
            alive().iter().for_each(|line| kill(line));
            host::remove_cgroups(&self.id);
            let _ = fs::remove_dir_all(self.bench.root());
        }
        left
    }

    /// A bundle is there whole, or without the `config.json` that makes it one.
    fn half_made(&self, killed: bool) -> Vec<String> {
        let made = self.bench.path("made");
        let mut left = vec![];
        for name in host::names_in(&made) {
            let bundle = made.join(&name);
            let is_one = bundle.join("config.json").exists();
            let is_whole = || self.runtime().arg("check").arg(&bundle).run().code == Some(0);
            if name != "bundle" || (is_one || !killed) && !is_whole() {
                left.push(format!("in the bundle's place {name}"));
            }
        }
        let _ = fs::remove_dir_all(&made);
        self.bench.directory("made");
        left
    }
}

/// Waits for the end of `child`, so long.
fn ended(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait().expect("wait") {
            Some(status) => return Some(status),
            None if Instant::now() > deadline => return None,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Kills the process that a line of [`host::processes`] is about.
fn kill(line: &str) {
    if let Some(Ok(pid)) = line.split(' ').next().map(str::parse) {
        let _ = signal::kill(Pid::from_raw(pid), signal::SIGKILL);
    }
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Error(&'static str),
    Kill,
}

/// One point.
pub struct Point {
    call: String,
    number: usize,
    fault: Fault,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Error(errno) => errno,
            Fault::Kill => "SIGKILL",
        };
        write!(f, "{} number {}: {fault}", self.call, self.number)
    }
}

/// The errors that a call can have, of those that a host that is out of something gives.
fn error_of(call: &str) -> Option<&'static str> {
    let is_one_of = |names: &str| names.split_whitespace().any(|name| name == call);
    // Those that never fail, by their pages in the manual, or on no file system that is used here.
    if is_one_of(
        "exit exit_group rt_sigreturn restart_syscall vfork gettid getpid getppid getuid geteuid getgid getegid \
         getpgrp umask alarm sched_yield set_tid_address set_robust_list rseq rt_sigaction rt_sigprocmask sigaltstack \
         close munmap arch_prctl clock_gettime gettimeofday getrandom uname sched_getaffinity",
    ) {
        return None;
    }
    Some(
        if is_one_of("mmap mremap brk mprotect madvise clone clone3 fork execve execveat") {
            "ENOMEM"
        } else if is_one_of(
            "open openat openat2 socket socketpair pipe2 dup dup2 dup3 fcntl memfd_create open_tree fsopen fsmount \
         pidfd_open accept4 eventfd2 epoll_create1",
        ) {
            "EMFILE"
        } else if is_one_of(
            "write pwrite64 mkdir mkdirat rename renameat renameat2 symlinkat mknodat ftruncate fsync",
        ) {
            "ENOSPC"
        } else if is_one_of(
            "wait4 waitid poll ppoll read recvmsg recvfrom futex flock connect nanosleep clock_nanosleep",
        ) {
            "EINTR"
        } else {
            "EIO"
        },
    )
}

/// All points of a stage's operation, by a run of it in which nothing fails.
pub fn points(stage: &Stage) -> Vec<Point> {
    let trace = stage.bench.path("trace");
    let trace_option = trace.display().to_string();
    let (status, said) = stage.run(&["-o", &trace_option]);
    assert!(
        status.is_some_and(|status| status.success()),
        "{status:?}: {said}"
    );
    let left = stage.leftovers(false);
    assert!(left.is_empty(), "without a fault: {left:?}");
    let text = fs::read(&trace).expect("the trace");
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let mut words = line.split_whitespace();
        let (Some(pid), Some(rest)) = (words.next(), words.next()) else {
            continue;
        };
        let Some((call, _)) = rest.split_once('(') else {
            continue;
        };
        if call
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            *counts.entry((call.to_owned(), pid.to_owned())).or_default() += 1;
        }
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ((call, _), count) in &counts {
        let known = most.entry(call).or_default();
        *known = (*known).max(*count);
    }
    let mut all = vec![];
    for (call, count) in most {
        for number in 1..=count {
            let faults = error_of(call)
                .map(Fault::Error)
                .into_iter()
                .chain([Fault::Kill]);
            all.extend(faults.map(|fault| Point {
                call: call.to_owned(),
                number,
                fault,
            }));
        }
    }
    all
}

impl Point {
    /// Whether the process is killed there.
    pub fn kills_at(&self, call: &str, number: usize) -> bool {
        self.fault == Fault::Kill && self.call == call && self.number == number
    }

    /// Tries it: what is wrong then.
    pub fn try_on(&self, stage: &Stage) -> Option<String> {
        let (call, number) = (&self.call, self.number);
        let fault = match self.fault {
            Fault::Error(errno) => format!("error={errno}"),
            Fault::Kill => "signal=KILL".to_owned(),
        };
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:{fault}:when={number}");
        let (status, said) = stage.run(&["-o", "/dev/null", "-e", &trace, "-e", &inject]);
        let mut wrong = vec![];
        match status {
            None => wrong.push("it hangs".to_owned()),
            Some(status) => wrong.extend(self.bad_ending(stage, status, &said)),
        }
        wrong.extend(stage.leftovers(self.ends_it()));
        (!wrong.is_empty()).then(|| format!("{:?}: {self}: {}", stage.operation, wrong.join("; ")))
    }

    /// Whether there is nothing that a process can do there: killed, or without memory.
    fn ends_it(&self) -> bool {
        matches!(self.fault, Fault::Kill | Fault::Error("ENOMEM"))
    }

    /// What is wrong with how it ended: an error must name its step in one line.
    fn bad_ending(&self, stage: &Stage, status: ExitStatus, said: &str) -> Option<String> {
        let is_memory = self.fault == Fault::Error("ENOMEM");
        let told = || format!("{status}: {}", said.trim());
        // A library's own assertion, that a descriptor can be looked at, say, is none of our steps.
        let panicked = said.contains("panicked at") && !said.contains("/.cargo/registry/");
        if panicked && !is_memory && !said.contains("unexpected error during closedir") {
            return Some(told());
        }
        if self.fault == Fault::Kill || status.success() {
            return None;
        }
        if status.signal().is_some() {
            // There is no other answer to the want of memory in a library.
            return (!is_memory).then(told);
        }
        let is_ours = matches!(status.code(), Some(1 | 125..=127));
        if !is_ours && stage.operation.runs_a_command() {
            return None;
        }
        let line = said
            .lines()
            .find(|line| line.starts_with("opt-runtime: error: "));
        let names_a_step = line.is_some_and(|line| line.len() > "opt-runtime: error: ".len() + 10);
        let by_the_loader = said.contains("error while loading shared libraries")
            || said.contains("cannot allocate");
        let has_no_words = self.call.starts_with("write") && said.is_empty();
        let is_commands = stage.operation.runs_a_command() && !said.contains("opt-runtime");
        (!names_a_step && !by_the_loader && !has_no_words && !is_commands && !is_memory).then(told)
    }
}
