//! What systemd gives every user who is logged in: the cgroup of his own manager, with the controllers that it
//! delegates, and that manager's units.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::{Ordinary, Tool, cgroup, is_by_systemd};
use serde_json::{Value, json};

/// A manager starts in seconds; in an emulated machine in a minute.
const PATIENCE: Duration = Duration::from_secs(180);

const FORK: &str = "cat /proc/self/cgroup; for i in 1 2 3 4 5 6 7 8 9; do sleep 2 & done; wait";

/// A user whose manager runs. Both are gone when it is dropped.
struct Account {
    name: String,
    uid: u32,
}

impl Account {
    fn new() -> Self {
        let name = format!("opt-login-{}", std::process::id());
        Tool::new("useradd")
            .args(["--no-create-home", "--shell", "/bin/sh", &name])
            .expect(0);
        let mut account = Self { name, uid: 0 };
        let told = Tool::new("id").args(["-u", &account.name]).expect(0);
        account.uid = told.stdout.trim().parse().expect("a uid");
        Tool::new("systemctl")
            .args(["start", &account.manager()])
            .limit(PATIENCE)
            .expect(0);
        account
    }

    fn manager(&self) -> String {
        format!("user@{}.service", self.uid)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.uid != 0 {
            let stop = Tool::new("systemctl").args(["stop", &self.manager()]);
            let _ = stop.limit(PATIENCE).run();
        }
        let _ = Tool::new("userdel").arg(&self.name).run();
    }
}

/// A user with a cgroup below its manager's for processes of this test. Dropped in this order.
struct LoggedIn {
    mine: Ordinary,
    _own: Own,
    _account: Account,
}

/// A cgroup, gone when dropped.
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl LoggedIn {
    fn new() -> Self {
        let account = Account::new();
        let (uid, unit) = (account.uid, account.manager());
        let mut mine = Ordinary::new(uid, &["sh", "-c", FORK]);
        let manager = format!("user.slice/user-{uid}.slice/{unit}/test.scope");
        let own = Own(cgroup::mount_point("").expect("version 2").join(manager));
        fs::create_dir(&own.0).expect("make a cgroup");
        for file in ["", "cgroup.procs"] {
            chown(own.0.join(file), Some(uid), Some(uid)).expect("chown");
        }
        mine.cgroups = vec![own.0.clone()];
        Self {
            mine,
            _own: own,
            _account: account,
        }
    }

    fn runtime(&self) -> Tool {
        let directory = format!("/run/user/{}", self.mine.uid);
        self.mine.runtime().env("XDG_RUNTIME_DIR", &directory)
    }
}

fn finding(outcome: &str, name: &str) -> Value {
    let told: Value = serde_json::from_str(outcome).expect("JSON");
    let findings = told["findings"].as_array().expect("findings");
    findings
        .iter()
        .find(|finding| finding["name"] == name)
        .expect("the finding")
        .clone()
}

/// One user for all: his manager takes its time to start.
#[test]
fn limits_hold_in_the_users_own_tree() {
    if !is_by_systemd() || !cgroup::is_v2() || !Path::new("/run/systemd/system").exists() {
        return cgroup::skip("no systemd with version 2");
    }
    let user = LoggedIn::new();
    user.mine.bundle.edit(|spec| {
        spec["linux"]["resources"] =
            json!({ "pids": { "limit": 5 }, "memory": { "limit": 64 << 20 } });
    });
    let bundle = &user.mine.bundle.directory;
    let tree = format!("user@{}.service/", user.mine.uid);

    let doctor = user
        .runtime()
        .args(["doctor", "--json", "--directory", "/"])
        .run();
    for name in ["cgroups", "systemd"] {
        assert_eq!(finding(&doctor.stdout, name)["verdict"], "ok", "{doctor}");
    }

    for (manager, unit) in [("cgroupfs", "opt-runtime-"), ("systemd", ".scope")] {
        let run = user
            .runtime()
            .args(["--cgroup-manager", manager, "run"])
            .arg(bundle);
        let outcome = run.limit(PATIENCE).run();
        assert!(
            outcome.stderr.contains("can't fork"),
            "{manager}: {outcome}"
        );
        let path = outcome
            .stdout
            .lines()
            .find(|line| line.starts_with("0::"))
            .unwrap_or_default();
        assert!(
            path.contains(&tree) && path.contains(unit),
            "{manager}: {outcome}"
        );
        assert!(!path.contains("test.scope"), "{manager}: {outcome}");
        user.mine.assert_nothing_left();
    }

    // A scope in a slice of his manager's, as podman names it.
    user.mine.bundle.edit(|spec| {
        spec["linux"]["cgroupsPath"] = json!("user.slice:opt:logged-in");
        spec["process"]["args"] = json!(["sh", "-c", "exec tail /dev/zero"]);
    });
    let run = user
        .runtime()
        .args(["--cgroup-manager", "systemd", "run"])
        .arg(bundle);
    let outcome = run.limit(PATIENCE).expect(137);
    assert!(outcome.stderr.contains("want of memory"), "{outcome}");
    user.mine.assert_nothing_left();
}
