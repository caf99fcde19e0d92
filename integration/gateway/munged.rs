//! A real munged of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use integration::{Bench, Tool, require_program, wait_until};

use crate::serving::SOON;

/// Killed when dropped.
#[derive(Debug)]
pub struct Munged {
    child: Child,
    pub socket: PathBuf,
}

impl Munged {
    pub fn start(bench: &Bench) -> Self {
        require_program("/usr/sbin/munged", "munge");
        let directory = bench.directory("munge");
        let (run, private) = (
            bench.directory("munge/run"),
            bench.directory("munge/private"),
        );
        let key = private.join("key");
        Tool::new("dd")
            .args(["if=/dev/urandom", "bs=128", "count=1", "status=none"])
            .arg(format!("of={}", key.display()))
            .expect(0);
        Tool::new("chown")
            .args(["-R", "munge:munge"])
            .arg(&directory)
            .expect(0);
        fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).expect("chmod");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("chmod");
        let socket = run.join("socket");
        let path = |option: &str, path: &Path| format!("--{option}={}", path.display());
        let child = Command::new("setpriv")
            .args(["--reuid", "munge", "--regid", "munge", "--clear-groups"])
            .args(["munged", "--foreground", "--num-threads=2"])
            .arg(path("key-file", &key))
            .arg(path("socket", &socket))
            .arg(path("pid-file", &run.join("pid")))
            .arg(path("log-file", &private.join("log")))
            .arg(path("seed-file", &private.join("seed")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start munged");
        let munged = Self { child, socket };
        wait_until("munged answers", SOON, || {
            munged.tool("munge", 0).args(["--no-input"]).run().code == Some(0)
        });
        munged
    }

    /// `munge` or `unmunge` of this munged, as a user.
    pub fn tool(&self, program: &str, uid: u32) -> Tool {
        let uid = uid.to_string();
        Tool::new("setpriv")
            .args(["--reuid", &uid, "--regid", &uid, "--clear-groups", program])
            .arg(format!("--socket={}", self.socket.display()))
    }

    /// A credential of a user's, with this payload.
    #[track_caller]
    pub fn credential(&self, uid: u32, payload: &str, options: &[&str]) -> String {
        let outcome = self
            .tool("munge", uid)
            .args(["--string", payload])
            .args(options)
            .expect(0);
        outcome.stdout.trim().to_owned()
    }
}

impl Drop for Munged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
