//! A hostile task beside others of its program that are being made.

use std::fs;

use super::Home;

/// So often a task is made beside one that looks at it all the time.
const STARTS: usize = 30;

/// CVE-2016-9962: until it executes its command, a container's first process has the runtime's files open, and before that
/// the host's root.
#[test]
fn a_neighbour_reaches_nothing_through_a_task_that_is_being_made() {
    let home = Home::new("");
    // Every directory that any process has open, and every root and working directory in which the host's programs are.
    let look = "echo ready; while [ ! -e /home/user/stop ]; do \
                  ls -d /proc/[0-9]*/fd/*/. /proc/[0-9]*/root/usr/bin /proc/[0-9]*/cwd/usr/bin 2>/dev/null; \
                done; echo over";
    let mut neighbour = home.task("0", look).start();
    neighbour.wait_for("ready");
    for _ in 0..STARTS {
        home.task("0", "true").expect(0);
    }
    fs::write(home.site.path("home/user/stop"), "").expect("stop it");
    let outcome = neighbour.finish();
    assert_eq!(outcome.stdout, "ready\nover\n", "{outcome}");
    home.assert_nothing_left_of(&outcome);
}
