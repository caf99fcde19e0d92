//! One point: what is tried there, and what is wrong with how it ends.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::stage::Stage;

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
        let told_by = ["opt-runtime: error: ", "shifter: "];
        let mut steps = said
            .lines()
            .filter_map(|line| told_by.iter().find_map(|begin| line.strip_prefix(begin)));
        let names_a_step = steps.next().is_some_and(|step| step.len() > 10);
        let by_the_loader = said.contains("error while loading shared libraries")
            || said.contains("cannot allocate");
        let has_no_words = self.call.starts_with("write") && said.is_empty();
        let is_commands = stage.operation.runs_a_command() && !said.contains("opt-runtime");
        (!names_a_step && !by_the_loader && !has_no_words && !is_commands && !is_memory).then(told)
    }
}
