//! A listener that decides on calls.

use std::path::Path;
use std::time::Duration;

use integration::{Bench, Probe, Runtime, Tool, wait_until};
use serde_json::{Value, json};

use super::{but, id, with_profile};

fn start_agent(socket: &Path) -> integration::Running {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seccomp/agent.py");
    let mut agent = Tool::new("python3").arg(script).arg(socket).start();
    agent.wait_for("listening");
    agent
}

/// The listener decides on the command's calls, and on the runtime's own that come after the filter.
#[test]
fn a_listener_decides() {
    let bench = Bench::new();
    // The last, an allowed rule, keeps runc's stub off.
    let notified = json!(["mkdir", "sendmsg", "accept4", "close", "rt_sigprocmask"]);
    for (runtime, no_new_privileges) in [
        (Runtime::Ours, false),
        (Runtime::Ours, true),
        (Runtime::Runc, false),
    ] {
        let name = id();
        let socket = bench.path(&format!("{name}.sock"));
        let names = match runtime {
            // runc would wait for itself.
            Runtime::Ours => notified.clone(),
            _ => json!(["mkdir"]),
        };
        let mut profile = but(json!([{ "names": names, "action": "SCMP_ACT_NOTIFY" }]));
        profile["listenerPath"] = json!(socket);
        profile["listenerMetadata"] = json!("from the bundle");
        let bundle = with_profile(
            &bench,
            &name,
            &["/bin/probe", "calls", "64:83:0:0"],
            &profile,
        );
        bundle.edit(|spec| {
            spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
            spec["annotations"] = json!({ "an": "annotation" });
        });
        let agent = start_agent(&socket);
        let run = runtime
            .tool(&bench)
            .args(["run", "-b"])
            .arg(&bundle.directory);
        let report = Probe::report(&run.arg(&name).limit(Duration::from_secs(20)).run());
        assert_eq!(report["64:83:0:0"], "ENOTUNIQ", "{name}");
        let said = agent.wait().stdout;
        let line = said.lines().nth(1).expect("a message");
        let (message, descriptors) = line.rsplit_once(' ').expect("two words");
        assert_eq!(descriptors, "1", "{name}");
        let message: Value = serde_json::from_str(message).expect("JSON");
        assert_eq!(message["fds"], json!(["seccompFd"]), "{name}");
        assert_eq!(message["metadata"], "from the bundle", "{name}");
        assert_eq!(message["state"]["id"], name.as_str());
        assert_eq!(message["state"]["status"], "creating", "{name}");
        assert_eq!(
            message["state"]["annotations"]["an"], "annotation",
            "{name}"
        );
        assert!(message["pid"].as_i64().is_some_and(|pid| pid > 1), "{name}");
        assert_eq!(message["pid"], message["state"]["pid"], "{name}");
    }
}

/// Nobody to hand the listener to: nothing is left, and nobody waits for ever.
#[test]
fn a_listener_that_nobody_takes_is_an_error() {
    let bench = Bench::new();
    let mut profile = but(json!([{ "names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY" }]));
    let bundle = with_profile(&bench, "nobody", &["true"], &profile);
    let run = || {
        bench
            .runtime()
            .args(["run", "-b"])
            .arg(&bundle.directory)
            .arg("nobody")
            .run()
    };
    bench.assert_refused(&run(), "SCMP_ACT_NOTIFY needs listenerPath");
    profile["listenerPath"] = json!(bench.path("absent.sock"));
    bundle.edit(|spec| spec["linux"]["seccomp"] = profile.clone());
    bench.assert_refused(&run(), "failed to connect with seccomp agent");
    wait_until("the container to be gone", Duration::from_secs(5), || {
        bench.state_names().is_empty()
    });
}
