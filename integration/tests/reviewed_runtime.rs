//! What an adversarial review of the runtime found, each with the bundle that showed it.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use integration::{Bench, Bundle, Tool, plain, program, wait_until};
use serde_json::{Value, json};

/// The first id on the host of a user namespace that holds a whole system's.
const SHIFTED: u32 = 100_000;

/// Gives `bundle` a user namespace whose root is [`SHIFTED`] on the host, and the root file system to it.
fn shift(bundle: &Bundle) {
    let mappings = json!([{ "containerID": 0, "hostID": SHIFTED, "size": 65_536 }]);
    bundle.edit(|spec| {
        let linux = &mut spec["linux"];
        linux["uidMappings"] = mappings.clone();
        linux["gidMappings"] = mappings;
        add_namespace(linux, json!({ "type": "user" }));
    });
    Tool::new("chown")
        .args(["-R", &format!("{SHIFTED}:{SHIFTED}")])
        .arg(bundle.rootfs())
        .expect(0);
}

fn add_namespace(linux: &mut Value, namespace: Value) {
    let namespaces = linux["namespaces"].as_array_mut().expect("namespaces");
    namespaces.retain(|one| one["type"] != namespace["type"]);
    namespaces.push(namespace);
}

fn add_mount(bundle: &Bundle, mount: Value) {
    bundle.edit(|spec| spec["mounts"].as_array_mut().expect("mounts").push(mount));
}

/// An executable script in the bench's own place.
fn script(bench: &Bench, name: &str, text: &str) -> String {
    let path = bench.path(name);
    program::write(&path, &format!("#!/bin/sh\n{text}\n"));
    path.to_string_lossy().into_owned()
}

#[test]
fn hooks_of_create_run_in_the_runtimes_mount_namespace() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    shift(&bundle);
    let seen = bench.path("seen");
    let hook = script(
        &bench,
        "hook",
        &format!("readlink /proc/self/ns/mnt >> {}", seen.display()),
    );
    let hook = json!([{ "path": hook, "args": ["hook"], "env": ["PATH=/usr/bin:/bin"] }]);
    bundle.edit(|spec| spec["hooks"] = json!({ "prestart": hook, "createRuntime": hook }));
    bundle.run(&bench).expect(0);
    let own = fs::read_link("/proc/self/ns/mnt").expect("a namespace");
    let own = own.to_string_lossy();
    assert_eq!(
        fs::read_to_string(&seen).expect("the hooks ran"),
        format!("{own}\n{own}\n")
    );
}

#[test]
fn an_image_can_not_take_the_place_of_the_log() {
    // In the host's /tmp, whose place the image's root took in the runtime's own mount namespace.
    let bench = Bench::below(Path::new("/tmp"));
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    shift(&bundle);
    let victim = bench.file("victim", "");
    let log = bench.path("log");
    let inside = log.strip_prefix("/tmp").expect("a path in /tmp");
    let link = bundle.rootfs().join(inside);
    fs::create_dir_all(link.parent().expect("a directory")).expect("make a directory");
    symlink(&victim, &link).expect("a link");
    let tool = bundle.run(&bench).args(["--debug", "--log"]).arg(&log);
    tool.expect(0);
    assert_eq!(fs::read_to_string(&victim).expect("the victim"), "");
    assert!(
        fs::read_to_string(&log)
            .expect("the log")
            .contains("created")
    );
}

#[test]
fn a_read_only_path_stays_read_only_on_a_mount_that_is_to_be_writable() {
    let bench = Bench::new();
    let data = bench.directory("data");
    let bundle = plain::bundle(&bench, "plain", &["touch", "/data/x"]);
    add_mount(
        &bundle,
        json!({ "destination": "/data", "type": "bind", "source": data, "options": ["rbind", "rw"] }),
    );
    bundle.run(&bench).expect(0);
    bundle.edit(|spec| spec["linux"]["readonlyPaths"] = json!(["/data"]));
    let outcome = bundle.run(&bench).expect(1);
    assert!(
        outcome.stderr.contains("Read-only file system"),
        "{outcome}"
    );
}

#[test]
fn root_of_a_user_namespace_with_a_single_id_runs_containers() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["id", "-u"]);
    let runtime = bench.everybodys_runtime();
    for path in [bench.directory("state"), bundle.rootfs()] {
        chown(path, Some(54_322), Some(54_322)).expect("chown");
    }
    let outcome = Tool::new("setpriv")
        .args(["--reuid", "54322", "--regid", "54322", "--clear-groups"])
        .args(["unshare", "-Urm"])
        .arg(&runtime)
        .arg("--root")
        .arg(bench.root())
        .arg("run")
        .arg(&bundle.directory)
        .expect(0);
    assert_eq!(outcome.stdout, "0\n");
}

#[test]
fn the_created_process_shows_its_neighbours_nothing_of_the_runtime() {
    let bench = Bench::new();
    let first = plain::bundle(&bench, "first", &["true"]);
    let id = &format!("first-{}", std::process::id());
    let create = first.create(&bench, id).env("SECRET", "hunter2");
    let mut create = create;
    let command = create.command();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    Tool::new("sh")
        .args(["-c", "exec \"$@\" > /dev/null 2>&1 < /dev/null", "sh"])
        .arg(command.get_program())
        .args(arguments)
        .env("SECRET", "hunter2")
        .expect(0);
    let state = bench.runtime().args(["state", id]).expect(0);
    let state: Value = serde_json::from_str(&state.stdout).expect("JSON");
    let namespace = format!("/proc/{}/ns/pid", state["pid"]);

    // In the same pid namespace, the created process is the first there.
    let second = plain::bundle(
        &bench,
        "second",
        &[
            "sh",
            "-c",
            "cat /proc/1/environ; ls -l /proc/1/fd; ls -l /proc/1/exe; cat /proc/1/comm",
        ],
    );
    second.edit(|spec| {
        add_namespace(
            &mut spec["linux"],
            json!({ "type": "pid", "path": namespace }),
        );
    });
    let outcome = second.run(&bench).expect(0);
    bench.runtime().args(["delete", "--force", id]).expect(0);
    assert!(!outcome.stdout.contains("hunter2"), "{outcome}");
    assert!(!outcome.stdout.contains("->"), "{outcome}");
    assert!(outcome.stderr.contains("Permission denied"), "{outcome}");
}

#[test]
fn tmpcopyup_works_in_a_shifted_user_namespace() {
    let bench = Bench::new();
    let bundle = plain::bundle(
        &bench,
        "plain",
        &["sh", "-c", "ls -ln /filled; cat /filled/file"],
    );
    let filled = bundle.rootfs().join("filled");
    fs::create_dir(&filled).expect("a directory");
    fs::write(filled.join("file"), "content\n").expect("a file");
    shift(&bundle);
    // What nobody in the namespace owns comes along too.
    fs::write(filled.join("hosts"), "").expect("a file");
    let tmpfs = json!({
        "destination": "/filled", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"],
    });
    add_mount(&bundle, tmpfs);
    let outcome = bundle.run(&bench).expect(0);
    outcome.says("content\n").says(" hosts");
}

#[test]
fn a_new_user_namespace_goes_with_a_joined_one_of_the_hosts() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    shift(&bundle);
    for (kind, file) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts")] {
        let own = fs::read_link(format!("/proc/self/ns/{file}")).expect("a namespace");
        let path = format!("/proc/{}/ns/{file}", std::process::id());
        bundle.edit(|spec| {
            spec["process"]["args"] = json!(["ls", "-l", format!("/proc/self/ns/{file}")]);
            spec.as_object_mut().expect("a spec").remove("hostname");
            add_namespace(&mut spec["linux"], json!({ "type": kind, "path": path }));
        });
        let outcome = bundle.run(&bench).expect(0);
        outcome.says(&own.to_string_lossy());
    }
}

#[test]
fn what_protects_the_source_of_a_users_mount_stays() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/mountinfo"]);
    let runtime = bench.everybodys_runtime();
    let source = bench.directory("source");
    for path in [bench.directory("state"), bundle.rootfs()] {
        chown(path, Some(54_323), Some(54_323)).expect("chown");
    }
    let map = json!([{ "containerID": 0, "hostID": 54_323, "size": 1 }]);
    bundle.edit(|spec| {
        let linux = &mut spec["linux"];
        linux["uidMappings"] = map.clone();
        linux["gidMappings"] = map;
        add_namespace(linux, json!({ "type": "user" }));
    });
    let options = ["rbind", "rw", "exec", "suid", "dev"];
    add_mount(
        &bundle,
        json!({ "destination": "/data", "type": "bind", "source": source, "options": options }),
    );
    let script = "mount -t tmpfs -o ro,nosuid,nodev,noexec tmpfs \"$1\" && shift && exec \"$@\"";
    let outcome = Tool::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&source)
        .args([
            "setpriv",
            "--reuid",
            "54323",
            "--regid",
            "54323",
            "--clear-groups",
        ])
        .arg(&runtime)
        .arg("--root")
        .arg(bench.root())
        .arg("run")
        .arg(&bundle.directory)
        .expect(0);
    let line = outcome.stdout.lines().find(|line| line.contains(" /data "));
    assert!(
        line.expect("the mount").contains(" ro,nosuid,nodev,noexec"),
        "{outcome}"
    );
}

#[test]
fn a_recursive_option_holds_for_the_mount_whatever_comes_before() {
    let bench = Bench::new();
    let data = bench.directory("data");
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/mountinfo"]);
    let whole = bundle.spec();
    for (options, kept) in [
        (["rw", "rro"], "ro,"),
        (["suid", "rnosuid"], "nosuid,"),
        (["exec", "rnoexec"], "noexec,"),
    ] {
        bundle.set_spec(&whole);
        let options = [&["rbind"], &options[..]].concat();
        add_mount(
            &bundle,
            json!({ "destination": "/data", "type": "bind", "source": data, "options": options }),
        );
        let outcome = bundle.run(&bench).expect(0);
        let line = outcome.stdout.lines().find(|line| line.contains(" /data "));
        assert!(
            line.expect("the mount").contains(kept),
            "{options:?}: {outcome}"
        );
    }
}

#[test]
fn a_link_in_a_volume_leads_a_mount_inside_the_container() {
    let bench = Bench::new();
    let (volume, data) = (bench.directory("volume"), bench.directory("data"));
    fs::write(data.join("file"), "content\n").expect("a file");
    symlink("../../../../../etc", volume.join("link")).expect("a link");
    let bundle = plain::bundle(&bench, "plain", &["cat", "/etc/sub/file"]);
    for (source, destination) in [(volume, "/data"), (data, "/data/link/sub")] {
        let options = ["rbind", "rprivate", "nosymfollow"];
        add_mount(
            &bundle,
            json!({ "destination": destination, "type": "bind", "source": source, "options": options }),
        );
    }
    bundle.edit(|spec| spec["mounts"][2]["options"] = json!(["rbind", "rprivate"]));
    bundle.run(&bench).expect(0).says("content\n");
    assert!(!Path::new("/etc/sub").exists());
}

#[test]
fn hooks_start_with_no_signal_blocked_in_the_bundles_directory() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let seen = bench.path("seen");
    let text = format!("(grep SigBlk /proc/self/status; pwd) >> {}", seen.display());
    let hook = script(&bench, "hook", &text);
    let hook = json!([{ "path": hook, "args": ["hook"], "env": ["PATH=/usr/bin:/bin"] }]);
    bundle.edit(|spec| {
        spec["hooks"] = json!({ "prestart": hook, "createRuntime": hook, "poststart": hook, "poststop": hook });
    });
    bundle.run(&bench).expect(0);
    let once = format!(
        "SigBlk:\t0000000000000000\n{}\n",
        bundle.directory.display()
    );
    assert_eq!(
        fs::read_to_string(&seen).expect("the hooks ran"),
        once.repeat(4)
    );
}

#[test]
fn a_failing_start_container_hook_is_told() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["echo", "ran"]);
    let hook = json!([{ "path": "/bin/sh", "args": ["sh", "-c", "exit 3"] }]);
    bundle.edit(|spec| spec["hooks"] = json!({ "startContainer": hook }));
    let outcome = bundle.run(&bench).expect(125);
    assert!(outcome.one_line().contains("hook"), "{outcome}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_root_file_system_with_its_own_dev_serves_more_than_once() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["ls", "-l", "/dev/null", "/dev/made"]);
    bundle.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.retain(|mount| mount["destination"] != "/dev");
        spec["linux"]["devices"] =
            json!([{ "path": "/dev/made", "type": "c", "major": 1, "minor": 3 }]);
    });
    for _ in 0..2 {
        bundle.run(&bench).expect(0).says("/dev/null");
    }
    // What is not what would be made is the image's, and not taken away.
    let zero = bundle.rootfs().join("dev/zero");
    fs::remove_file(&zero).expect("remove");
    fs::write(&zero, "an image's").expect("a file");
    bench.assert_refused(&bundle.run(&bench).run(), "");
    assert_eq!(fs::read_to_string(&zero).expect("the file"), "an image's");
}

#[test]
fn limits_do_not_act_on_the_runtimes_own_work() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["sh", "-c", "ulimit -n; ulimit -t"]);
    bundle.edit(|spec| {
        spec["process"]["rlimits"] = json!([
            { "type": "RLIMIT_NOFILE", "soft": 5, "hard": 6 },
            { "type": "RLIMIT_CPU", "soft": 7, "hard": 7 },
            { "type": "RLIMIT_AS", "soft": 30_000_000, "hard": 30_000_000 },
        ]);
    });
    bundle.run(&bench).expect(0).says("5\n7\n");
}

/// In a mount namespace of the test's own: a runtime that joins it takes its file systems away.
#[test]
fn the_callers_own_mount_namespace_is_not_joined() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let own = json!({ "type": "mount", "path": "/proc/self/ns/mnt" });
    bundle.edit(|spec| add_namespace(&mut spec["linux"], own));
    let outcome = bundle.run(&bench).within("unshare", &["--mount"]).run();
    bench.assert_refused(&outcome, "linux.namespaces[");
}

#[test]
fn without_pivot_nothing_is_hidden_in_a_mount_namespace_that_is_joined() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let mut neighbour = Command::new("unshare")
        .args(["--mount", "sleep", "100"])
        .spawn()
        .expect("run unshare");
    let path = format!("/proc/{}/ns/mnt", neighbour.id());
    let namespace = |path: &str| fs::read_link(path).expect("a namespace");
    wait_until("a mount namespace", Duration::from_secs(10), || {
        namespace(&path) != namespace("/proc/self/ns/mnt")
    });
    let joined = json!({ "type": "mount", "path": path });
    bundle.edit(|spec| add_namespace(&mut spec["linux"], joined));
    let run = bench.runtime().args(["run", "--no-pivot"]);
    let outcome = run.arg(&bundle.directory).run();
    neighbour.kill().expect("kill");
    neighbour.wait().expect("wait");
    bench.assert_refused(&outcome, "--no-pivot");
}
