//! How containers end, and that nothing stays of them.

use integration::{host, wait_until};
use nix::sys::signal::Signal;

use crate::site::{SOON, Site};

#[test]
fn the_commands_code_and_signal_are_told() {
    let site = Site::new("");
    for (script, code) in [
        ("exit 0", 0),
        ("exit 42", 42),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
    ] {
        let outcome = site.script(&[], script);
        assert_eq!(outcome.code, Some(code), "{outcome}");
    }
}

#[test]
fn a_signal_reaches_the_command() {
    let site = Site::new("");
    let script = "trap 'exit 5' TERM; echo ready; while :; do sleep 1 & wait $!; done";
    let mut running = site.shifter().args(["sh", "-c", script]).start();
    running.wait_for("ready");
    running.signal(Signal::SIGTERM as i32);
    let outcome = running.finish();
    assert_eq!(outcome.code, Some(5), "{outcome}");
    site.assert_nothing_left(&outcome);
}

/// As of a program that executes the command: `nohup`, and a shell's `&`.
#[test]
fn what_the_caller_ignores_the_command_ignores() {
    let site = Site::new("");
    for (prepare, ignored) in [
        ("", "0000000000000000"),
        ("trap '' HUP", "0000000000000001"),
        ("trap '' INT QUIT", "0000000000000006"),
        // Those two never: Rust's own, and what nobody could wait for a child with.
        ("trap '' CHLD PIPE", "0000000000000000"),
    ] {
        let tool = site.shifter().args(["grep", "SigIgn", "/proc/self/status"]);
        let outcome = tool.after(prepare).expect(0);
        assert_eq!(outcome.stdout, format!("SigIgn:\t{ignored}\n"), "{prepare}");
        site.assert_nothing_left(&outcome);
    }
}

/// Whose children leave no word behind: nothing could be waited for.
#[test]
fn a_caller_who_ignores_ended_children_has_a_container_as_others() {
    let site = Site::new("");
    site.image("packed", "squashfs");
    let tool = site.tool("", "1234:1234");
    let tool = tool.args(["--image=packed", "sh", "-c", "true; exit 3"]);
    let outcome = tool.ignoring_ended_children().expect(3);
    site.assert_nothing_left(&outcome);
}

/// SIGKILL can't be seen coming: the mounts are in a namespace that goes with its last process.
#[test]
fn nothing_is_left_after_kill_9() {
    let site = Site::new("");
    let mut running = site
        .shifter()
        .args(["sh", "-c", "echo ready; sleep 1000"])
        .start();
    running.wait_for("ready");
    running.signal(Signal::SIGKILL as i32);
    let outcome = running.finish();
    assert_eq!(outcome.code, None, "{outcome}");
    wait_until("its state is gone", SOON, || {
        site.bench.state_names().is_empty()
    });
    wait_until("the command is gone", SOON, || {
        let place = site.path("").display().to_string();
        host::processes(|command| command.contains(&place)).is_empty()
    });
    site.assert_nothing_left(&outcome);
}

#[test]
fn two_containers_at_once_do_not_see_each_other() {
    let site = Site::new("");
    let mut first = site
        .shifter()
        .args(["-V/home/user:/first", "sh", "-c", "echo ready; sleep 1000"])
        .start();
    first.wait_for("ready");
    let second = site
        .shifter()
        .args(["-V/home/user:/second", "ls", "/"])
        .expect(0);
    assert!(
        second.stdout.contains("second") && !second.stdout.contains("first"),
        "{second}"
    );
    first.signal(Signal::SIGTERM as i32);
    let outcome = first.finish();
    site.assert_nothing_left(&outcome);
}
