//! The observed half of the promise: a bundle whose `config.json` is fine, but whose created process isn't
//! sealed, never starts.
//!
//! Nothing honest makes libcontainer break most rows, so these tests build `opt-runtime` a second time,
//! with its feature `fault-points`: each fault takes a protection from what is made, not from what is
//! promised. What can be provoked in the ordinary build is.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use integration::{Bench, Bundle, Outcome, Probe, Tool, opt_runtime};
use serde_json::json;

/// The build with fault points; made once, beside the ordinary one.
fn faulty_runtime() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        if let Some(given) = std::env::var_os("OPT_FAULTY_RUNTIME") {
            return given.into();
        }
        let target = integration::probe_path();
        let target = target
            .parent()
            .and_then(std::path::Path::parent)
            .expect("a target directory");
        let target = target.join("fault-points");
        Tool::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                "runtime",
                "--features",
                "fault-points",
            ])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")))
            .limit(Duration::from_secs(500))
            .expect(0);
        target.join("debug/opt-runtime")
    };
    BUILT.get_or_init(build).clone()
}

fn bundle(bench: &Bench) -> Bundle {
    bench.sealed("bundle", &Probe::on(bench).command(), &["look"])
}

fn run(bench: &Bench, bundle: &Bundle, program: PathBuf, fault: &str) -> Tool {
    Tool::new(program)
        .arg("--root")
        .arg(bench.root())
        .arg("run")
        .arg(&bundle.directory)
        .env("OPT_RUNTIME_FAULT", fault)
}

#[track_caller]
fn assert_refused(bench: &Bench, outcome: &Outcome, row: &str) {
    assert_eq!(outcome.code, Some(125), "{row}: {outcome}");
    assert_eq!(outcome.stdout, "", "it started: {outcome}");
    let line = outcome.one_line();
    assert!(
        line.contains("the created process is not sealed") && line.contains(&format!("{row}:")),
        "{row}: {line}"
    );
    bench.assert_nothing_left_by(outcome);
}

/// Every fault, with the row that must find it.
const FAULTS: [(&str, &str); 13] = [
    ("capability", "no privilege"),
    ("can-gain", "none to gain"),
    ("no-finish", "setuid is dead"),
    ("devices", "no devices"),
    ("no-filter", "few system calls"),
    ("other-user", "nobody"),
    ("extra-group", "nobody"),
    ("host-network", "own world"),
    ("host-ipc", "own world"),
    ("shared-root", "no way back"),
    ("no-masks", "no way back"),
    ("leaked-descriptor", "nothing inherited"),
    ("no-limits", "bounded"),
];

#[test]
fn each_broken_protection_is_seen_on_the_created_process() {
    let bench = Bench::new();
    let bundle = bundle(&bench);
    run(&bench, &bundle, faulty_runtime(), "none").expect(0);
    for (fault, row) in FAULTS {
        let outcome = run(&bench, &bundle, faulty_runtime(), fault).run();
        assert_refused(&bench, &outcome, row);
    }
    for row in integration::weaken::all().iter().map(|way| way.row) {
        assert!(
            FAULTS.iter().any(|(_, seen)| *seen == row),
            "no fault breaks {row}"
        );
    }
}

#[test]
fn create_refuses_as_run_does() {
    let bench = Bench::new();
    let bundle = bundle(&bench);
    for fault in ["no-filter", "no-finish"] {
        let outcome = Tool::new(faulty_runtime())
            .arg("--root")
            .arg(bench.root())
            .args(["create", "--bundle"])
            .arg(&bundle.directory)
            .arg("gate-refuses")
            .env("OPT_RUNTIME_FAULT", fault)
            .run();
        assert_eq!(outcome.code, Some(125), "{outcome}");
        bench.assert_gone("gate-refuses");
    }
}

#[test]
fn the_ordinary_build_has_no_fault_points() {
    let bench = Bench::new();
    let bundle = bundle(&bench);
    for (fault, _) in FAULTS {
        run(&bench, &bundle, opt_runtime(), fault).expect(0);
    }
}

/// The caller's descriptor 3 is the host's /etc, and `--preserve-fds` asks to keep it.
fn keeping_a_descriptor(bench: &Bench, bundle: &Bundle) -> Outcome {
    Tool::new("sh")
        .args(["-c", "exec 3< /etc; exec \"$@\"", "sh"])
        .arg(opt_runtime())
        .arg("--root")
        .arg(bench.root())
        .args(["run", "--preserve-fds", "1"])
        .arg(&bundle.directory)
        .run()
}

#[test]
fn a_descriptor_that_the_caller_asks_to_keep_never_reaches_a_sealed_command() {
    let bench = Bench::new();
    let outcome = keeping_a_descriptor(&bench, &bundle(&bench));
    if outcome.code == Some(0) {
        let report = Probe::report(&outcome);
        let numbers: Vec<_> = report["descriptors"]
            .as_object()
            .expect("them")
            .keys()
            .collect();
        assert_eq!(numbers, ["0", "1", "2"], "{outcome}");
    } else {
        assert_refused(&bench, &outcome, "nothing inherited");
    }
}

#[test]
fn a_socket_that_the_caller_passes_on_never_reaches_a_sealed_command() {
    let bench = Bench::new();
    let script = "exec 3< /etc; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    let outcome = Tool::new("sh")
        .args(["-c", script, "sh"])
        .arg(opt_runtime())
        .arg("--root")
        .arg(bench.root())
        .arg("run")
        .arg(&bundle(&bench).directory)
        .run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(outcome.one_line().contains("LISTEN_FDS"), "{outcome}");
}

#[test]
fn a_descriptor_that_the_caller_asks_to_keep_reaches_a_plain_command() {
    let bench = Bench::new();
    let bundle = integration::plain::bundle(&bench, "plain", &["probe", "look"]);
    let report = Probe::report(&keeping_a_descriptor(&bench, &bundle));
    assert!(
        report["descriptors"]["3"].is_string(),
        "{}",
        report["descriptors"]
    );
}

/// The weaker promise, `sealed`, allows hooks: the site's own programs, which could undo a protection
/// after it was made.
fn with_hook(bench: &Bench, script: &str) -> Bundle {
    let bundle = bundle(bench);
    bundle.edit(|spec| {
        spec["annotations"]["org.opt-runtime.sealed"] = json!("sealed");
        let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script] });
        spec["hooks"] = json!({ "createRuntime": [hook] });
    });
    bundle
}

#[test]
fn a_sealed_bundle_with_a_harmless_hook_runs() {
    let bench = Bench::new();
    let marker = bench.path("hook-ran");
    let bundle = with_hook(&bench, &format!("cat > {}", marker.display()));
    bundle.run(&bench).expect(0);
    assert!(marker.exists());
}

#[test]
fn a_hook_that_lifts_a_limit_breaks_the_promise() {
    let bench = Bench::new();
    // The container's process is in the hook's input; its cgroup is in /proc.
    let script = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); \
                  group=$(sed -n 's/^[0-9]*:pids://p; s/^0:://p' /proc/$pid/cgroup | head -1); \
                  for top in /sys/fs/cgroup/pids /sys/fs/cgroup; do \
                  [ -f $top$group/pids.max ] && echo max > $top$group/pids.max; done; true";
    let outcome = with_hook(&bench, script).run(&bench).run();
    assert_refused(&bench, &outcome, "bounded");
}

/// A `sealed` bundle needs no user namespace: an administrator's own identity for the command will do.
#[test]
fn a_sealed_bundle_without_a_user_namespace_runs() {
    let bench = Bench::new();
    let bundle = bundle(&bench);
    bundle.edit(|spec| {
        spec["annotations"]["org.opt-runtime.sealed"] = json!("sealed");
        let linux = spec["linux"].as_object_mut().expect("linux");
        linux.remove("uidMappings");
        linux.remove("gidMappings");
        let namespaces = linux["namespaces"].as_array_mut().expect("a list");
        namespaces.retain(|namespace| namespace["type"] != "user");
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        for mount in spec["mounts"].as_array_mut().expect("mounts") {
            let mount = mount.as_object_mut().expect("a mount");
            mount.remove("uidMappings");
            mount.remove("gidMappings");
        }
    });
    bundle.check(&bench).expect(0);
    bundle.run(&bench).limit(Duration::from_secs(20)).expect(0);
}
