//! The site's policy, and `seal`: bundles that promise nothing run strictly, or not at all.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use integration::{Bench, Bundle, Outcome, Probe, Tool, opt_runtime, plain};
use serde_json::{Value, json};

const EXCEPTION: &str = "org.opt-runtime.exception.";

/// A site's file that seals, with more lines.
fn sealing(bench: &Bench, more: &str) -> PathBuf {
    let text = format!("policy = \"seal\"\n[seal]\nrun-as = \"65534:65533\"\n{more}");
    site_file(bench, &text)
}

fn site_file(bench: &Bench, text: &str) -> PathBuf {
    let file = bench.file("site.toml", text);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    file
}

/// A bundle as podman makes it: root, with capabilities, a cgroup mount and the host's files bound in.
fn like_podmans(bench: &Bench, name: &str) -> Bundle {
    let hosts = bench.file("hosts", "127.0.0.1 localhost\n");
    let bundle = plain::bundle(bench, name, &["/bin/probe", "look"]);
    bundle.edit(|spec| {
        let capabilities = ["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"];
        spec["process"]["capabilities"] = json!({
            "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
        });
        spec["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [0, 10] });
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        let ro = ["nosuid", "noexec", "nodev", "ro"];
        mounts.push(json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ro }));
        mounts.push(json!({
            "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ro,
        }));
        mounts.push(json!({
            "destination": "/etc/hosts", "type": "bind", "source": hosts, "options": ["bind", "rprivate"],
        }));
        spec["linux"]["maskedPaths"] = json!(["/proc/acpi", "/proc/kcore", "/sys/firmware"]);
    });
    bundle
}

fn ask_for(bundle: &Bundle, exceptions: &[&str]) {
    bundle.edit(|spec| {
        let asked = exceptions
            .iter()
            .map(|what| (format!("{EXCEPTION}{what}"), json!("a test")));
        spec["annotations"] = Value::Object(asked.collect());
    });
}

fn run(bench: &Bench, bundle: &Bundle, policy: &Path) -> Outcome {
    bundle.run(bench).arg("--policy").arg(policy).run()
}

/// What the command sees of itself is what the promise says.
#[track_caller]
fn assert_strict(report: &Value) {
    let status = &report["status"];
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(status["Seccomp"], "2");
    for line in report["mounts"].as_array().expect("mounts") {
        assert!(
            line.as_str().is_some_and(|line| line.contains("nosuid")),
            "{line}"
        );
    }
}

#[test]
fn without_a_policy_a_bundle_runs_as_oci_says() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    for policy in [None, Some("off")] {
        let mut tool = bundle.run(&bench);
        if let Some(policy) = policy {
            tool = tool.args(["--policy", policy]);
        }
        let report = Probe::report(&tool.run());
        assert_eq!(report["ids"]["uid"], 0);
        assert_ne!(report["status"]["CapEff"], "0000000000000000");
    }
}

#[test]
fn seal_makes_a_foreign_bundle_strict() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let log = bench.path("log");
    let tool = bundle.run(&bench).arg("--policy").arg(sealing(&bench, ""));
    let report = Probe::report(&tool.arg("--log").arg(&log).run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);
    assert_eq!(report["ids"]["gid"], 65_533);
    assert_eq!(report["ids"]["groups"], json!([10]));
    let mounts = report["mounts"].to_string();
    assert!(!mounts.contains("/sys/fs/cgroup"), "{mounts}");
    let said = fs::read_to_string(&log).expect("a log");
    assert_eq!(said.lines().count(), 1, "{said}");
    for change in [
        "process.user.uid changed from root's to 65534",
        "process.capabilities emptied",
        "mount /sys/fs/cgroup removed",
        "mount /etc/hosts made nosuid",
        "linux.seccomp replaced",
    ] {
        assert!(said.contains(change), "{change}: {said}");
    }
}

#[test]
fn the_state_says_what_the_policy_did_and_a_bundle_can_not() {
    let bench = Bench::new();
    let id = format!("sealed-{}", std::process::id());
    let bundle = like_podmans(&bench, "plain");
    bundle.edit(|spec| {
        spec["annotations"] =
            json!({ "org.opt-runtime.policy": "seal (lies)", "org.opt-runtime.policy.changes": "x" });
    });
    for (policy, sealed) in [("off", false), ("seal", true)] {
        let file = match policy {
            "off" => PathBuf::from("off"),
            _ => sealing(&bench, ""),
        };
        let mut create = bundle.create(&bench, &id).arg("--policy").arg(file);
        let quiet = || fs::File::create("/dev/null").expect("open /dev/null");
        let status = create.command().stdout(quiet()).stderr(quiet()).status();
        assert!(status.expect("create").success());
        let state = bench.runtime().args(["state", &id]).expect(0).stdout;
        let state: Value = serde_json::from_str(&state).expect("JSON");
        let annotation = |key: &str| state["annotations"][key].as_str();
        assert_eq!(
            annotation("org.opt-runtime.sealed"),
            sealed.then_some("sealed")
        );
        let says = annotation("org.opt-runtime.policy").unwrap_or_default();
        assert_eq!(says.contains("site.toml"), sealed, "{says}");
        let changes = annotation("org.opt-runtime.policy.changes").unwrap_or_default();
        assert_eq!(
            changes.contains("process.capabilities emptied"),
            sealed,
            "{changes}"
        );
        bench.runtime().args(["delete", "--force", &id]).expect(0);
    }
}

/// An engine asks `exec` for the user and the capabilities that it asked the container for.
#[test]
fn exec_is_as_strict_as_the_container() {
    let bench = Bench::new();
    let id = format!("exec-{}", std::process::id());
    let bundle = like_podmans(&bench, "plain");
    bundle.edit(|spec| spec["process"]["args"] = json!(["/bin/sleep", "1000"]));
    let mut create = bundle.create(&bench, &id);
    create = create.arg("--policy").arg(sealing(&bench, ""));
    let quiet = || fs::File::create("/dev/null").expect("open /dev/null");
    let status = create.command().stdout(quiet()).stderr(quiet()).status();
    assert!(status.expect("create").success());
    bench.runtime().args(["start", &id]).expect(0);

    let exec = || bench.runtime().arg("exec");
    let report = Probe::report(&exec().args([&id, "/bin/probe", "look"]).run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);

    let mut process = bundle.spec()["process"].clone();
    process["args"] = json!(["/bin/probe", "look"]);
    let file = bench.file("process.json", process.to_string());
    let report = Probe::report(&exec().arg("--process").arg(&file).arg(&id).run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);
    assert_eq!(report["ids"]["groups"], json!([10]));
    let outcome = exec().args([
        "--user",
        "0:0",
        "--cap",
        "CAP_SYS_ADMIN",
        &id,
        "/bin/probe",
        "look",
    ]);
    let report = Probe::report(&outcome.run());
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 65_534);
    bench.runtime().args(["delete", "--force", &id]).expect(0);
}

#[test]
fn check_refuses_what_isnt_sealed_and_lets_run_what_is() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let outcome = bundle.run(&bench).args(["--policy", "check"]).run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    let line = outcome.one_line();
    for row in [
        "nobody: process.user.uid is 0 on the host",
        "no privilege",
        "none to gain",
        "setuid is dead",
        "few system calls",
        "no way back",
    ] {
        assert!(line.contains(row), "{row}: {line}");
    }
    let sealed = seal(&bench, &bundle, "sealed");
    let check = |bundle: &Bundle| bundle.run(&bench).args(["--policy", "check"]).run();
    assert_strict(&Probe::report(&check(&sealed)));
    // One that keeps the promise without saying so is held to it all the same.
    sealed.without_promise();
    assert_strict(&Probe::report(&check(&sealed)));
}

fn seal(bench: &Bench, bundle: &Bundle, name: &str) -> Bundle {
    let output = bench.path(name);
    let tool = bench.runtime().arg("seal").arg(&bundle.directory);
    let tool = tool.arg("--output").arg(&output);
    tool.args(["--run-as", "65534:65533"]).expect(0);
    Bundle::at(output.clone(), &output)
}

#[test]
fn seal_writes_a_new_bundle_and_says_what_changed() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let before = fs::read(bundle.directory.join("config.json")).expect("read");
    let into = |name: &str| {
        let tool = bench.runtime().arg("seal").arg(&bundle.directory);
        tool.arg("-o").arg(bench.path(name))
    };
    // What can't be decided for the caller is named, and nothing is written.
    let outcome = into("refused").run();
    bench.assert_refused(&outcome, "hint: --run-as");
    assert!(!bench.path("refused").exists());

    let text = into("one")
        .args(["--run-as", "65534:65533"])
        .expect(0)
        .stdout;
    assert!(text.contains("process.capabilities emptied\n"), "{text}");
    let json = into("two")
        .args(["--run-as", "65534:65533", "--json"])
        .expect(0);
    let told: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let changes: Vec<&str> = told["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), changes);
    let sealed = Bundle::at(bench.path("one"), &bench.path("one"));
    sealed.check(&bench).expect(0);
    assert_strict(&Probe::report(&sealed.run(&bench).run()));
    assert_eq!(sealed.spec()["root"]["path"], json!(bundle.rootfs()));

    let outcome = into("one").args(["--run-as", "65534:65533"]).run();
    bench.assert_refused(&outcome, "exists already");
    for wrong in ["0:0", "nobody", "1", "1:0", "-1:1"] {
        let outcome = into("three").arg(format!("--run-as={wrong}")).run();
        bench.assert_refused(&outcome, "UID:GID");
    }
    assert_eq!(
        fs::read(bundle.directory.join("config.json")).expect("read"),
        before
    );
    // Sealing what is sealed changes nothing.
    let again = bench
        .runtime()
        .arg("seal")
        .arg(bench.path("one"))
        .arg("-o")
        .arg(bench.path("four"));
    assert_eq!(again.expect(0).stdout, "");
}

#[test]
fn an_exception_is_had_where_the_site_allows_it_and_nowhere_else() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let elsewhere = bench.directory("elsewhere");
    for (exception, shown) in [
        ("root", "\"root\""),
        ("capability.CAP_SYS_ADMIN", "CAP_SYS_ADMIN"),
        ("device./dev/fuse", "/dev/fuse"),
        ("system-call.unshare", "unshare"),
    ] {
        ask_for(&bundle, &[exception]);
        bench.assert_refused(&run(&bench, &bundle, &sealing(&bench, "")), shown);
        let there = format!("[[exception]]\nallow = \"{exception}\"\nbundles = [{elsewhere:?}]\n");
        bench.assert_refused(&run(&bench, &bundle, &sealing(&bench, &there)), shown);
    }
    ask_for(&bundle, &["everything"]);
    bench.assert_refused(
        &run(&bench, &bundle, &sealing(&bench, "")),
        "\"everything\"",
    );

    // A bundle that is sealed by itself has no more of a say.
    let sealed = seal(&bench, &like_podmans(&bench, "other"), "sealed");
    sealed.edit(|spec| spec["annotations"][format!("{EXCEPTION}root")] = json!("please"));
    bench.assert_refused(&sealed.run(&bench).run(), "\"root\"");
    let outcome = sealed.run(&bench).args(["--policy", "off"]).run();
    bench.assert_refused(&outcome, "\"root\"");
}

#[test]
fn what_is_excepted_works_and_the_rest_is_as_strict_as_ever() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let here = bench.path("");
    let allow = |what: &str| format!("[[exception]]\nallow = \"{what}\"\nbundles = [{here:?}]\n");

    ask_for(&bundle, &["capability.CAP_NET_BIND_SERVICE"]);
    let file = sealing(&bench, &allow("capability.CAP_NET_BIND_SERVICE"));
    let report = Probe::report(&run(&bench, &bundle, &file));
    let status = &report["status"];
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000400", "{set}");
    }
    assert_eq!(
        (&status["NoNewPrivs"], &status["Seccomp"]),
        (&json!("1"), &json!("2"))
    );
    assert_eq!(report["ids"]["uid"], 65_534);

    ask_for(&bundle, &["root"]);
    let report = Probe::report(&run(&bench, &bundle, &sealing(&bench, &allow("root"))));
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 0);

    ask_for(&bundle, &["device./dev/fuse"]);
    bundle.edit(|spec| {
        let device =
            json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438 });
        spec["linux"]["devices"] = json!([device]);
    });
    let report = Probe::report(&run(
        &bench,
        &bundle,
        &sealing(&bench, &allow("device./dev/fuse")),
    ));
    assert_strict(&report);
    assert!(report["devices"].to_string().contains("\"fuse\""));
    bundle.edit(|spec| spec["linux"]["devices"] = json!([]));

    let tries_unshare = || {
        bundle.edit(|spec| {
            spec["process"]["args"] = json!(["/bin/busybox", "unshare", "-U", "true"])
        });
    };
    tries_unshare();
    ask_for(&bundle, &[]);
    let outcome = run(&bench, &bundle, &sealing(&bench, ""));
    assert_eq!(outcome.code, Some(1), "{outcome}");
    ask_for(&bundle, &["system-call.unshare"]);
    let outcome = run(
        &bench,
        &bundle,
        &sealing(&bench, &allow("system-call.unshare")),
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn a_file_that_others_could_have_written_stops_everything() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let refused = |file: &Path, says: &str| {
        bench.assert_refused(&run(&bench, &bundle, file), says);
    };
    let file = site_file(&bench, "policy = \"off\"");
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("chmod");
    mode(0o666);
    refused(&file, "can be written by others");
    mode(0o644);
    chown(&file, Some(1000), None).expect("chown");
    refused(&file, "belongs to uid 1000");
    chown(&file, Some(0), None).expect("chown");
    let link = bench.path("link.toml");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    refused(&link, "symbolic link");
    let open = bench.directory("open");
    fs::copy(&file, open.join("site.toml")).expect("copy");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("chmod");
    refused(&open.join("site.toml"), "open can be written by others");
    refused(&bench.path("absent.toml"), "no such file");
    refused(&bench.directory("directory"), "no regular file");
    refused(
        &site_file(&bench, "\npolcy = \"seal\"\n"),
        "site.toml:2: unknown field",
    );
    refused(
        &site_file(&bench, "policy = \"strict\"\n"),
        "site.toml:1: unknown variant",
    );
}

/// In a mount namespace of the test's own, /etc/opt-runtime is the bench's.
#[test]
fn without_the_flag_the_sites_own_file_holds() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let etc = bench.directory("etc");
    fs::write(
        etc.join("config.toml"),
        "policy = \"seal\"\n[seal]\nrun-as = \"7:8\"\n",
    )
    .expect("write");
    let run_there = |more: &[&str]| {
        let script = "mount -t tmpfs none /etc/opt-runtime 2>/dev/null || {
                mkdir -p \"$0/upper\" \"$0/work\"
                mount -t overlay -o lowerdir=/etc,upperdir=\"$0/upper\",workdir=\"$0/work\" none /etc
                mkdir -p /etc/opt-runtime
            }
            chmod 755 /etc/opt-runtime && cp \"$0/config.toml\" /etc/opt-runtime/ && exec \"$@\"";
        Tool::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", script])
            .arg(&etc)
            .arg(opt_runtime())
            .arg("--root")
            .arg(bench.root())
            .arg("run")
            .arg(&bundle.directory)
            .args(more)
            .run()
    };
    let report = Probe::report(&run_there(&[]));
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 7);
    let report = Probe::report(&run_there(&["--policy", "off"]));
    assert_eq!(report["ids"]["uid"], 0);
}
