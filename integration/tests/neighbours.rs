//! Two sandboxes at once, and a sandbox and the host: neither sees the other, even as the same user.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

use integration::{Bench, Probe, Tool};
use serde_json::json;

/// One identity for both, so that it is not the ids that keep them apart.
const SLOT: u32 = 4_190_001;

#[test]
fn two_sandboxes_share_no_memory_no_socket_no_file_and_no_process() {
    let bench = Bench::new();
    let command = Probe::on(&bench).command();
    let project = bench.directory("project");
    let holder = bench.sealed_for("holder", &command, &["hold"], &project, SLOT);
    let seeker = bench.sealed_for("seeker", &command, &["meet"], &project, SLOT);
    let mut held = holder.run(&bench).start();
    held.wait_for("ready");
    let report = Probe::report(&seeker.run(&bench).run());
    // Its own processes: the first one, which is the runtime's, and the command.
    assert_eq!(
        report,
        json!({
            "shm": "ENOENT", "tmp": "ENOENT", "abstract": "ECONNREFUSED", "sysv": "ENOENT",
            "processes": 2,
        })
    );
    let address = SocketAddr::from_abstract_name("opt-integration-meeting").expect("an address");
    assert!(
        UnixStream::connect_addr(&address).is_err(),
        "the host reaches it"
    );
    assert!(!std::path::Path::new("/dev/shm/opt-integration-meeting").exists());
    assert_eq!(held.finish().code, Some(0));
}

#[test]
fn the_same_two_do_meet_outside_of_sandboxes() {
    let probe = integration::probe_path();
    // In ipc, network and mount namespaces of this test's own, which end with it.
    let script = format!(
        "mount -t tmpfs none /dev/shm && mount -t tmpfs none /tmp && mkfifo /tmp/wait && \
         {{ {0} hold < /tmp/wait > /tmp/said & }} && exec 9> /tmp/wait && \
         until grep -q ready /tmp/said; do sleep 0.05; done && {0} meet",
        probe.display()
    );
    // The probe itself may be below /tmp.
    let copy = Bench::new();
    let script = script.replace(
        &probe.display().to_string(),
        &Probe::on(&copy).program.display().to_string(),
    );
    let outcome = Tool::new("unshare")
        .args([
            "--mount",
            "--ipc",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-c",
            &script,
        ])
        .run();
    let report = Probe::report(&outcome);
    for way in ["shm", "tmp", "abstract", "sysv"] {
        assert_eq!(report[way], "found", "{way}: {report}");
    }
}

#[test]
fn kill_everything_kills_only_its_own() {
    let bench = Bench::new();
    let command = Probe::on(&bench).command();
    let project = bench.directory("project");
    let victim = bench.sealed_for("victim", &command, &["hold"], &project, SLOT + 1);
    let killer = bench.sealed_for("killer", &command, &["kill-all"], &project, SLOT + 1);
    let mut held = victim.run(&bench).start();
    held.wait_for("ready");
    let report = Probe::report(&killer.run(&bench).run());
    assert_eq!(report["sent"], "ok");
    assert_eq!(
        report["child"], "signal: 9 (SIGKILL)",
        "it can kill: {report}"
    );
    assert!(!held.has_ended(), "the neighbour was killed");
    assert_eq!(held.finish().code, Some(0));
}

#[test]
fn the_hosts_processes_have_no_pid_inside() {
    let bench = Bench::new();
    let own = std::process::id().to_string();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["signal", &own]);
    let report = Probe::report(&bundle.run(&bench).run());
    assert_eq!(report["signal"], "ESRCH");
}
