//! The tests' own validity: under runc, with `runc spec`'s defaults, the same probe sees the weaknesses
//! that it doesn't see in a sealed bundle.

use std::sync::atomic::{AtomicU32, Ordering};

use integration::{Bench, Bundle, Probe, Tool, plain, require_program};
use serde_json::{Value, json};

/// A bundle with `runc spec`'s own config.json, but for the command.
fn runc_bundle(bench: &Bench, words: &[&str]) -> Bundle {
    require_program("/usr/sbin/runc", "runc");
    let directory = bench.directory("runc");
    plain::root_file_system(&directory.join("rootfs"));
    Tool::new("/usr/sbin/runc")
        .arg("spec")
        .current_dir(&directory)
        .expect(0);
    let bundle = Bundle::at(directory.clone(), &directory);
    bundle.edit(|spec| {
        spec["process"]["args"] = [&["/bin/probe"], words].concat().into();
        spec["process"]["terminal"] = json!(false);
    });
    bundle
}

fn under_runc(bench: &Bench, bundle: &Bundle) -> Value {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let id = format!("control-{}-{number}", std::process::id());
    let tool = Tool::new("/usr/sbin/runc").arg("--root").arg(bench.root());
    Probe::report(
        &tool
            .args(["run", "--bundle"])
            .arg(&bundle.directory)
            .arg(id)
            .run(),
    )
}

#[test]
fn the_probe_sees_what_runcs_defaults_leave_open() {
    let bench = Bench::new();
    let report = under_runc(&bench, &runc_bundle(&bench, &["look"]));
    assert_ne!(report["status"]["CapBnd"], "0000000000000000");
    assert_eq!(report["status"]["Seccomp"], "0");
    assert_eq!(report["ids"]["uid"], 0);
    let lines = report["mounts"].as_array().expect("mounts");
    let suid = lines
        .iter()
        .filter(|line| !line.as_str().expect("a line").contains("nosuid"));
    assert!(suid.count() > 0, "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.as_str().expect("a line").contains(" - cgroup"))
    );
}

#[test]
fn the_probes_attempts_succeed_under_runcs_defaults() {
    let bench = Bench::new();
    let bundle = runc_bundle(&bench, &["try"]);
    bundle.edit(|spec| {
        spec["root"]["readonly"] = json!(false);
        // The attempts need children; the default limits none.
        spec["process"]["noNewPrivileges"] = json!(true);
    });
    let report = under_runc(&bench, &bundle);
    for name in [
        "unshare user",
        "clone user",
        "clone3 user",
        "socket inet",
        "chmod u+s",
        "create u+s",
    ] {
        let outcome = report[name].as_str().expect("an outcome");
        assert!(outcome.starts_with("ok"), "{name}: {outcome}");
    }
    assert_eq!(report["unknown call"], "ENOSYS");
}

#[test]
fn the_same_bundle_under_our_runtime_without_a_promise_is_as_oci_says() {
    let bench = Bench::new();
    let bundle = runc_bundle(&bench, &["look"]);
    let theirs = under_runc(&bench, &bundle);
    let ours = Probe::report(&bundle.run(&bench).run());
    for line in [
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Uid",
        "Groups",
    ] {
        assert_eq!(ours["status"][line], theirs["status"][line], "{line}");
    }
    for fact in [
        "arguments",
        "environment",
        "cwd",
        "hostname",
        "processes",
        "descriptors",
    ] {
        if fact == "descriptors" {
            let keys = |report: &Value| {
                report[fact]
                    .as_object()
                    .expect("them")
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
            };
            assert_eq!(keys(&ours), keys(&theirs));
        } else {
            assert_eq!(ours[fact], theirs[fact], "{fact}");
        }
    }
}
