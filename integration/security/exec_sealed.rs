//! `exec` into bundles that are sealed.

use std::os::unix::process::CommandExt;

use integration::{Bench, Bundle, Container, Probe, Runtime};
use serde_json::json;

fn sealed(bench: &Bench, name: &str) -> Bundle {
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    bench.sealed(name, &command, &["sh", "-c", "while :; do sleep 1; done"])
}

#[test]
fn exec_into_a_sealed_bundle_is_sealed() {
    let bench = Bench::new();
    let probe = Probe::on(&bench);
    let bundle = bench.sealed("sealed", &probe.command(), &["hold"]);
    let container = Container::created(&bench, Runtime::Ours, &bundle);
    let spec = bundle.spec();
    let program = spec["process"]["args"][0]
        .as_str()
        .expect("a program")
        .to_owned();
    let report = Probe::report(&container.exec(&[&program, "look"]).run());
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(report["status"][set], "0000000000000000", "{set}");
    }
    assert_eq!(report["status"]["NoNewPrivs"], "1");
    assert_eq!(report["status"]["Seccomp"], "2");
    assert_eq!(report["ids"]["uid"], spec["process"]["user"]["uid"]);
    assert_eq!(report["descriptors"].as_object().expect("a map").len(), 3);
    assert_eq!(report["environment"], spec["process"]["env"]);
    assert_eq!(report["cwd"], spec["process"]["cwd"]);
    let attempts = Probe::report(&container.exec(&[&program, "try"]).run());
    for name in ["unshare user", "clone user", "socket inet", "mount tmpfs"] {
        if let Some(outcome) = attempts[name].as_str() {
            assert!(!outcome.starts_with("ok"), "{name}: {outcome}");
        }
    }
}

#[test]
fn what_would_break_the_promise_is_refused_by_name() {
    let bench = Bench::new();
    let bundle = sealed(&bench, "sealed");
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let busybox = bundle.spec()["process"]["args"][0].clone();
    let busybox = busybox.as_str().expect("a program");
    container.exec(&[busybox, "true"]).expect(0);
    for (options, row) in [
        (&["--cap", "CAP_CHOWN"][..], "no privilege"),
        (&["--user", "4000000000"], "nobody"),
        (&["--env", "LD_PRELOAD=/x.so"], "nothing inherited"),
    ] {
        let refused = container.exec_with(options, &[busybox, "true"]).expect(125);
        assert!(refused.one_line().contains(row), "{options:?}: {refused}");
    }
    let whole = json!({ "user": { "uid": 1, "gid": 1 }, "args": [busybox, "true"], "cwd": "/" });
    let file = bench.file("process.json", whole.to_string());
    let options = ["--process", file.to_str().expect("UTF-8")];
    let refused = container.exec_with(&options, &[]).expect(125);
    assert!(refused.one_line().contains("none to gain"), "{refused}");
    // A descriptor that the caller asks to be kept is none that was promised.
    let mut kept = container.exec_with(&["--preserve-fds", "1"], &[busybox, "true"]);
    // SAFETY: dup2(2) allocates nothing.
    unsafe {
        kept.command().pre_exec(|| {
            nix::unistd::dup2(0, 3)?;
            Ok(())
        });
    }
    let refused = kept.expect(125);
    assert!(
        refused.one_line().contains("nothing inherited"),
        "{refused}"
    );
    assert_eq!(container.state()["status"], "running");
}
