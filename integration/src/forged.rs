//! Containers' state as a hostile user could have written it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Bench, Tool, opt_runtime, plain};

/// The forged container's id.
pub const ID: &str = "c1";

/// A process that sleeps, for a forged state to name. Killed when dropped.
#[derive(Debug)]
pub struct Victim(Child);

impl Victim {
    /// Root's.
    pub fn roots() -> Self {
        Self::of(0)
    }

    /// An ordinary user's.
    pub fn of(uid: u32) -> Self {
        let mut sleep = Command::new("sleep");
        Self(sleep.arg("300").uid(uid).spawn().expect("start sleep"))
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// When it started: field 22 of proc(5)'s stat. The command's name holds no space.
    pub fn start_time(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("stat");
        let field = stat.split(' ').nth(21).expect("a start time");
        field.parse().expect("a number")
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("wait").is_none()
    }

    /// Whether it ends soon: a signal that was sent may take a moment.
    pub fn dies(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.is_alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        !self.is_alive()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A state directory with one container, [`ID`], whose files a user wrote.
#[derive(Debug)]
pub struct Forged<'a> {
    bench: &'a Bench,
    /// The state directory.
    pub store: PathBuf,
    owner: u32,
}

impl<'a> Forged<'a> {
    /// What a real container's directory holds, with a running `victim` for its process, in a store of
    /// `owner`'s.
    pub fn new(bench: &'a Bench, owner: u32, victim: &Victim) -> Self {
        let store = bench.directory(&format!("store-of-{owner}"));
        let forged = Self {
            bench,
            store,
            owner,
        };
        copy_of_a_real_one(bench, &forged);
        forged.edit(|state| {
            state["status"] = json!("running");
            state["process"]["pid"] = json!(victim.pid());
            state["process"]["start_time"] = json!(victim.start_time());
        });
        forged.give();
        forged
    }

    /// The container's directory.
    pub fn directory(&self) -> PathBuf {
        self.store.join(ID)
    }

    /// The file that says what the container is.
    pub fn state(&self) -> PathBuf {
        self.directory().join("state.json")
    }

    /// Makes the owner the owner of all that is in the store, and of the store.
    fn give(&self) {
        for path in [self.store.clone(), self.directory()] {
            chown(&path, Some(self.owner), None).expect("chown");
        }
        for entry in fs::read_dir(self.directory()).expect("read").flatten() {
            chown(entry.path(), Some(self.owner), None).expect("chown");
        }
    }

    /// Changes the state.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let text = fs::read(self.state()).expect("read the state");
        let mut state = serde_json::from_slice(&text).expect("it is JSON");
        change(&mut state);
        fs::write(self.state(), state.to_string()).expect("write the state");
    }

    /// `opt-runtime` as root on this store.
    pub fn runtime(&self, arguments: &[&str]) -> Tool {
        on(&self.store, self.bench).args(arguments)
    }

    /// Fails unless `opt-runtime` as root on this store refuses the command in a line that holds `why`.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str], why: &str) {
        self.runtime(arguments).run().refused(why);
    }
}

/// `opt-runtime` on another state directory than the bench's.
pub fn on(store: &Path, bench: &Bench) -> Tool {
    Tool::new(opt_runtime())
        .arg("--root")
        .arg(store)
        .current_dir(&bench.path(""))
}

/// Fills the container's directory with that of one that was really created, and is deleted again.
fn copy_of_a_real_one(bench: &Bench, forged: &Forged<'_>) {
    let name = format!("bundle-of-{}", forged.owner);
    let bundle = plain::bundle(bench, &name, &["sleep", "300"]);
    let to = forged.directory();
    bundle.create(bench, ID).quietly().expect(0);
    fs::create_dir_all(&to).expect("make a directory");
    fs::set_permissions(&to, Permissions::from_mode(0o700)).expect("chmod");
    for name in ["state.json", "config.json", "lock"] {
        fs::copy(bench.root().join(ID).join(name), to.join(name)).expect("copy");
    }
    bench.runtime().args(["delete", "--force", ID]).expect(0);
}
