//! Tests for which systemd must be the first process.

use std::path::Path;
use std::time::Duration;

use crate::{Tool, cgroup, opt_server, skip};

/// Where it is, if it is the first process.
const RUNNING: &str = "/run/systemd/system";

const SYSTEMD: &str = "/lib/systemd/systemd";

/// A watchdog: it starts in a second, but one at a time.
const PATIENCE: Duration = Duration::from_secs(400);

/// Runs `test`, the calling test's body, under this machine's systemd; or this test once more under one of its own, in a
/// namespace, which `hack/with-systemd` starts. Nothing of it is the machine's but the kernel.
pub fn under_systemd(test: impl FnOnce()) {
    if Path::new(RUNNING).exists() {
        return test();
    }
    if !Path::new(SYSTEMD).exists() {
        return skip("there is no systemd");
    }
    if ["", "name=systemd"].map(cgroup::mount_point) == [None, None] {
        return cgroup::skip("no hierarchy for systemd is mounted");
    }
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hack/with-systemd");
    let own = std::env::current_exe().expect("the path of this program");
    let products = opt_server();
    let products = products.parent().expect("a directory").display();
    // The name of its thread is the test's.
    let thread = std::thread::current();
    Tool::new(starter)
        .args(["env", &format!("OPT_BIN_DIR={products}")])
        .arg(own)
        .args(["--nocapture", "--exact", thread.name().expect("a test")])
        .limit(PATIENCE)
        .expect(0)
        .says("1 passed");
}
