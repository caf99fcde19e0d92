//! Containers whose state isn't what it should be, and commands that don't fit it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use integration::{Bench, Container, Runtime, host, plain, wait_until};
use std::time::Duration;

use super::refusal::Refusals;

/// Every command that reads a container's state, with the code of its refusals.
const READERS: [(&str, i32); 9] = [
    ("state", 1),
    ("start", 1),
    ("kill", 1),
    ("delete", 1),
    ("pause", 1),
    ("ps", 1),
    ("events --stats", 1),
    ("update --memory 64M", 1),
    ("exec", 125),
];

fn refuse(refusals: &mut Refusals<'_>, id: &str, name: &str, says: &str) {
    for (command, code) in READERS {
        refusals.expect(&format!("{command}: {name}"), code, says, |tool| {
            let tool = tool.args(command.split(' ')).arg(id);
            if command == "exec" {
                return tool.arg("true");
            }
            tool
        });
    }
}

/// A container that runs, and its state file.
fn running(bench: &Bench) -> (Container<'_>, PathBuf) {
    let bundle = plain::bundle(bench, "bundle", &["sleep", "1000"]);
    let container = Container::started(bench, Runtime::Ours, &bundle);
    let state = bench.root().join(&container.id).join("state.json");
    (container, state)
}

#[test]
fn a_state_that_is_damaged_is_named_and_its_container_can_be_deleted() {
    let bench = Bench::new();
    let (container, state) = running(&bench);
    let whole = fs::read(&state).expect("a state");
    let text = String::from_utf8(whole.clone()).expect("text");
    let mut refusals = Refusals::on(&bench);
    let mut damage = |name: &str, content: &[u8], says: &str| {
        fs::write(&state, content).expect("write");
        refuse(&mut refusals, &container.id, name, says);
    };
    damage("empty", b"", "state.json: the file is empty");
    damage(
        "truncated",
        &whole[..whole.len() / 2],
        "state.json: not JSON",
    );
    damage("not JSON", b"\x7fELF", "state.json: not JSON");
    damage("an object", b"{}", "state.json: id: it is missing");
    let typed = text.replace("\"status\":\"running\"", "\"status\":\"dancing\"");
    damage(
        "a status",
        typed.as_bytes(),
        "state.json: status: expected one of",
    );
    let other = text.replace(&container.id, "another");
    damage(
        "another's",
        other.as_bytes(),
        "state.json: it is \"another\"'s",
    );
    fs::write(&state, &whole).expect("write");
    fs::set_permissions(
        state.parent().expect("a directory"),
        Permissions::from_mode(0o777),
    )
    .expect("chmod");
    refuse(
        &mut refusals,
        &container.id,
        "shared",
        "others than its owner can write to it",
    );
    fs::set_permissions(
        state.parent().expect("a directory"),
        Permissions::from_mode(0o700),
    )
    .expect("chmod");
    refusals.end();
    assert_eq!(container.state()["status"], "running");
}

#[test]
fn a_wreck_is_deleted_by_force() {
    let bench = Bench::new();
    for wreck in ["empty", "truncated", "a directory", "a link", "gone"] {
        let (container, state) = running(&bench);
        let pid = container.pid();
        let whole = fs::read(&state).expect("a state");
        fs::remove_file(&state).expect("remove");
        match wreck {
            "empty" => fs::write(&state, "").expect("write"),
            "truncated" => fs::write(&state, &whole[..20]).expect("write"),
            "a directory" => fs::create_dir(&state).expect("a directory"),
            "a link" => symlink("/etc/passwd", &state).expect("a link"),
            _ => {}
        }
        bench
            .runtime()
            .args(["delete", "--force", &container.id])
            .expect(0);
        assert_eq!(bench.state_names(), [""; 0], "{wreck}");
        // The state said which processes and cgroups are the container's; without it nobody knows any more.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
        wait_until("the cgroup is free", Duration::from_secs(10), || {
            for cgroup in host::cgroups_of(&container.id) {
                let _ = fs::remove_dir(cgroup);
            }
            host::cgroups_of(&container.id).is_empty()
        });
        assert!(PathBuf::from("/etc/passwd").exists());
        fs::remove_dir_all(bench.path("bundle")).expect("remove the bundle");
    }
}

#[test]
fn a_command_that_does_not_fit_the_status_says_so() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["sleep", "1000"]);
    let created = Container::created(&bench, Runtime::Ours, &bundle);
    let running = Container::started(&bench, Runtime::Ours, &bundle);
    let stopped = Container::started(&bench, Runtime::Ours, &bundle);
    stopped.command("kill", &["KILL"]).expect(0);
    wait_until("it stops", Duration::from_secs(20), || {
        stopped.state()["status"] == "stopped"
    });
    let mut refusals = Refusals::on(&bench);
    for (command, container, code, says) in [
        ("start", &running, 1, "is running"),
        ("start", &stopped, 1, "is stopped"),
        ("kill", &stopped, 1, "container not running"),
        ("delete", &running, 1, "is running"),
        ("delete", &created, 1, "is created"),
        ("pause", &stopped, 1, "is stopped"),
        ("resume", &running, 1, "is running"),
        ("resume", &stopped, 1, "is stopped"),
        ("exec", &stopped, 125, "cannot exec in a stopped container"),
    ] {
        refusals.expect(&format!("{command}, {says}"), code, says, |tool| {
            let tool = tool.args([command, &container.id]);
            if command == "exec" {
                return tool.arg("true");
            }
            tool
        });
    }
    refusals.end();
    for (container, status) in [
        (&created, "created"),
        (&running, "running"),
        (&stopped, "stopped"),
    ] {
        assert_eq!(container.state()["status"], status);
    }
}
