//! Terminals: of `run` and `exec` before a user's own, and of engines over a socket.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use integration::terminal::Terminal;
use integration::{Bench, Bundle, Container, Runtime, Session, Tool, plain, wait_until};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::Pid;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// A bundle with a devpts, whose command is a shell in a terminal.
fn bundle(bench: &Bench, name: &str) -> Bundle {
    let bundle = plain::bundle(bench, name, &["sh"]);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["env"] = json!(["PATH=/bin", "PS1=prompt> "]);
        with_devpts(spec);
    });
    bundle
}

fn with_devpts(spec: &mut Value) {
    let mounts = spec["mounts"].as_array_mut().expect("mounts");
    mounts.push(json!({
        "destination": "/dev/pts", "type": "devpts", "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    }));
}

/// A bundle without a terminal whose first process stays, for `exec`.
fn waiting(bench: &Bench, name: &str) -> Bundle {
    let bundle = bundle(bench, name);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["sh", "-c", "while :; do sleep 1; done"]);
    });
    bundle
}

fn own_id(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn run(bench: &Bench, bundle: &Bundle, id: &str) -> Tool {
    let tool = bench.runtime().args(["run", "--bundle"]);
    tool.arg(&bundle.directory).arg(own_id(id))
}

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

/// Starts `tool` in a new terminal; gives the modes that such a one has as well.
fn start(tool: Tool) -> (Session, String) {
    let fresh = Terminal::open();
    let before = nix::sys::termios::tcgetattr(fresh.slave()).expect("modes");
    (Session::start(tool, 33, 111), format!("{before:?}"))
}

#[test]
fn run_connects_the_callers_terminal_with_the_commands() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "shell");
    let (mut session, before) = start(run(&bench, &bundle, "tty"));
    behaves(&mut session, &before);
    bench.assert_gone(&own_id("tty"));
}

#[test]
fn exec_connects_the_callers_terminal_with_the_commands() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &waiting(&bench, "waiting"));
    let (mut session, before) = start(container.exec_with(&["--tty"], &["sh"]));
    behaves(&mut session, &before);
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
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &waiting(&bench, "waiting"));
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo the end";
    let mut session = start(container.exec_with(&["--tty"], &["sh", "-c", script])).0;
    session.waits_for("line 19999\r\n").waits_for("the end");
    assert_eq!(session.ends(), Some(0));
    assert_eq!(session.shown().matches("line ").count(), 20_000);
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
    wait_until("it is stopped", SOON, || state_of(session.pid()) == 'T');
    assert_eq!(format!("{:?}", session.modes()), before);
    session.resize(55, 66);
    session.signal(Signal::SIGCONT);
    wait_until("it goes on", SOON, || session.is_raw());
    session.types("busybox stty size\n").waits_for("55 66");
    session.types("exit 3\n");
    assert_eq!(session.ends(), Some(3));
    assert_eq!(format!("{:?}", session.modes()), before);
}

fn state_of(pid: Pid) -> char {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let rest = text
        .rsplit_once(") ")
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    rest.chars().next().unwrap_or('?')
}

/// An engine's side of `--console-socket`.
struct Engine {
    listener: UnixListener,
    path: PathBuf,
}

impl Engine {
    fn on(bench: &Bench, name: &str) -> Self {
        let path = bench.path(name);
        Self {
            listener: UnixListener::bind(&path).expect("bind"),
            path,
        }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// The terminal that was sent, and what came along as its name.
    fn receive(&self) -> (Screen, String) {
        let (stream, _) = self.listener.accept().expect("a connection");
        let mut text = [0; 256];
        let mut into = [std::io::IoSliceMut::new(&mut text)];
        let mut space = nix::cmsg_space!(RawFd);
        let message = recvmsg::<()>(
            stream.as_raw_fd(),
            &mut into,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .expect("a message");
        let length = message.bytes;
        let descriptor =
            message
                .cmsgs()
                .expect("control messages")
                .find_map(|message| match message {
                    ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
                    _ => None,
                });
        // SAFETY: just received, and nobody else's.
        let master = unsafe { File::from_raw_fd(descriptor.expect("a descriptor")) };
        let name = String::from_utf8_lossy(&text[..length]).into_owned();
        let unread = String::new();
        (Screen { master, unread }, name)
    }
}

/// What an engine does with a terminal.
struct Screen {
    master: File,
    unread: String,
}

impl Screen {
    fn types(&mut self, text: &str) -> &mut Self {
        self.master.write_all(text.as_bytes()).expect("type");
        self
    }

    /// Reads until `text` has been shown.
    #[track_caller]
    fn waits_for(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(at) = self.unread.find(text) {
                self.unread.drain(..at + text.len());
                return self;
            }
            assert!(
                Instant::now() < deadline,
                "no {text:?} in {:?}",
                self.unread
            );
            let mut waiting = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut waiting, 100_u8).expect("poll") == 0 {
                continue;
            }
            let mut buffer = [0; 4096];
            let length = match self.master.read(&mut buffer) {
                Ok(length) => length,
                Err(error) => panic!("{error}: no {text:?} in {:?}", self.unread),
            };
            self.unread
                .push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }
}

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
        (run(&with, &[]), "standard input is no terminal"),
        (run(&with, &["--detach"]), "--console-socket"),
        (run(&with, &socket), "--detach"),
        (run(&without, &detached), "process.terminal"),
    ] {
        bench.assert_refused(&outcome, text);
    }
    let container = Container::started(&bench, Runtime::Ours, &without);
    for (options, text) in [
        (&["--tty"][..], "standard input is no terminal"),
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

/// CVE-2025-52565: what an image has in the place of the devices is not followed to the host.
#[test]
fn an_image_can_not_lead_the_terminal_astray() {
    let bench = Bench::new();
    let engine = Engine::on(&bench, "console.sock");
    let marker = bench.file("marker", "unchanged");
    let create = |bundle: &Bundle| {
        let options = ["create", "--console-socket", engine.path(), "--bundle"];
        let tool = bench.runtime().args(options);
        tool.arg(&bundle.directory).arg(own_id("astray")).run()
    };
    let without_dev = |name: &str| {
        let bundle = bundle(&bench, name);
        bundle.edit(|spec| {
            let mounts = spec["mounts"].as_array_mut().expect("mounts");
            mounts.retain(|mount| mount["destination"] != "/dev");
        });
        fs::create_dir(bundle.rootfs().join("dev/pts")).expect("make /dev/pts");
        bundle
    };
    let linked = without_dev("console-link");
    symlink(&marker, linked.rootfs().join("dev/console")).expect("link");
    symlink(
        "/proc/sys/kernel/core_pattern",
        linked.rootfs().join("dev/null"),
    )
    .expect("link");
    let refused = create(&linked);
    assert_ne!(refused.code, Some(0), "{refused}");
    refused.one_line();
    bench.assert_nothing_left_by(&refused);
    let no_devpts = bundle(&bench, "no-devpts");
    no_devpts.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.last_mut().expect("a mount")["type"] = json!("tmpfs");
        mounts.last_mut().expect("a mount")["options"] = json!([]);
    });
    let refused = create(&no_devpts);
    assert_eq!(refused.code, Some(125), "{refused}");
    refused.one_line();
    bench.assert_nothing_left_by(&refused);
    // The same of `exec`, which makes its own.
    no_devpts.edit(|spec| {
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["sh", "-c", "while :; do sleep 1; done"]);
    });
    let container = Container::started(&bench, Runtime::Ours, &no_devpts);
    container
        .shell("mknod /dev/pts/ptmx c 5 2; ln -s /etc/passwd /dev/pts/0")
        .stdout
        .clear();
    let mut session = start(container.exec_with(&["--tty"], &["sh"])).0;
    session.waits_for("no devpts");
    assert_eq!(session.ends(), Some(125));
    assert_eq!(
        fs::read_to_string(&marker).expect("the marker"),
        "unchanged"
    );
    assert!(fs::metadata(&marker).expect("the marker").is_file());
}

/// With a process of ours as the first one, keys must reach the command, and reach it once.
#[test]
fn a_sealed_command_has_its_terminal_to_itself() {
    let bench = Bench::new();
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let bundle = bench.sealed("sealed", &command, &["sh"]);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(true);
        let env = spec["process"]["env"].as_array_mut().expect("a list");
        env.push(json!("PS1=prompt> "));
        let has_devpts = spec["mounts"]
            .as_array()
            .is_some_and(|mounts| mounts.iter().any(|mount| mount["type"] == "devpts"));
        if !has_devpts {
            with_devpts(spec);
        }
    });
    let (mut session, before) = start(run(&bench, &bundle, "sealed"));
    session.waits_for("prompt>");
    let trap = "trap 'echo interrupted once' INT; busybox tty; echo set\n";
    session
        .types(trap)
        .waits_for("/dev/pts/0")
        .waits_for("\nset");
    session.types("\x03").waits_for("interrupted once");
    std::thread::sleep(Duration::from_millis(300));
    session
        .types("busybox sleep 1000\n")
        .waits_for("sleep 1000");
    std::thread::sleep(Duration::from_millis(300));
    session
        .types("\x1a")
        .waits_for("Stopped")
        .waits_for("prompt>");
    session.types("echo done\n").waits_for("\ndone");
    let times = session.shown().matches("interrupted once\r\n").count();
    assert_eq!(times, 1, "{}", session.shown());
    session.types("kill -9 $$\n");
    assert_eq!(session.ends(), Some(137));
    assert_eq!(format!("{:?}", session.modes()), before);
    bench.assert_gone(&own_id("sealed"));
}

/// What isn't looked at by name elsewhere: the descriptors of the two processes that hold terminals.
#[test]
fn the_command_has_no_other_end_of_its_terminal() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "ends");
    let mut session = start(run(&bench, &bundle, "ends")).0;
    session.waits_for("prompt>").types("ls -l /proc/self/fd\n");
    session.waits_for(" 2 -> /dev/pts/0").waits_for("prompt>");
    assert!(!session.shown().contains("ptmx"), "{}", session.shown());
    session.types("exit\n");
    session.ends();
}
