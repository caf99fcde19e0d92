//! The guardian of `opt-runtime run`, which mostly is there before the program begins: it waits, and no more, until there is more
//! to do than that.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use integration::plain;
use integration::{Bench, Running, Tool, host, wait_until};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

const SOON: Duration = Duration::from_secs(5);

fn run(bench: &Bench, script: &str) -> Tool {
    plain::bundle(bench, "image", &["sh", "-c", script]).run(bench)
}

fn waiting(bench: &Bench, before: impl FnOnce(&mut Tool)) -> Running {
    let mut tool = run(
        bench,
        "trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.05; done",
    );
    before(&mut tool);
    let mut running = tool.start();
    running.wait_for("ready");
    running
}

fn open_in(pid: i32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut numbers: Vec<i32> = names
        .map(|name| name.to_string_lossy().parse().expect("a number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

fn is_waiting_only(guardian: i32) -> bool {
    open_in(guardian) == [0, 1, 2, 3]
}

#[test]
fn it_has_nothing_open_but_its_socket_and_a_process_group_of_its_own() {
    let bench = Bench::new();
    let mut running = waiting(&bench, |_| {});
    let guardian = running.pid();
    assert!(is_waiting_only(guardian), "{:?}", open_in(guardian));
    let socket = fs::read_link(format!("/proc/{guardian}/fd/3")).expect("the socket");
    assert!(
        socket.to_string_lossy().starts_with("socket:"),
        "{socket:?}"
    );
    let group = |pid: i32| nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid)));
    let worker = host::child_of(guardian);
    assert_ne!(
        group(guardian),
        group(worker),
        "the terminal's keys would come twice"
    );
    running.kill();
    wait_until("its worker's end", SOON, || {
        !Path::new(&format!("/proc/{worker}/exe")).exists()
    });
    assert!(bench.state_names().is_empty());
}

#[test]
fn a_signal_begins_the_program_which_passes_it_on_and_those_that_follow() {
    let bench = Bench::new();
    let running = waiting(&bench, |_| {});
    // One that the command handles not at all, and of which the kernel lets it alone.
    running.signal(libc::SIGWINCH);
    let guardian = running.pid();
    wait_until("its begin", SOON, || !is_waiting_only(guardian));
    running.signal(libc::SIGUSR1);
    let outcome = running.wait();
    outcome.says("got it");
    assert_eq!(outcome.code, Some(9), "{outcome}");
    bench.assert_nothing_left_by(&outcome);
}

#[test]
fn one_that_is_stopped_and_goes_on_waits_as_before() {
    let bench = Bench::new();
    let running = waiting(&bench, |_| {});
    let guardian = running.pid();
    host::stop(guardian);
    running.signal(libc::SIGCONT);
    assert!(is_waiting_only(guardian));
    running.signal(libc::SIGUSR1);
    assert_eq!(running.wait().code, Some(9));
}

#[test]
fn whatever_its_caller_blocks_the_code_and_signals_come_through() {
    let bench = Bench::new();
    let running = waiting(&bench, |tool| {
        // SAFETY: between fork and exec only one system call is made, which allocates nothing.
        unsafe {
            tool.command().pre_exec(|| {
                sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)?;
                Ok(())
            });
        }
    });
    running.signal(Signal::SIGUSR1 as i32);
    assert_eq!(running.wait().code, Some(9));
}

#[test]
fn the_signal_that_ended_its_worker_is_told() {
    let bench = Bench::new();
    let running = waiting(&bench, |_| {});
    let worker = nix::unistd::Pid::from_raw(host::child_of(running.pid()));
    nix::sys::signal::kill(worker, Signal::SIGABRT).expect("kill");
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(128 + libc::SIGABRT), "{outcome}");
    bench.assert_nothing_left_by(&outcome);
}

#[test]
fn a_worker_that_is_killed_before_it_begins_takes_nothing_of_anothers_with_it() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "image", &["sh", "-c", "sleep 60"]);
    bundle.create(&bench, "web").quietly().expect(0);
    let run = || {
        let tool = bench.runtime().args(["run", "--bundle"]);
        tool.arg(&bundle.directory).arg("web")
    };
    // As it looks whether the name is free.
    let place = bench.root().join("web");
    let inject = "inject=stat,statx,newfstatat:signal=KILL";
    let words = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        place.to_str().expect("a name"),
        "-e",
        inject,
    ];
    let outcome = run().within("strace", &words).run();
    assert_eq!(outcome.code, Some(137), "{outcome}");
    bench
        .runtime()
        .args(["state", "web"])
        .expect(0)
        .says("created");
    let outcome = run().expect(125);
    assert!(outcome.one_line().contains("web"), "{outcome}");
    bench.runtime().args(["delete", "--force", "web"]).expect(0);
}

#[test]
fn one_that_is_to_be_left_alone_is_ended_by_a_signal_until_it_is() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "image", &["sleep", "60"]);
    let begun = bench.path("begun");
    bundle.edit(|spec| {
        let hook = serde_json::json!({ "path": "/bin/sh", "args": ["sh", "-c", format!("echo > {}; exec sleep 3 >/dev/null 2>&1", begun.display())] });
        spec["hooks"] = serde_json::json!({ "createRuntime": [hook] });
    });
    let running = bench
        .runtime()
        .args(["run", "--detach", "--bundle"])
        .arg(&bundle.directory)
        .arg("web")
        .quietly()
        .start();
    wait_until("the hook", SOON, || begun.exists());
    running.signal(libc::SIGTERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(128 + libc::SIGTERM), "{outcome}");
    bench.runtime().args(["delete", "--force", "web"]).expect(0);
}

/// Its standard input is a socket that another process than its parent has made.
const WITH_A_SOCKET: &str = "import socket, subprocess, sys
_, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line = ['sh', '-c', '\"$@\"; exit $?', 'sh', *sys.argv[1:]]
sys.exit(subprocess.run(line, stdin=theirs).returncode)";

#[test]
fn nobody_is_taken_for_a_guardian_by_his_word() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "image", &["sh", "-c", "env; echo ran"]);
    let forged = |letters: &str| {
        let tool = bundle.run(&bench).env("OPT_RUNTIME_EXECUTABLE", "/nowhere");
        tool.env("OPT_RUNTIME_GUARDIAN", letters)
    };
    let programs = integration::opt_runtime();
    let programs = programs.parent().expect("its directory").display();
    let protect =
        format!("mount --bind {programs} {programs}; mount -o remount,bind,ro {programs}");
    for letters in ["aaaaaaaa", "aaaaaaab", "aaaaaaaj", "pppppppp", "x"] {
        let is_open = ["aaaaaaaa", "aaaaaaab"].contains(&letters);
        // It executes itself, and by then nobody has said anything.
        let outcome = forged(letters).expect(0);
        assert!(!outcome.stdout.contains("OPT_RUNTIME"), "{outcome}");
        // Where it need not, a number that is a descriptor's is looked at.
        let protected = forged(letters).within("python3", &["-c", WITH_A_SOCKET]);
        let outcome = protected.after(&protect).run();
        let is_told = outcome
            .stderr
            .contains("find the first process of this run");
        assert_eq!(
            (is_told, outcome.code == Some(0)),
            (is_open, !is_open),
            "{outcome}"
        );
        bench.assert_nothing_left_by(&outcome);
    }
}

/// Its caller knows the process that he called, which is the guardian by then.
#[test]
fn sockets_for_the_process_that_was_called_are_the_commands() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "image", &["sh", "-c", "echo $LISTEN_FDS; cat <&3"]);
    let from_caller = bench.file("from-caller", "read on");
    let hand_over = format!(
        "exec 3<{}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"",
        from_caller.display()
    );
    let tool = bundle.run(&bench).within("sh", &["-c", &hand_over, "sh"]);
    tool.expect(0).says("1\nread on");
    let to_another = hand_over.replace("$$", "1");
    let tool = bundle.run(&bench).within("sh", &["-c", &to_another, "sh"]);
    assert_ne!(tool.run().code, Some(0));
}

#[test]
fn the_word_run_is_nothing_by_itself() {
    let bench = Bench::new();
    let outcome = bench.runtime().args(["state", "run"]).expect(1);
    assert!(
        outcome.one_line().contains("container does not exist"),
        "{outcome}"
    );
    bench
        .runtime()
        .args(["run", "--help"])
        .expect(0)
        .says("Usage");
    let outcome = bench.runtime().args(["run"]).expect(125);
    outcome.one_line();
}
