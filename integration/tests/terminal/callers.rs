//! `run` and `exec` before a user's own terminal.

use std::fs;
use std::time::Duration;

use integration::{Bench, Container, Runtime, Session, host, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::{BOTH, SOON, bundle, own_id, run, run_by, start, waiting};

/// All that a user at a keyboard expects of a shell.
fn behaves(session: &mut Session, before: &str) {
    session.waits_for("prompt>");
    assert!(session.is_raw(), "keys don't come through");
    session.types("busybox stty size\n").waits_for("33 111");
    session.types("busybox tty\n").waits_for("/dev/pts/0");
    session.resize(44, 122);
    session.types("busybox stty size\n").waits_for("44 122");
    // The shell gets through to a command that reads nothing, and stays itself.
    session.types("sleep 1000\n").waits_for("sleep 1000");
    std::thread::sleep(Duration::from_millis(300));
    session.types("\x03").waits_for("prompt>");
    session.types("echo code $?\n").waits_for("code 130");
    session.types("sleep 2000\n").waits_for("sleep 2000");
    std::thread::sleep(Duration::from_millis(300));
    session
        .types("\x1a")
        .waits_for("Stopped")
        .waits_for("prompt>");
    session.types("kill %1; fg\n").waits_for("prompt>");
    session.types("exit 42\n");
    assert_eq!(session.ends(), Some(42));
    assert_eq!(
        format!("{:?}", session.modes()),
        before,
        "the terminal's modes"
    );
}

#[test]
fn run_connects_the_callers_terminal_with_the_commands() {
    for runtime in BOTH {
        let bench = Bench::new();
        let bundle = bundle(&bench, "shell");
        let (mut session, before) = start(run_by(runtime, &bench, &bundle, "tty"));
        behaves(&mut session, &before);
        bench.assert_gone(&own_id("tty"));
    }
}

/// A terminal tells only the jobs of the session that it controls; and keys may overtake that, too.
#[test]
fn what_is_typed_after_a_resize_finds_the_new_size() {
    let bench = Bench::new();
    let tool = run(&bench, &bundle(&bench, "resized"), "resized");
    let (mut session, before) = start(tool.within("setsid", &["--wait"]));
    session.waits_for("prompt>").resize(44, 122);
    session.types("busybox stty size\n").waits_for("44 122");
    // What the command sets stays until then.
    session.types("busybox stty rows 10 cols 90\n");
    session.waits_for("cols 90").waits_for("prompt>");
    session.types("busybox stty size\n").waits_for("10 90");
    session.resize(55, 133);
    session.types("busybox stty size\n").waits_for("55 133");
    session.types("exit 42\n");
    assert_eq!(session.ends(), Some(42));
    assert_eq!(format!("{:?}", session.modes()), before);
    bench.assert_gone(&own_id("resized"));
}

/// What is redirected is read and written as it is; keys, modes and size are the terminal's all the same.
#[test]
fn a_caller_with_a_terminal_may_redirect_input_and_output() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "redirected");
    let script = "busybox stty size; read line; echo got $line";
    bundle.edit(|spec| spec["process"]["args"] = json!(["sh", "-c", script]));
    let output = bench.path("printed");
    let line = "out=$1; shift; echo typed | \"$@\" >$out 2>&1; echo ended $?";
    let shell = ["-c", line, "sh", &output.display().to_string()];
    let tool = run(&bench, &bundle, "redirected").within("sh", &shell);
    let (mut session, before) = start(tool);
    session.waits_for("ended 0");
    assert_eq!(session.ends(), Some(0));
    let printed = fs::read_to_string(&output).expect("read");
    // Among them the echo of the command's terminal, at any time; no carriage returns.
    let mut lines: Vec<&str> = printed.split('\n').collect();
    lines.sort_unstable();
    assert_eq!(lines, ["", "33 111", "got typed", "typed"], "{printed:?}");
    assert_eq!(
        format!("{:?}", session.modes()),
        before,
        "the terminal's modes"
    );
    bench.assert_gone(&own_id("redirected"));
}

#[test]
fn exec_connects_the_callers_terminal_with_the_commands() {
    for runtime in BOTH {
        let bench = Bench::new();
        let container = Container::started(&bench, runtime, &waiting(&bench, "waiting"));
        let (mut session, before) = start(container.exec_with(&["--tty"], &["sh"]));
        behaves(&mut session, &before);
    }
}

/// The user's id isn't 0: the terminal must be the user's own all the same.
#[test]
fn the_terminal_belongs_to_the_commands_user() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "owned");
    bundle.edit(|spec| {
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
        namespaces.push(json!({ "type": "user" }));
        let map = json!([{ "containerID": 0, "hostID": 200_000, "size": 65536 }]);
        spec["linux"]["uidMappings"] = map.clone();
        spec["linux"]["gidMappings"] = map;
    });
    let script = "echo one > /dev/pts/0; echo two > /dev/console; echo three > /dev/tty; \
                  busybox stat -c owner=%u /dev/pts/0 /dev/console\n";
    let shows = |session: &mut Session| {
        session.waits_for("prompt>").types(script);
        session
            .waits_for("\none")
            .waits_for("\ntwo")
            .waits_for("\nthree");
        session.waits_for("owner=1000").waits_for("owner=1000");
        session.types("exit\n");
        assert_eq!(session.ends(), Some(0), "{}", session.shown());
    };
    shows(&mut start(run(&bench, &bundle, "own-user")).0);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["sh", "-c", "while :; do sleep 1; done"]);
    });
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let mut session = start(container.exec_with(&["--tty"], &["sh"])).0;
    session.waits_for("prompt>");
    session.types("echo one > $(busybox tty); busybox stat -c owner=%u $(busybox tty)\n");
    session.waits_for("\none").waits_for("owner=1000");
    session.types("exit\n");
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn all_that_a_command_printed_arrives() {
    for runtime in BOTH {
        let bench = Bench::new();
        let container = Container::started(&bench, runtime, &waiting(&bench, "waiting"));
        let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo the end";
        let mut session = start(container.exec_with(&["--tty"], &["sh", "-c", script])).0;
        session.waits_for("line 19999\r\n").waits_for("the end");
        assert_eq!(session.ends(), Some(0));
        assert_eq!(session.shown().matches("line ").count(), 20_000);
    }
}

#[test]
fn the_terminal_is_given_back_whoever_is_killed() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &waiting(&bench, "waiting"));
    let exec = || {
        let (mut session, before) = start(container.exec_with(&["--tty"], &["sh"]));
        session.waits_for("prompt>");
        assert!(session.is_raw());
        (session, before)
    };
    let is_back = |session: &Session, before: &str| {
        wait_until("the terminal's modes are back", SOON, || {
            format!("{:?}", session.modes()) == before
        });
    };
    let (mut session, before) = exec();
    session.types("kill -9 $$\n");
    assert_eq!(session.ends(), Some(137));
    is_back(&session, &before);

    let (mut session, before) = exec();
    session.signal(Signal::SIGTERM);
    session.types("trap - TERM; exec sleep 1000\n");
    std::thread::sleep(Duration::from_millis(500));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.ends(), Some(143));
    is_back(&session, &before);

    let (mut session, before) = exec();
    session.signal(Signal::SIGKILL);
    session.status();
    is_back(&session, &before);
    let gone = || !container.shell("ps").stdout.contains("1 sh\n");
    wait_until("the shell is gone", SOON, gone);

    let bundle = bundle(&bench, "run");
    for victim in ["guardian", "worker"] {
        let (mut session, before) = start(run(&bench, &bundle, victim));
        session.waits_for("prompt>");
        assert!(session.is_raw());
        let pid = match victim {
            "guardian" => session.pid(),
            _ => child_of(session.pid()),
        };
        kill(pid, Signal::SIGKILL).expect("kill");
        session.status();
        is_back(&session, &before);
        wait_until("the container is gone", SOON, || {
            !bench.state_names().contains(&own_id(victim))
        });
    }
}

/// The first child of `pid`, which for a run's guardian is its worker.
fn child_of(pid: Pid) -> Pid {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("children");
    let child = text.split_whitespace().next().expect("a child");
    Pid::from_raw(child.parse().expect("a pid"))
}

/// With runc the command goes on, before nobody.
#[test]
fn a_terminal_that_is_lost_hangs_the_command_up() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "shell");
    let mut session = start(run(&bench, &bundle, "lost")).0;
    session.waits_for("prompt>").hang_up();
    session.status();
    bench.assert_gone(&own_id("lost"));
    let container = Container::started(&bench, Runtime::Ours, &waiting(&bench, "waiting"));
    let mut session =
        start(container.exec_with(&["--tty"], &["sh", "-c", "echo here; sleep 1000"])).0;
    session.waits_for("here").hang_up();
    session.status();
    let gone = || !container.shell("ps").stdout.contains("sleep 1000");
    wait_until("the command is gone", SOON, gone);
}

#[test]
fn a_stopped_exec_gives_the_terminal_back_for_that_time() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &waiting(&bench, "waiting"));
    let (mut session, before) = start(container.exec_with(&["--tty"], &["sh"]));
    session.waits_for("prompt>");
    assert!(session.is_raw());
    session.signal(Signal::SIGTSTP);
    wait_until("it is stopped", SOON, || {
        host::state_of(session.pid().as_raw()).expect("a process") == 'T'
    });
    assert_eq!(format!("{:?}", session.modes()), before);
    session.resize(55, 66);
    session.signal(Signal::SIGCONT);
    wait_until("it goes on", SOON, || session.is_raw());
    session.types("busybox stty size\n").waits_for("55 66");
    session.types("exit 3\n");
    assert_eq!(session.ends(), Some(3));
    assert_eq!(format!("{:?}", session.modes()), before);
}
