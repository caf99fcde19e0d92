//! How containers end, and that nothing stays of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use integration::{host, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Home;
use crate::site::SOON;

#[test]
fn the_commands_code_and_signal_are_told() {
    let home = Home::new("");
    for (script, code) in [
        ("exit 0", 0),
        ("exit 42", 42),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
        ("exec nosuch", 127),
    ] {
        let outcome = home.script(&[], script);
        assert_eq!(outcome.code, Some(code), "{outcome}");
    }
    home.shifter("plain").arg("nosuch").expect(127);
    home.shifter("plain").arg("/etc/passwd").expect(126);
}

/// An image that a program serves.
fn packed() -> (Home, PathBuf) {
    let home = Home::new("");
    home.site.image("packed", "squashfs");
    let file = home.site.path("images/packed.squashfs");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    (home, file)
}

/// Ctrl-C, and a batch system's signal to every process of a job.
#[test]
fn a_signal_reaches_the_command_and_not_who_serves_its_image() {
    let (home, file) = packed();
    let script = "trap 'ls /usr && exit 5' TERM; echo ready; while :; do sleep 1 & wait $!; done";
    let tool = home.shifter("packed").args(["sh", "-c", script]);
    let mut running = tool.start();
    running.wait_for("ready");
    let servers = home.servers(&file);
    assert_eq!(servers.len(), 1);
    let server = Pid::from_raw(servers[0].parse().expect("a pid"));
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ] {
        kill(server, signal).expect("kill");
    }
    running.signal(Signal::SIGTERM as i32);
    let outcome = running.finish();
    assert_eq!(outcome.code, Some(5), "{outcome}");
    home.assert_nothing_left(&outcome);
    home.assert_no_server(&file);
}

/// `nohup`: neither the signal from the terminal nor what is passed on ends the command.
#[test]
fn what_the_caller_ignores_does_not_end_the_command() {
    let home = Home::new("");
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 1 & wait $!; done";
    let tool = home.user("1234", "trap '' HUP").arg("--image=plain");
    let mut running = tool.args(["sh", "-c", script]).start();
    running.wait_for("ready");
    // Of two that wait, the lower number is passed on first.
    running.signal(Signal::SIGHUP as i32);
    running.signal(Signal::SIGTERM as i32);
    let outcome = running.finish();
    assert_eq!(outcome.code, Some(5), "{outcome}");
    home.assert_nothing_left(&outcome);
}

#[test]
fn nothing_is_left_after_kill_9() {
    let (home, file) = packed();
    let script = "echo ready; sleep 1000";
    let mut running = home.shifter("packed").args(["sh", "-c", script]).start();
    running.wait_for("ready");
    assert_eq!(home.servers(&file).len(), 1);
    running.signal(Signal::SIGKILL as i32);
    let outcome = running.finish();
    assert_eq!(outcome.code, None, "{outcome}");
    wait_until("its state is gone", SOON, || {
        host::names_in(&home.state()).is_empty()
    });
    wait_until("the command is gone", SOON, || {
        let place = home.site.path("").display().to_string();
        host::processes(|command| command.contains(&place)).is_empty()
    });
    home.assert_no_server(&file);
    home.assert_nothing_left(&outcome);
}
