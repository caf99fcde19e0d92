//! The terminal over a socket, as engines have it.

use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, wait_until};
use serde_json::json;

use super::engine::Engine;
use super::{SOON, bundle, own_id, waiting};

#[test]
fn an_engine_gets_the_terminal_of_a_created_container() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "engine");
    bundle.edit(|spec| spec["process"]["consoleSize"] = json!({ "height": 21, "width": 43 }));
    let engine = Engine::on(&bench, "console.sock");
    let id = own_id("engine");
    let create = bench
        .runtime()
        .args(["create", "--console-socket", engine.path(), "--bundle"]);
    let created = create.arg(&bundle.directory).arg(&id).expect(0);
    assert_eq!((created.stdout.as_str(), created.stderr.as_str()), ("", ""));
    let (mut master, name) = engine.receive();
    assert_eq!(name, "/dev/ptmx");
    bench.runtime().args(["start", &id]).expect(0);
    master.waits_for("prompt>");
    master.types("busybox stty size; busybox tty\n");
    master.waits_for("21 43");
    master.waits_for("/dev/pts/0");
    master.types("sleep 1000\n");
    master.waits_for("sleep 1000");
    std::thread::sleep(Duration::from_millis(300));
    master.types("\x03");
    master.waits_for("prompt>");
    master.types("echo code $?\n");
    master.waits_for("code 130");
    // As containerd and podman do it.
    let exec = [
        "exec",
        "--console-socket",
        engine.path(),
        "--detach",
        "--tty",
        &id,
        "sh",
    ];
    bench.runtime().args(exec).expect(0);
    let (mut second, _) = engine.receive();
    second.waits_for("prompt>");
    second.types("busybox tty\n");
    second.waits_for("/dev/pts/1");
    let process = json!({
        "terminal": true, "consoleSize": { "height": 11, "width": 12 },
        "user": { "uid": 5, "gid": 6 }, "args": ["sh"], "cwd": "/",
        "env": ["PATH=/bin", "PS1=third> "],
    });
    let file = bench.file("process.json", process.to_string());
    let file = file.to_str().expect("UTF-8");
    let exec = [
        "exec",
        "-d",
        "--console-socket",
        engine.path(),
        "--process",
        file,
        &id,
    ];
    bench.runtime().args(exec).expect(0);
    let (mut third, _) = engine.receive();
    third.waits_for("third>");
    third.types("busybox stty size; id -u\n");
    third.waits_for("11 12\r\n5\r\n");
    bench.runtime().args(["delete", "--force", &id]).expect(0);
    bench.assert_gone(&id);
}

#[test]
fn a_detached_run_sends_its_terminal_to_the_engine() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "detached");
    let engine = Engine::on(&bench, "console.sock");
    let id = own_id("detached");
    let run = bench
        .runtime()
        .args(["run", "--detach", "--console-socket", engine.path(), "-b"]);
    run.arg(&bundle.directory).arg(&id).expect(0);
    let (mut master, _) = engine.receive();
    master.waits_for("prompt>");
    drop(master);
    let stopped = || {
        let outcome = bench.runtime().args(["state", &id]).run();
        outcome.stdout.contains("\"stopped\"")
    };
    wait_until("the shell ends when its terminal is gone", SOON, stopped);
    bench.runtime().args(["delete", &id]).expect(0);
    bench.assert_gone(&id);
}

#[test]
fn what_does_not_fit_together_is_refused_in_one_line() {
    let bench = Bench::new();
    let with = bundle(&bench, "with");
    let without = waiting(&bench, "without");
    let engine = Engine::on(&bench, "console.sock");
    let nobody = bench.path("nobody.sock");
    let nobody = nobody.to_str().expect("UTF-8");
    let socket = ["--console-socket", engine.path()];
    let create = |bundle: &Bundle, options: &[&str]| {
        let tool = bench.runtime().arg("create").args(options).arg("--bundle");
        tool.arg(&bundle.directory).arg(own_id("refused")).run()
    };
    let run = |bundle: &Bundle, options: &[&str]| {
        let tool = bench.runtime().arg("run").args(options).arg("--bundle");
        tool.arg(&bundle.directory).arg(own_id("refused")).run()
    };
    let nowhere = ["--console-socket", nobody];
    let detached = ["--detach", "--console-socket", engine.path()];
    for (outcome, text) in [
        (create(&with, &[]), "--console-socket"),
        (create(&without, &socket), "process.terminal"),
        (create(&with, &nowhere), "nobody.sock"),
        (run(&with, &[]), "no terminal"),
        (run(&with, &["--detach"]), "--console-socket"),
        (run(&with, &socket), "--detach"),
        (run(&without, &detached), "process.terminal"),
    ] {
        bench.assert_refused(&outcome, text);
    }
    let container = Container::started(&bench, Runtime::Ours, &without);
    for (options, text) in [
        (&["--tty"][..], "no terminal"),
        (&["--tty", "--detach"], "--console-socket"),
        (&socket, "process.terminal"),
        (&["--tty", "--console-socket", engine.path()], "--detach"),
    ] {
        let refused = container.exec_with(options, &["true"]).expect(125);
        assert!(refused.one_line().contains(text), "{refused}");
    }
    with.edit(|spec| spec["process"]["consoleSize"] = json!({ "height": 65536, "width": 1 }));
    bench.runtime();
    let refused = create(&with, &socket);
    assert!(
        refused.one_line().contains("process.consoleSize"),
        "{refused}"
    );
}
