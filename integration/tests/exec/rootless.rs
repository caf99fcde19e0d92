//! An ordinary user's `exec` into his own container.

use std::fs;

use integration::{Ordinary, Session, Tool};

/// Nobody's uid on any host that tests run on; the kernel needs no account.
const USER: u32 = 54_321;

/// A user's running container.
struct Running {
    user: Ordinary,
    id: String,
}

impl Running {
    fn new(name: &str) -> Self {
        let user = Ordinary::new(USER, &["sh", "-c", "while :; do sleep 1; done"]);
        user.bundle.edit(|spec| {
            let devpts = serde_json::json!({
                "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
            });
            spec["mounts"].as_array_mut().expect("mounts").push(devpts);
        });
        let id = format!("{name}-{}", std::process::id());
        user.create(&[], &id);
        user.runtime().args(["start", &id]).expect(0);
        Self { user, id }
    }

    fn exec(&self, options: &[&str], words: &[&str]) -> Tool {
        let tool = self.user.runtime().arg("exec").args(options);
        tool.arg(&self.id).args(words)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let delete = self.user.runtime().args(["delete", "--force", &self.id]);
        let _ = delete.run();
    }
}

#[test]
fn the_command_is_in_all_of_the_containers_namespaces() {
    let container = Running::new("rootless-exec");
    let pid = container.user.state(&container.id)["pid"].to_string();
    for kind in ["user", "mnt", "pid", "ipc", "uts", "net"] {
        let theirs = fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("read");
        let path = format!("/proc/self/ns/{kind}");
        let own = container.exec(&[], &["sh", "-c", &format!("readlink {path}")]);
        assert_eq!(own.expect(0).stdout.trim(), theirs.display().to_string());
    }
    let map = container
        .exec(&[], &["cat", "/proc/self/uid_map"])
        .expect(0);
    let map: Vec<&str> = map.stdout.split_whitespace().collect();
    assert_eq!(map, ["0", "54321", "1"]);
}

#[test]
fn codes_and_output_come_out() {
    let container = Running::new("rootless-codes");
    let outcome = container.exec(&[], &["sh", "-c", "echo out; echo err >&2; exit 5"]);
    let outcome = outcome.expect(5);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("out\n", "err\n")
    );
    container.exec(&[], &["/no/such/command"]).expect(127);
    container.exec(&[], &["sh", "-c", "kill -9 $$"]).expect(137);
    let input = container
        .exec(&[], &["cat"])
        .input("from outside")
        .expect(0);
    assert_eq!(input.stdout, "from outside");
}

#[test]
fn a_terminal() {
    let container = Running::new("rootless-terminal");
    let tool = container.exec(&["--tty"], &["sh"]);
    let mut session = Session::start(tool, 33, 99);
    session
        .types("test -t 0 && test -t 1 && test -t 2 && echo a term''inal\n")
        .waits_for("a terminal")
        .types("exit 3\n");
    assert_eq!(session.status().code(), Some(3));
}

#[test]
fn another_users_container_is_a_closed_door() {
    let container = Running::new("rootless-other");
    let uid = (USER + 1).to_string();
    let other = container.exec(&[], &["true"]).within(
        "setpriv",
        &["--reuid", &uid, "--regid", &uid, "--clear-groups"],
    );
    let outcome = other.run();
    assert_ne!(outcome.code, Some(0), "{outcome}");
}
