//! `run`: create, start and delete in one.

use std::fs;

use integration::{Bench, Bundle, Outcome, plain};
use serde_json::json;

use super::own_id;

#[test]
fn run_has_the_oci_form_too() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["echo", "ran"]);
    let tool = bench
        .runtime()
        .arg("run")
        .arg("-b")
        .arg(&bundle.directory)
        .arg(c1);
    tool.expect(0).says("ran");
    bench
        .runtime()
        .args(["run", c1])
        .current_dir(&bundle.directory)
        .expect(0)
        .says("ran");
    bench.assert_gone(c1);
}

#[test]
fn another_file_may_stand_for_config_json() {
    let bench = Bench::new();
    let c1 = &own_id("c1");
    let bundle = plain::bundle(&bench, "plain", &["echo", "from", "config.json"]);
    let other = bundle.directory.join("other.json");
    std::fs::copy(bundle.directory.join("config.json"), &other).expect("copy");
    bundle.edit(|spec| spec["process"]["args"] = serde_json::json!(["echo", "edited"]));
    let run = |option: &str, file: &std::path::Path| {
        let tool = bench.runtime().arg("run").arg(option).arg(file);
        tool.arg(c1).current_dir(&bundle.directory)
    };
    for file in [std::path::Path::new("other.json"), &other] {
        run("--config", file).expect(0).says("from config.json");
        run("-f", file).expect(0).says("from config.json");
    }
    run("-f", "config.json".as_ref()).expect(0).says("edited");
    let missing = run("-f", "missing.json".as_ref()).expect(125);
    assert!(missing.one_line().contains("missing.json"), "{missing}");
    let create = bench.runtime().args(["create", "-f", "other.json", "-b"]);
    let output = bench.path("output");
    let created = create.arg(&bundle.directory).arg(c1);
    assert_eq!(created.run_into(&output, &output).code, Some(0));
    bench.runtime().args(["delete", "-f", c1]).expect(0);
    bench.assert_gone(c1);
}

/// Runs `bundle` in a mount namespace of the caller's, in which `/` has this propagation, and then tells what
/// is still mounted there.
fn run_in_callers_mounts(bench: &Bench, bundle: &Bundle, propagation: &str) -> Outcome {
    let script = format!("mount --make-r{propagation} / && \"$@\" && cat /proc/self/mountinfo");
    let own = ["--mount", "sh", "-c", &script, "sh"];
    bundle.run(bench).within("unshare", &own).run()
}

#[test]
fn without_a_mount_namespace_nothing_stays_mounted_at_the_callers() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["ls", "/proc/self/status"]);
    bundle.edit(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut();
        namespaces
            .expect("namespaces")
            .retain(|one| one["type"] != "mount");
    });
    let outcome = run_in_callers_mounts(&bench, &bundle, "private");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.says("/proc/self/status");
    let root = bundle.rootfs().to_string_lossy().into_owned();
    assert!(!outcome.stdout.contains(&root), "{outcome}");
    // What is shared would show in other namespaces, the host's among them.
    let shared = run_in_callers_mounts(&bench, &bundle, "shared");
    bench.assert_refused(&shared, "hint: unshare --mount");
}

/// A home directory on NFS or FUSE refuses root and not its owner; so does any to a root without these capabilities.
#[test]
fn the_working_directory_need_be_open_to_its_user_only() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["sh", "-c", "pwd; touch made"]);
    let source = bench.directory("homes");
    let home = source.join("home");
    fs::create_dir(&home).expect("make a directory");
    chown(&home, Some(1000), Some(1000)).expect("chown");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("chmod");
    bundle.edit(|spec| {
        let mount = json!({
            "destination": "/tmp", "type": "bind", "source": source, "options": ["rbind"],
        });
        spec["mounts"].as_array_mut().expect("mounts").push(mount);
        spec["process"]["cwd"] = json!("/tmp/home");
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    let root = ["--bounding-set", "-dac_override,-dac_read_search"];
    // The roots of cgroups refuse such a root as well.
    let run = bench
        .runtime()
        .args(["--cgroup-manager", "disabled", "run"]);
    let outcome = run
        .arg(&bundle.directory)
        .within("setpriv", &root)
        .expect(0);
    assert_eq!(outcome.stdout, "/tmp/home\n");
    assert!(home.join("made").exists());
}
