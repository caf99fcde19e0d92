//! What the caller of `run` gets: exit codes, signals, input and output, and nothing of its own inside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use integration::{Bench, Outcome, Probe, Tool, program};
use serde_json::{Value, json};

/// `opt-server run` of busybox's shell with this script.
fn shell(bench: &Bench, script: &str) -> Tool {
    let project = bench.directory("project");
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    bench
        .serve(&project, &json!([command]))
        .args(["busybox", "sh", "-c", script])
}

/// `opt-server run` of the probe.
fn probe(bench: &Bench, words: &[&str]) -> Tool {
    let project = bench.directory("project");
    let command = Probe::on(bench).command();
    bench
        .serve(&project, &json!([command]))
        .arg("probe")
        .args(words)
}

#[test]
fn the_commands_own_code_comes_out() {
    let bench = Bench::new();
    for code in [0, 1, 3, 124, 125, 126, 127, 255] {
        let outcome = shell(&bench, &format!("exit {code}")).expect(code);
        assert_eq!(outcome.stderr, "", "{outcome}");
        bench.assert_nothing_left_by(&outcome);
    }
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    let bench = Bench::new();
    probe(&bench, &["fault"]).expect(128 + libc::SIGSEGV);
    // A process of the command's own that dies so is the command's to tell.
    shell(&bench, "sh -c 'kill -9 $$'; exit $?").expect(137);
    let mut running = probe(&bench, &["hold"]).start();
    running.wait_for("ready");
    kill_inside(&running, libc::SIGKILL);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(128 + libc::SIGKILL), "{outcome}");
}

/// Sends a signal straight to the command, past the supervisor.
fn kill_inside(running: &integration::Running, signal: i32) {
    let pid = command_of(running.pid()).expect("the command's process");
    let signal = nix::sys::signal::Signal::try_from(signal).expect("a signal");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("kill");
}

/// The process below `pid` that is the first in a pid namespace of its own.
fn command_of(pid: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let child: i32 = child.parse().ok()?;
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let pids = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))?;
        if pids.split_whitespace().count() > 1 {
            Some(child)
        } else {
            command_of(child)
        }
    })
}

/// abort(3) raises SIGABRT, which the kernel drops for the first process of a pid namespace, and then
/// faults; a user who sees 139 would look for a wild pointer that isn't there.
#[test]
fn an_abort_is_told_as_an_abort() {
    let bench = Bench::new();
    probe(&bench, &["abort"]).expect(128 + libc::SIGABRT);
}

#[test]
fn forwarded_signals_end_a_command_that_handles_none() {
    let bench = Bench::new();
    use libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1] {
        let mut running = probe(&bench, &["hold"]).start();
        running.wait_for("ready");
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(128 + signal), "{outcome}");
        bench.assert_nothing_left_by(&outcome);
    }
}

#[test]
fn forwarded_signals_reach_a_handler() {
    let bench = Bench::new();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1] {
        let mut running = probe(&bench, &["catch"]).start();
        running.wait_for("ready");
        running.signal(signal);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(40), "{outcome}");
        outcome.says(&format!("caught {signal}"));
    }
}

#[test]
fn what_can_not_be_executed_is_127_or_126_in_one_line() {
    let bench = Bench::new();
    let bundle = integration::plain::bundle(&bench, "plain", &["true"]);
    let broken = bundle.rootfs().join("bin/broken");
    program::write(&broken, "\x7fELF but not really");
    let plain = bundle.rootfs().join("bin/data");
    fs::write(&plain, "data").expect("write");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).expect("chmod");
    let dangling = bundle.rootfs().join("bin/script");
    program::write(&dangling, "#!/no/such/interpreter\n");
    for (name, code, text) in [
        ("nothere", 127, "executable file not found in"),
        ("/bin/nothere", 127, "no such file or directory"),
        ("", 127, "executable file not found in"),
        ("/bin", 126, "permission denied: it is a directory"),
        ("/bin/data", 126, "permission denied"),
        ("data", 126, "permission denied"),
        ("/bin/broken", 126, "exec format error"),
        ("/bin/script", 126, "interpreter"),
        ("/bin/data/x", 127, "no such file or directory"),
    ] {
        bundle.edit(|spec| spec["process"]["args"] = json!([name]));
        let outcome = bundle.run(&bench).run();
        assert_eq!(outcome.code, Some(code), "{name:?}: {outcome}");
        assert!(
            outcome.one_line().to_lowercase().contains(text),
            "{name:?}: {outcome}"
        );
        bench.assert_nothing_left_by(&outcome);
    }
}

#[test]
fn input_goes_in_and_output_comes_out_unchanged() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
    let outcome = shell(&bench, "cat; echo done >&2")
        .input(bytes.clone())
        .expect(0);
    assert!(
        outcome.stdout.as_bytes() == bytes,
        "{} bytes",
        outcome.stdout.len()
    );
    assert_eq!(outcome.stderr, "done\n");
}

#[test]
fn output_streams_as_it_comes() {
    let bench = Bench::new();
    let mut running = shell(&bench, "echo first; read line; echo got $line").start();
    // The command waits for input now, so a line that is held back until its end would never come.
    running.wait_for("first");
    running.write(b"second\n");
    running.wait_for("got second");
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn the_command_has_default_signals_and_an_empty_mask() {
    let bench = Bench::new();
    let mut tool = probe(&bench, &["look"]);
    // SAFETY: between fork and exec only system calls are made, which allocate nothing.
    unsafe { tool.command().pre_exec(ignore_and_block) };
    let status = &Probe::report(&tool.run())["status"];
    assert_eq!(status["SigBlk"], "0000000000000000");
    // Rust's own start ignores SIGPIPE in the probe, so that one is asked of busybox.
    let ignored = status["SigIgn"].as_str().expect("a mask");
    assert_eq!(
        u64::from_str_radix(ignored, 16).expect("hex") & !0x1000,
        0,
        "{ignored}"
    );
    // The shell itself ignores SIGQUIT (4).
    shell(&bench, "grep SigIgn /proc/self/status")
        .expect(0)
        .says("SigIgn:\t0000000000000004");
}

fn ignore_and_block() -> std::io::Result<()> {
    use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
    for number in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGUSR2,
        Signal::SIGPIPE,
    ] {
        // SAFETY: ignoring a signal runs no code.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None)?;
    Ok(())
}

#[test]
fn the_callers_umask_does_not_matter() {
    let bench = Bench::new();
    let mut tool = shell(&bench, "umask; echo x > made; ls -l made");
    // SAFETY: between fork and exec only one system call is made, which allocates nothing.
    unsafe {
        tool.command().pre_exec(|| {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
            Ok(())
        });
    }
    tool.expect(0).says("0022").says("-rw-r--r--");
}

/// Runs a shell script in a sandbox, the redirection done by the caller's own shell.
fn redirected(bench: &Bench, script: &str, redirection: &str) -> Outcome {
    let project = bench.directory("project");
    let config = bench.config(&json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }]));
    let line = format!(
        "exec {} run --root {} --config {} busybox sh -c '{script}' {redirection}",
        integration::opt_server().display(),
        bench.root().display(),
        config.display(),
    );
    Tool::new("sh")
        .args(["-c", &line])
        .current_dir(&project)
        .run()
}

#[test]
fn a_caller_who_ignores_ended_children_has_a_command_as_others() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let config = bench.config(&json!([{ "name": "busybox", "executable": "/usr/bin/busybox" }]));
    let words = ["sh", "-c", "true; exit 3"];
    let tool = Tool::new(integration::opt_server()).args(["run", "--root"]);
    let tool = tool.arg(bench.root()).arg("--config").arg(&config);
    let tool = tool.arg("busybox").args(words).current_dir(&project);
    tool.ignoring_ended_children().expect(3);
    let bundle = integration::plain::bundle(&bench, "image", &words);
    bundle.run(&bench).ignoring_ended_children().expect(3);
    bench.assert_no_orphans();
}

#[test]
fn output_to_dev_null_can_be_written() {
    let bench = Bench::new();
    let script = "echo out; a=$?; echo err >&2; echo $a $? > codes";
    for redirection in [
        ">/dev/null",
        "2>/dev/null",
        ">/dev/null 2>&1",
        "<>/dev/null >&0",
    ] {
        redirected(&bench, script, redirection);
        let codes = fs::read_to_string(bench.path("project/codes")).expect("the codes");
        assert_eq!(codes, "0 0\n", "{redirection}");
    }
}

#[test]
fn closed_standard_descriptors_are_null_and_nothing_else() {
    let bench = Bench::new();
    let look = "for n in 0 1 2; do readlink /proc/self/fd/$n; done > seen; cat >> seen; \
                echo out; a=$?; echo err >&2; echo $a $? >> seen";
    for closing in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        redirected(&bench, look, closing);
        let seen = fs::read_to_string(bench.path("project/seen")).expect("what it saw");
        assert!(
            !seen.contains("state") && !seen.contains(".json"),
            "{closing}: {seen}"
        );
        assert!(seen.ends_with("\n0 0\n"), "{closing}: {seen}");
    }
}

/// The processes of the tree under `pid`, itself first, that have `path` open.
fn holders(pid: i32, path: &Path) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    let holds = open
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| target == path);
    let below = children.expect("its children");
    let below = below.split_whitespace().filter_map(|pid| pid.parse().ok());
    holds
        .then_some(pid)
        .into_iter()
        .chain(below.flat_map(|child| holders(child, path)))
        .collect()
}

/// A supervisor that held on to it would keep a pipe's reader waiting for its end, and a lost terminal from being lost.
#[test]
fn what_the_caller_had_left_open_is_held_by_nobody() {
    let bench = Bench::new();
    let kept = bench.path("kept");
    let script = format!("exec 9>{}; \"$@\"; exit $?", kept.display());
    let mut running = probe(&bench, &["hold"])
        .within("sh", &["-c", &script, "sh"])
        .start();
    running.wait_for("ready");
    assert_eq!(holders(running.pid(), &kept), [running.pid()]);
    let command = command_of(running.pid()).expect("the command's process");
    assert_ne!(command, running.pid());
}

#[test]
fn many_arguments_and_variables_come_through() {
    let bench = Bench::new();
    let many: Vec<String> = (0..20_000).map(|n| format!("argument-{n}")).collect();
    let words: Vec<&str> = std::iter::once("count")
        .chain(many.iter().map(String::as_str))
        .collect();
    let bundle = integration::plain::bundle(&bench, "plain", &[]);
    bundle.edit(|spec| {
        spec["process"]["args"] =
            json!(["/bin/busybox", "sh", "-c", "echo $#; env | grep -c ^V", "x"]);
        let arguments = spec["process"]["args"].as_array_mut().expect("a list");
        arguments.extend(words.iter().map(|word| Value::from(*word)));
        spec["process"]["env"] = (0..10_000).map(|n| format!("V{n}={n}")).collect();
    });
    bundle.run(&bench).expect(0).says("20001\n10000\n");
    shell(&bench, "echo $#")
        .args(["x"])
        .args(&many)
        .expect(0)
        .says("20000\n");
}

#[test]
fn a_log_that_can_not_be_opened_is_told_before_anything_is_done() {
    let bench = Bench::new();
    let bundle = integration::plain::bundle(&bench, "plain", &["echo", "ran"]);
    let tool = bundle.run(&bench).args(["--log", "/nowhere/log"]);
    bench.assert_refused(&tool.run(), "/nowhere/log");
}

#[test]
fn errors_go_to_the_log_as_engines_read_it() {
    let bench = Bench::new();
    let bundle = integration::plain::bundle(&bench, "plain", &["nothere"]);
    let log = bench.path("log");
    let tool = bundle
        .run(&bench)
        .args(["--log-format", "json", "--log"])
        .arg(&log);
    let outcome = tool.expect(127);
    let line: Value =
        serde_json::from_slice(&fs::read(&log).expect("a log")).expect("one line of JSON");
    assert_eq!(line["level"], "error");
    let message = line["msg"].as_str().expect("a message");
    assert!(outcome.stderr.contains(message), "{outcome}");
    assert!(Path::new(&log).exists());
}
