//! How a command ends and what its caller is told; refusals.

use std::fs;
use std::path::Path;

use integration::{Bench, Container, Runtime, wait_until};

use super::{SOON, bundle};

#[test]
fn the_commands_code_comes_out_or_128_and_the_signal() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    for code in [0, 1, 42, 125, 126, 127, 255] {
        let outcome = container.shell(&format!("exit {code}"));
        assert_eq!(
            (outcome.code, outcome.stderr.as_str()),
            (Some(code), ""),
            "{outcome}"
        );
    }
    assert_eq!(container.shell("kill -9 $$").code, Some(137));
    assert_eq!(container.shell("kill -15 $$").code, Some(143));
}

#[test]
fn what_can_not_be_executed_is_127_or_126_in_the_words_of_create() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "plain");
    fs::write(bundle.rootfs().join("bin/broken"), "data").expect("write");
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    for (command, code, text) in [
        ("nope", 127, "executable file not found in $PATH"),
        ("/bin/nope", 127, "no such file or directory"),
        ("/bin/broken", 126, "permission denied"),
        ("/etc", 126, "directory"),
    ] {
        for options in [&[][..], &["--detach"]] {
            let outcome = container.exec_with(options, &[command]).expect(code);
            assert!(outcome.one_line().contains(text), "{outcome}");
        }
    }
    let elsewhere = container
        .exec_with(&["--cwd", "/nowhere"], &["true"])
        .expect(125);
    let line = elsewhere.one_line();
    assert!(
        line.contains("/nowhere") && line.contains("No such file"),
        "{line}"
    );
}

#[test]
fn a_detached_process_is_left_with_its_pid_in_the_file() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    let file = bench.path("pid");
    let options = ["--detach", "--pid-file", file.to_str().expect("UTF-8")];
    // Its output must not be a pipe of ours: it outlives the command.
    let mut tool = container.exec_with(&options, &["sleep", "1000"]);
    let status = tool
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.expect("run exec").success());
    let text = fs::read_to_string(&file).expect("the pid file");
    let pid: i32 = text.parse().expect("a number and nothing else");
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("it runs");
    assert_eq!(command, "sleep\x001000\0");
    container.command("kill", &["KILL"]).expect(0);
    wait_until("it goes with the container", SOON, || {
        !Path::new(&format!("/proc/{pid}/cwd/.")).exists()
    });
}

#[test]
fn a_container_that_can_not_have_a_process_is_refused_in_runcs_words() {
    let bench = Bench::new();
    let container = Container::created(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    // A created one has its namespaces, and runc goes into it too.
    container.exec(&["true"]).expect(0);
    container.start();
    container.command("kill", &["KILL"]).expect(0);
    wait_until("it stops", SOON, || {
        container.state()["status"] == "stopped"
    });
    let refused = container.exec(&["true"]).expect(125);
    let line = refused.one_line();
    assert!(
        line.contains("cannot exec in a stopped container"),
        "{line}"
    );
    let unknown = bench.runtime().args(["exec", "nobody", "true"]).expect(125);
    assert!(unknown.one_line().contains("does not exist"), "{unknown}");
    let nothing = container.exec(&[]).expect(125);
    nothing.one_line();
}

#[test]
fn several_go_on_beside_each_other() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    let mut first = container.exec(&["sh", "-c", "echo one; cat"]).start();
    let mut second = container.exec(&["sh", "-c", "echo two; cat"]).start();
    first.wait_for("one");
    second.wait_for("two");
    container.exec(&["true"]).expect(0);
    assert_eq!(container.state()["status"], "running");
    assert_eq!(first.finish().code, Some(0));
    assert_eq!(second.finish().code, Some(0));
}

#[test]
fn signals_are_forwarded() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1] {
        let mut caught = container.exec(&["probe", "catch"]).start();
        caught.wait_for("ready");
        caught.signal(signal);
        let outcome = caught.wait();
        assert_eq!(outcome.code, Some(40), "{outcome}");
        let mut held = container
            .exec(&["sh", "-c", "echo ready; exec sleep 1000"])
            .start();
        held.wait_for("ready");
        held.signal(signal);
        let outcome = held.wait();
        assert_eq!(outcome.code, Some(128 + signal), "{outcome}");
    }
}

/// Unlike runc's: who holds a command in the foreground takes it along.
#[test]
fn a_killed_exec_leaves_no_command_behind() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    let mut running = container
        .exec(&["sh", "-c", "echo ready; exec sleep 12345"])
        .start();
    running.wait_for("ready");
    let is_there = || {
        let processes = container.shell("ps");
        processes.stdout.contains("12345")
    };
    assert!(is_there());
    running.signal(libc::SIGKILL);
    wait_until("the command is gone", SOON, || !is_there());
}
