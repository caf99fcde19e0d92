//! Options that can't be, and files they name that aren't there.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use integration::{Bench, Container, Runtime, Tool, opt_runtime, plain};

use super::refusal::Refusals;

#[test]
fn usage_errors_are_told_in_one_line_with_a_hint() {
    let bench = Bench::new();
    let mut refusals = Refusals::on(&bench);
    for (line, says) in [
        ("frobnicate", "'frobnicate'"),
        ("", "requires a subcommand"),
        ("run", "<BUNDLE|ID>"),
        ("state", "<ID>"),
        ("run --nonsense x", "'--nonsense'"),
        ("state a b", "'b'"),
        ("create --preserve-fds -1 a", "-1"),
        ("create --preserve-fds 65536 a", "65536"),
        ("create --pid-file", "--pid-file"),
        ("--rootless perhaps state a", "--rootless"),
        ("--cgroup-manager openrc state a", "openrc"),
        ("--log-level loud state a", "loud"),
        ("exec --user root a true", "root"),
        ("exec --user=-1 a true", "--user"),
        ("exec --cap CAP_EVERYTHING a true", "CAP_EVERYTHING"),
        ("exec --cgroup ../up a true", "--cgroup"),
        ("events --interval soon a", "soon"),
        ("ps --format yaml a", "yaml"),
        ("list --format yaml", "yaml"),
        ("seal . --output new --run-as 0:0", "0:0"),
        ("bundle docker", "docker"),
        ("checkpoint --manage-cgroups-mode odd a", "odd"),
    ] {
        refusals.expect(line, 125, says, |tool| {
            tool.args(line.split(' ').filter(|word| !word.is_empty()))
        });
    }
    let hint = "; hint: opt-runtime --help";
    refusals.expect("hint", 125, hint, |tool| tool.arg("frobnicate"));
    refusals.expect("control characters", 125, "'frob'", |tool| {
        tool.arg("fro\u{1b}[2Jb")
    });
    refusals.expect("long", 125, "xxx", |tool| tool.arg("x".repeat(100_000)));
    refusals.end();
}

#[test]
fn an_unknown_log_format_is_told_on_standard_error() {
    let bench = Bench::new();
    let log = bench.path("the-log");
    let tool = bench
        .runtime()
        .args(["--log-format", "xml", "--log"])
        .arg(&log);
    let outcome = tool.args(["state", "x"]).expect(125);
    assert!(
        outcome.one_line().contains("xml") && outcome.one_line().contains("text, json"),
        "{outcome}"
    );
    let text = fs::read_to_string(&log).expect("a log");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_log_that_can_not_be_written_is_named() {
    let bench = Bench::new();
    let directory = bench.directory("directory");
    let looping = bench.path("looping");
    symlink("looping", &looping).expect("a link");
    for (log, says) in [
        (bench.path("no/such/log"), "open log"),
        (directory, "Is a directory"),
        (looping, "(os error 40)"),
        ("/dev/full".into(), "No space left on device"),
        ("".into(), "log"),
    ] {
        for format in ["text", "json"] {
            let tool = bench
                .runtime()
                .args(["--log-format", format, "--log"])
                .arg(&log);
            let outcome = tool.args(["state", "x"]).run();
            assert!(matches!(outcome.code, Some(1 | 125)), "{outcome}");
            assert!(outcome.stderr.contains(says), "no \"{says}\": {outcome}");
            assert!(
                outcome
                    .stderr
                    .lines()
                    .all(|line| line.starts_with("opt-runtime: ")),
                "{outcome}"
            );
        }
    }
}

#[test]
fn a_state_directory_that_is_none_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["touch", "/ran"]);
    let file = bench.file("a-file", "");
    for (root, says) in [
        (file.clone(), "a-file"),
        (file.join("below"), "a-file/below"),
        ("/proc/nowhere".into(), "/proc/nowhere"),
        ("/sys/kernel/nowhere".into(), "/sys/kernel/nowhere"),
    ] {
        for command in ["create", "run"] {
            let tool = Tool::new(opt_runtime()).arg("--root").arg(&root);
            let tool = tool.args([command, "--bundle"]).arg(&bundle.directory);
            let outcome = tool.arg("bad").expect(125);
            assert!(
                outcome.one_line().contains(says),
                "no \"{says}\": {outcome}"
            );
        }
        for command in ["state", "kill", "delete"] {
            let outcome = Tool::new(opt_runtime())
                .arg("--root")
                .arg(&root)
                .args([command, "bad"])
                .expect(1);
            outcome.one_line();
        }
    }
    assert!(!bundle.rootfs().join("ran").exists());
    bench.assert_no_orphans();
}

#[test]
fn a_file_that_can_not_be_written_is_named_and_there_is_no_container() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["touch", "/ran"]);
    let directory = bench.directory("directory");
    let mut refusals = Refusals::on(&bench);
    for (file, says) in [
        (
            bench.path("no/such/pid"),
            "no/such/pid: No such file or directory",
        ),
        (directory.clone(), "directory: Is a directory"),
        ("/proc/pid".into(), "/proc/pid"),
        ("".into(), "--pid-file"),
    ] {
        for command in ["create", "run"] {
            refusals.expect(
                &format!("{command} --pid-file {}", file.display()),
                125,
                says,
                |tool| {
                    let tool = tool
                        .args([command, "--pid-file"])
                        .arg(&file)
                        .arg("--bundle");
                    tool.arg(&bundle.directory).arg("bad")
                },
            );
        }
    }
    refusals.end();
    assert!(!bundle.rootfs().join("ran").exists());
}

#[test]
fn a_console_socket_that_nobody_listens_on_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["touch", "/ran"]);
    bundle.edit(|spec| spec["process"]["terminal"] = true.into());
    let file = bench.file("a-file", "");
    let abandoned = bench.path("abandoned");
    drop(UnixListener::bind(&abandoned).expect("a socket"));
    let mut refusals = Refusals::on(&bench);
    for (socket, says) in [
        (bench.path("nowhere"), "nowhere: No such file or directory"),
        (file, "a-file: Connection refused"),
        (abandoned, "abandoned: Connection refused"),
        (
            bench.directory("directory"),
            "directory: Connection refused",
        ),
        ("".into(), "--console-socket"),
    ] {
        refusals.expect(&socket.display().to_string(), 125, says, |tool| {
            let tool = tool
                .args(["create", "--console-socket"])
                .arg(&socket)
                .arg("--bundle");
            tool.arg(&bundle.directory).arg("bad")
        });
    }
    refusals.end();
    assert!(!bundle.rootfs().join("ran").exists());
}

#[test]
fn a_signal_that_there_is_not_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let mut refusals = Refusals::on(&bench);
    for signal in [
        "65",
        "99999999999",
        "FOO",
        "SIG",
        "SIGSIGTERM",
        "RTMIN+99",
        "RTMAX+1",
        "9.5",
        "TERM ",
        "",
    ] {
        let says = format!("unknown signal \"{signal}\"");
        refusals.expect(signal, 1, &says, |tool| {
            tool.args(["kill", &container.id, signal])
        });
    }
    refusals.expect("negative", 125, "-9", |tool| {
        tool.args(["kill", &container.id, "-9"])
    });
    refusals.end();
    assert_eq!(container.state()["status"], "running");
}

#[test]
fn a_command_of_exec_that_can_not_be_is_told() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let id = container.id.as_str();
    let mut refusals = Refusals::on(&bench);
    for (words, code, says) in [
        (&["exec", id][..], 125, "process.args"),
        (&["exec", id, ""], 127, "exec: \"\""),
        (
            &["exec", id, "nothere"],
            127,
            "executable file not found in $PATH",
        ),
        (&["exec", id, "/nothere"], 127, "no such file or directory"),
        (&["exec", id, "/etc"], 126, "exec: \"/etc\""),
        (&["exec", "--cwd", "relative", id, "true"], 125, "cwd"),
        (&["exec", "--cwd", "/nothere", id, "true"], 125, "/nothere"),
        (&["exec", "--env", "novalue", id, "true"], 125, "novalue"),
        (&["exec", "--env", "=x", id, "true"], 125, "\"=x\""),
        (&["exec", "--cgroup", "nowhere", id, "true"], 125, "nowhere"),
        (
            &["exec", "--pid-file", "/nowhere/pid", id, "true"],
            125,
            "/nowhere/pid",
        ),
        (
            &[
                "exec",
                "--console-socket",
                "/nowhere",
                "--tty",
                "--detach",
                id,
                "true",
            ],
            125,
            "/nowhere",
        ),
        (
            &["exec", "--process", "/nowhere", id],
            125,
            "/nowhere: No such file or directory",
        ),
    ] {
        refusals.expect(&words.join(" "), code, says, |tool| tool.args(words));
    }
    refusals.end();
}

#[test]
fn a_policy_that_can_not_be_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["touch", "/ran"]);
    let mut refusals = Refusals::on(&bench);
    let wrong = bench.file("wrong.toml", "policy = \"strict\"\n");
    for (policy, says) in [
        (bench.path("nowhere.toml"), "nowhere.toml"),
        (wrong, "wrong.toml"),
        (bench.directory("directory"), "directory"),
        ("strict".into(), "strict"),
        ("".into(), "policy"),
    ] {
        for command in ["create", "run"] {
            refusals.expect(
                &format!("{command} {}", policy.display()),
                125,
                says,
                |tool| {
                    let tool = tool
                        .arg("--policy")
                        .arg(&policy)
                        .args([command, "--bundle"]);
                    tool.arg(&bundle.directory).arg("bad")
                },
            );
        }
    }
    refusals.end();
    assert!(!bundle.rootfs().join("ran").exists());
}
