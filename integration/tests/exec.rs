//! `exec`: the new process has all that the container's specification says, and nothing of the caller's.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use integration::{Bench, Bundle, Container, Probe, Runtime, plain, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// Descriptors that a careless caller leaves open.
const LEAKS: std::ops::Range<i32> = 3..12;

/// A bundle whose first process stays.
fn bundle(bench: &Bench, name: &str) -> Bundle {
    let script = "while :; do sleep 1; done";
    let bundle = plain::bundle(bench, name, &["sh", "-c", script]);
    fs::write(
        bundle.rootfs().join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nworker:x:1000:1000::/home/worker:/bin/sh\n",
    )
    .expect("write /etc/passwd");
    bundle
}

/// A filter that gives mkdir(2) an errno that it never has otherwise.
fn no_mkdir() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{
            "names": ["mkdir", "mkdirat"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": libc::EXFULL,
        }],
    })
}

/// What the probe sees when `container` executes it.
fn look(container: &Container<'_>, options: &[&str]) -> Value {
    Probe::report(&container.exec_with(options, &["probe", "look"]).run())
}

fn namespaces(report: &Value) -> Value {
    let mut namespaces = report["namespaces"].clone();
    // What children are made in; the pid and time namespaces themselves are compared.
    let map = namespaces.as_object_mut().expect("namespaces");
    map.retain(|name, _| !name.ends_with("_for_children"));
    namespaces
}

/// The namespaces of the container's first process, as the host sees them.
fn own_namespaces(container: &Container<'_>) -> Value {
    let directory = format!("/proc/{}/ns", container.pid());
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
    let link = |name| fs::read_link(Path::new(&directory).join(name)).expect("a namespace");
    names
        .map(|name| (name.to_owned(), link(name).display().to_string()))
        .into_iter()
        .map(|(name, link)| (name, Value::from(link)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// S1: libcontainer's exec loads no filter.
#[test]
fn the_filter_is_the_containers() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "filtered");
    bundle.edit(|spec| {
        spec["process"]["noNewPrivileges"] = json!(true);
        spec["linux"]["seccomp"] = no_mkdir();
    });
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let report = look(&container, &[]);
    assert_eq!(report["status"]["Seccomp"], "2");
    assert_eq!(report["status"]["NoNewPrivs"], "1");
    let refused = container.shell("mkdir /tmp/new");
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(!bundle.rootfs().join("tmp/new").exists());
}

/// S2: libcontainer's exec stays in the host's user namespace.
#[test]
fn every_namespace_is_joined_the_user_namespace_too() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "mapped");
    bundle.edit(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
        for kind in ["user", "cgroup", "time"] {
            namespaces.push(json!({ "type": kind }));
        }
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
        spec["linux"]["uidMappings"] = map.clone();
        spec["linux"]["gidMappings"] = map;
    });
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let report = look(&container, &[]);
    assert_eq!(namespaces(&report), own_namespaces(&container));
    assert_eq!(report["ids"]["uid"], 0);
    let map = report["ids"]["uid_map"][0].as_str().expect("a map");
    assert!(map.contains("100000"), "{map}");
    let mut running = container.exec(&["sh", "-c", "echo ready; cat"]).start();
    running.wait_for("ready");
    wait_until("a process of uid 100000 on the host", SOON, || {
        pids_of("cat").iter().any(|pid| {
            fs::metadata(format!("/proc/{pid}")).is_ok_and(|process| process.uid() == 100_000)
        })
    });
    running.finish();
}

/// The processes whose command is `name`, wherever.
fn pids_of(name: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_it = |pid: &i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/comm"));
        text.is_ok_and(|text| text.trim() == name)
    };
    pids.filter(is_it).collect()
}

/// S6, T1 and CVE-2022-29162: compared with runc, which has them right.
#[test]
fn identity_and_privileges_are_as_with_runc() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "identity");
    bundle.edit(|spec| {
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [7, 9] });
        spec["process"]["cwd"] = json!("/tmp");
        let some = json!(["CAP_CHOWN", "CAP_KILL"]);
        spec["process"]["capabilities"] = json!({
            "bounding": some, "permitted": some, "effective": some,
        });
        spec["process"]["rlimits"] = json!([
            { "type": "RLIMIT_NOFILE", "soft": 200, "hard": 300 },
        ]);
    });
    let ours = Container::started(&bench, Runtime::Ours, &bundle);
    let runc = Container::started(&bench, Runtime::Runc, &bundle);
    for options in [
        &[][..],
        &["--user", "0"],
        &["--user", "7:8", "--additional-gids", "3"],
        &["--cap", "CAP_NET_RAW", "--user", "0"],
        &["--no-new-privs"],
        &["--cwd", "/etc", "--env", "A=1"],
    ] {
        let (ours, theirs) = (look(&ours, options), look(&runc, options));
        for line in [
            "CapInh",
            "CapPrm",
            "CapEff",
            "CapBnd",
            "CapAmb",
            "NoNewPrivs",
            "Uid",
            "Gid",
            "Groups",
            "Seccomp",
        ] {
            assert_eq!(
                ours["status"][line], theirs["status"][line],
                "{options:?} {line}"
            );
        }
        for fact in ["cwd", "ids", "hostname", "core_limit", "environment"] {
            assert_eq!(ours[fact], theirs[fact], "{options:?} {fact}");
        }
        assert_eq!(ours["descriptors"].as_object().expect("a map").len(), 3);
    }
    // This runc gives the hard limit for both: its Go raises its own.
    let limits = ours.shell("ulimit -Sn; ulimit -Hn");
    assert_eq!(limits.stdout, "200\n300\n", "{limits}");
}

#[test]
fn a_bundle_that_gives_no_capability_gives_none_to_exec() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    for options in [&[][..], &["--user", "1000:1000"]] {
        let report = look(&container, options);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(report["status"][set], "0000000000000000", "{set}");
        }
        assert_eq!(report["status"]["Groups"], "");
    }
}

#[test]
fn a_user_is_given_by_plain_numbers_only() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    for user in ["1", "1:2", "1000:0"] {
        let outcome = container.exec_with(&["--user", user], &["id"]).expect(0);
        assert!(!outcome.stdout.contains("uid=0"), "{outcome}");
    }
    for user in [
        "",
        "+1",
        "-1",
        "0x1",
        "01",
        " 1",
        "1 ",
        "1:",
        ":1",
        "4294967295",
        "4294967296",
        "root",
        "worker",
    ] {
        let user = format!("--user={user}");
        let refused = container.exec_with(&[&user], &["id"]).expect(125);
        assert_eq!(refused.stdout, "");
        refused.one_line();
    }
    let named = container.exec_with(&["--user=root"], &["id"]).expect(125);
    assert!(named.one_line().contains("hint:"), "{named}");
}

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

/// containerd and podman write the process down whole.
#[test]
fn a_process_file_replaces_all_that_the_bundle_says() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "plain");
    bundle.edit(|spec| spec["process"]["noNewPrivileges"] = json!(true));
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let process = json!({
        "user": { "uid": 12, "gid": 34, "additionalGids": [56] },
        "args": ["probe", "look"],
        "env": ["PATH=/bin", "ONLY=this"],
        "cwd": "/etc",
        "oomScoreAdj": 500,
    });
    let file = bench.file("process.json", process.to_string());
    let options = ["--process", file.to_str().expect("UTF-8")];
    let report = Probe::report(&container.exec_with(&options, &[]).run());
    assert_eq!(report["ids"]["uid"], 12);
    assert_eq!(report["ids"]["gid"], 34);
    assert_eq!(report["ids"]["groups"], json!([56]));
    assert_eq!(report["cwd"], "/etc");
    assert_eq!(report["oom_score_adj"], "500");
    assert_eq!(report["status"]["NoNewPrivs"], "0");
    assert_eq!(
        report["environment"],
        json!(["PATH=/bin", "ONLY=this", "HOME=/"])
    );
    for (text, said) in [
        ("{", "process.json"),
        ("{\"cwd\": 3}", "process.json"),
        (
            "{\"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}}",
            "args",
        ),
        (
            "{\"cwd\": \"x\", \"args\": [\"id\"], \"user\": {}}",
            "absolute",
        ),
    ] {
        fs::write(&file, text).expect("write");
        let refused = container.exec_with(&options, &[]).expect(125);
        assert!(refused.one_line().contains(said), "{refused}");
    }
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

/// The bundle may be changed or gone: what the container was created from is kept.
#[test]
fn the_bundle_is_not_read_again() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "plain");
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    bundle.edit(|spec| spec["process"]["env"] = json!(["PATH=/bin", "CHANGED=1"]));
    let report = look(&container, &[]);
    assert_eq!(report["environment"], json!(["PATH=/bin", "HOME=/root"]));
    fs::remove_file(bundle.directory.join("config.json")).expect("remove");
    container.exec(&["true"]).expect(0);
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

/// CVE-2024-21626.
#[test]
fn no_descriptor_of_the_callers_comes_in_and_none_is_a_way_out() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    // Beyond those that are filled with it: dup2(2) to the same number keeps the close-on-exec flag.
    let directory = fs::File::open("/").expect("open /");
    let directory = fcntl(directory.as_raw_fd(), FcntlArg::F_DUPFD_CLOEXEC(100)).expect("fcntl");
    // SAFETY: just made, and nobody else's.
    let directory = unsafe { OwnedFd::from_raw_fd(directory) };
    let with_leaks = |options: &[&str], words: &[&str]| {
        let mut tool = container.exec_with(options, words);
        let number = directory.as_raw_fd();
        // SAFETY: dup2(2) allocates nothing.
        unsafe {
            tool.command().pre_exec(move || {
                for leak in LEAKS {
                    nix::unistd::dup2(number, leak)?;
                }
                Ok(())
            });
        }
        tool.run()
    };
    let report = Probe::report(&with_leaks(&[], &["probe", "look"]));
    assert_eq!(report["descriptors"].as_object().expect("a map").len(), 3);
    for number in 0..LEAKS.end {
        let path = format!("/proc/self/fd/{number}");
        let refused = with_leaks(&["--cwd", &path], &["ls"]);
        assert_eq!(refused.code, Some(125), "{refused}");
        assert_eq!(refused.stdout, "", "{refused}");
    }
    // One that is asked for stays, but is no working directory either.
    let kept = with_leaks(&["--preserve-fds", "1"], &["probe", "look"]);
    let kept = Probe::report(&kept);
    assert_eq!(kept["descriptors"].as_object().expect("a map").len(), 4);
    let refused = with_leaks(
        &["--preserve-fds", "1", "--cwd", "/proc/self/fd/3"],
        &["ls"],
    );
    assert_eq!(refused.code, Some(125), "{refused}");
    let missing = container
        .exec_with(&["--preserve-fds", "5"], &["true"])
        .expect(125);
    assert!(missing.one_line().contains("/proc/self/fd/"), "{missing}");
}

#[test]
fn the_command_is_in_the_containers_cgroup() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    let first = fs::read_to_string(format!("/proc/{}/cgroup", container.pid())).expect("read");
    let seen = look(&container, &[]);
    let lines = seen["cgroup"].as_array().expect("lines");
    for line in first.lines().filter(|line| line.contains(&container.id)) {
        assert!(lines.contains(&line.into()), "{line} is not in {lines:?}");
    }
    assert!(first.contains(&container.id), "{first}");
}
