//! What reviews found broken, each test named after the promise that was not kept.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use integration::{Bench, Bundle, Outcome, Probe, Running, Tool, cgroup, host, plain, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);
const ANOTHER: u32 = 65_533;

/// An id that no other test has: cgroups are named by id, and state directories differ.
fn own_id(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn busybox() -> Value {
    json!({ "name": "busybox", "executable": "/usr/bin/busybox" })
}

/// `create`; what the container prints goes nowhere, for it outlives the command.
fn create(mut tool: Tool) -> Outcome {
    let command = tool.command();
    let mut quiet = Tool::new("sh").args(["-c", "exec \"$@\" > /dev/null < /dev/null 2>&1", "sh"]);
    quiet = quiet.arg(command.get_program());
    for argument in command.get_args() {
        quiet = quiet.arg(argument);
    }
    if let Some(directory) = command.get_current_dir() {
        quiet = quiet.current_dir(directory);
    }
    quiet.expect(0)
}

fn status(bench: &Bench, id: &str) -> String {
    let outcome = bench.runtime().args(["state", id]).expect(0);
    let state: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    state["status"].as_str().expect("a status").to_owned()
}

/// A plain bundle that runs until it is ended.
fn lasting(bench: &Bench, name: &str) -> Bundle {
    plain::bundle(bench, name, &["sleep", "1000"])
}

#[test]
fn a_sealed_command_that_can_not_be_executed_is_127_or_126_in_one_line() {
    let bench = Bench::new();
    let bundle = bench.sealed("sealed", &busybox(), &["true"]);
    fs::write(bundle.project.join("data"), "data").expect("write");
    for (command, code, says) in [
        ("/nope", 127, "\"/nope\": no such file or directory"),
        ("/project/data", 126, "\"/project/data\": permission denied"),
    ] {
        bundle.edit(|spec| spec["process"]["args"] = json!([command]));
        let outcome = bundle.run(&bench).expect(code);
        let line = outcome.one_line().to_lowercase();
        assert!(line.contains(says), "no \"{says}\": {line}");
        bench.assert_nothing_left_by(&outcome);
    }
}

/// What the owner of a project put in its place after it was planned, and before it was mounted.
fn swapped(bench: &Bench, name: &str, swap: impl FnOnce(&Path, &Path)) -> Outcome {
    let project = bench.directory(&format!("{name}-project"));
    chown(&project, Some(ANOTHER), Some(ANOTHER)).expect("chown");
    let secret = bench.directory(&format!("{name}-secret"));
    fs::write(secret.join("secret"), "root's").expect("write");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o700)).expect("chmod");
    let words = ["sh", "-c", "cat /project/secret; echo x > /project/made"];
    let bundle = bench.sealed_for(name, &busybox(), &words, &project, 3_999_999);
    fs::rename(&project, bench.path(&format!("{name}-old"))).expect("rename");
    swap(&project, &secret);
    let outcome = bundle.run(bench).run();
    assert!(!secret.join("made").exists(), "written: {outcome}");
    outcome
}

#[test]
fn a_project_that_became_a_link_or_another_owners_is_refused() {
    let bench = Bench::new();
    let outcome = swapped(&bench, "link", |project, secret| {
        std::os::unix::fs::symlink(secret, project).expect("a link");
    });
    bench.assert_refused(&outcome, "link-project");
    let outcome = swapped(&bench, "moved", |project, secret| {
        // Not the owner's to do, but what an owner of the directory above can have done.
        fs::rename(secret, project).expect("rename");
    });
    bench.assert_refused(&outcome, "moved-project");
}

#[test]
fn a_relative_root_and_pid_file_stay_where_they_were_named() {
    let bench = Bench::new();
    let here = bench.path("");
    let relative = || {
        let tool = Tool::new(integration::opt_runtime()).args(["--root", "state"]);
        tool.current_dir(&here)
    };
    let id = &own_id("relative");
    for bundle in [
        lasting(&bench, "plain"),
        bench.sealed("sealed", &busybox(), &["sleep", "1000"]),
    ] {
        let tool = relative().args(["create", "--pid-file", "pid", "--bundle"]);
        create(tool.arg(&bundle.directory).arg(id));
        assert_eq!(bench.state_names(), [id.as_str()]);
        let pid = fs::read_to_string(bench.path("pid")).expect("the pid file");
        assert!(Path::new("/proc").join(&pid).exists(), "no process {pid}");
        fs::remove_file(bench.path("pid")).expect("remove");
        relative().args(["start", id]).expect(0);
        assert_eq!(status(&bench, id), "running");
        relative().args(["delete", "--force", id]).expect(0);
        bench.assert_gone(id);
    }
}

#[test]
fn a_run_with_a_relative_root_and_pid_file_keeps_its_state_there() {
    let bench = Bench::new();
    let probe = Probe::on(&bench).command();
    let bundle = bench.sealed("sealed", &probe, &["hold"]);
    let elsewhere = bench.directory("project");
    let config = bench.config(&json!([probe]));
    let runtime = Tool::new(integration::opt_runtime())
        .args(["--root", "state", "run", "--pid-file", "pid"])
        .arg(&bundle.directory);
    let server = Tool::new(integration::opt_server())
        .args(["run", "--root", "state", "--config"])
        .arg(&config)
        .arg("--project")
        .arg(&elsewhere)
        .args(["probe", "hold"]);
    for tool in [runtime, server] {
        let mut running = tool.current_dir(&bench.path("")).start();
        running.wait_for("ready");
        assert_ne!(bench.state_names(), [""; 0], "no state where it was named");
        running.signal(libc::SIGTERM);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(128 + libc::SIGTERM), "{outcome}");
        bench.assert_nothing_left_by(&outcome);
    }
    assert!(bench.path("pid").exists(), "no pid file where it was named");
}

#[test]
fn real_time_signals_from_inside_do_not_end_the_first_process() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let script = "n=34; while [ $n -le 64 ]; do kill -$n 1 || exit 9; n=$((n+1)); done; \
                  sleep 0.2; echo alive";
    let tool = bench.serve(&project, &json!([busybox()]));
    let outcome = tool.args(["busybox", "sh", "-c", script]).expect(0);
    assert_eq!(outcome.stdout, "alive\n", "{outcome}");
}

/// A run that holds, and the names in its state directory.
fn holding(bench: &Bench) -> (Running, Vec<String>) {
    let project = bench.directory("project");
    let tool = bench.serve(&project, &json!([Probe::on(bench).command()]));
    let mut running = tool.args(["probe", "hold"]).start();
    running.wait_for("ready");
    (running, bench.state_names())
}

#[test]
fn a_sweep_from_another_pid_namespace_leaves_a_live_run_alone() {
    let bench = Bench::new();
    let other = plain::bundle(&bench, "plain", &["true"]);
    let (mut running, names) = holding(&bench);
    assert_ne!(names, [""; 0]);
    let id = names.iter().find(|name| !name.starts_with(['@', '%']));
    let id = id.expect("an id").clone();
    let cgroups = host::cgroups_of(&id);
    Tool::new("unshare")
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(integration::opt_runtime())
        .arg("--root")
        .arg(bench.root())
        .arg("run")
        .arg(&other.directory)
        .expect(0);
    assert!(!running.has_ended(), "the live run was ended");
    assert_eq!(bench.state_names(), names, "its state was taken");
    assert_eq!(host::cgroups_of(&id), cgroups, "its cgroup was taken");
    running.signal(libc::SIGTERM);
    let outcome = running.wait();
    assert_eq!(outcome.code, Some(128 + libc::SIGTERM), "{outcome}");
    bench.assert_nothing_left_by(&outcome);
}

/// Its limits would change, and whoever deletes one container would end the other.
#[test]
fn a_cgroup_with_processes_in_it_is_not_shared() {
    let bench = Bench::new();
    let ids = [own_id("maker"), own_id("guest")];
    let cgroup = format!("/opt-runtime-shared-{}", own_id("cgroup"));
    let bundles = ids.each_ref().map(|id| {
        let bundle = lasting(&bench, id);
        bundle.edit(|spec| spec["linux"]["cgroupsPath"] = json!(cgroup));
        bundle
    });
    create(bundles[0].create(&bench, &ids[0]));
    let refused = bundles[1].create(&bench, &ids[1]).run();
    assert_eq!(refused.code, Some(125), "{refused}");
    assert!(
        refused.one_line().contains("cgroup is not empty"),
        "{refused}"
    );
    bench.runtime().args(["start", &ids[0]]).expect(0);
    assert_eq!(status(&bench, &ids[0]), "running");
    bench
        .runtime()
        .args(["delete", "--force", &ids[0]])
        .expect(0);
    assert_eq!(bench.state_names(), [""; 0]);
    let left = host::cgroups(cgroup.trim_start_matches('/'));
    assert!(left.is_empty(), "left: {left:?}");
}

/// Nobody would ever see the first process come out of it, and `create` would wait for it.
#[test]
fn a_frozen_cgroup_is_refused() {
    let bench = Bench::new();
    let id = own_id("frozen");
    let name = format!("opt-runtime-{id}-cgroup");
    let frozen = cgroup::Frozen::new(&name);
    let bundle = lasting(&bench, &id);
    bundle.edit(|spec| spec["linux"]["cgroupsPath"] = json!(format!("/{name}")));
    let refused = bundle.create(&bench, &id).run();
    drop(frozen);
    bench.assert_refused(&refused, "unexpectedly frozen");
    assert!(
        host::cgroups(&name).is_empty(),
        "{:?}",
        host::cgroups(&name)
    );
}

/// A change to a spec, and what the refusal must name.
type Case = (fn(&mut Value), &'static str);

#[test]
fn specs_that_reach_too_far_or_say_half_are_refused() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let whole = bundle.spec();
    let cases: [Case; 5] = [
        (
            |spec| spec["linux"]["cgroupsPath"] = json!("/a/../../b"),
            "linux.cgroupsPath",
        ),
        (
            |spec| spec["linux"]["cgroupsPath"] = json!("../b"),
            "linux.cgroupsPath",
        ),
        (
            |spec| spec["linux"]["cgroupsPath"] = json!("/"),
            "linux.cgroupsPath",
        ),
        (|spec| add_mapped(spec, "uidMappings"), "needs both"),
        (|spec| add_mapped(spec, "gidMappings"), "needs both"),
    ];
    for (change, says) in cases {
        bundle.set_spec(&whole).edit(change);
        bench.assert_refused(&bundle.run(&bench).run(), says);
        bench.assert_refused(&bundle.create(&bench, &own_id("refused")).run(), says);
    }
}

/// A user namespace, and in it a bind mount with ids of its own, but only half of them.
fn add_mapped(spec: &mut Value, key: &str) {
    let mut mount = json!({
        "destination": "/mapped", "type": "bind", "source": "/usr", "options": ["bind", "ro"],
    });
    mount[key] = json!([{ "containerID": 0, "hostID": 100_000, "size": 1 }]);
    let ids = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    spec["linux"]["uidMappings"] = ids.clone();
    spec["linux"]["gidMappings"] = ids;
    let namespaces = spec["linux"]["namespaces"].as_array_mut();
    namespaces
        .expect("namespaces")
        .push(json!({ "type": "user" }));
    spec["mounts"].as_array_mut().expect("mounts").push(mount);
}

#[test]
fn state_answers_at_once_while_another_command_holds_the_container() {
    let bench = Bench::new();
    let id = &own_id("held");
    let bundle = lasting(&bench, "plain");
    let (entered, leave) = (bench.path("entered"), bench.path("leave"));
    let script = format!(
        "touch {}; n=0; while ! [ -e {} ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done",
        entered.display(),
        leave.display()
    );
    bundle.edit(|spec| {
        spec["hooks"] = json!({ "poststart": [
            { "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] },
        ] });
    });
    create(bundle.create(&bench, id));
    let start = bench.runtime().args(["start", id]).start();
    wait_until("the hook runs", SOON, || entered.exists());
    let began = Instant::now();
    let seen = status(&bench, id);
    let took = began.elapsed();
    fs::write(&leave, "").expect("write");
    let started = start.finish();
    assert_eq!(started.code, Some(0), "{started}");
    assert!(took < Duration::from_secs(3), "state took {took:?}");
    assert!(["created", "running"].contains(&seen.as_str()), "{seen}");
    bench.runtime().args(["delete", "--force", id]).expect(0);
    bench.assert_gone(id);
}

/// The commands that print, on a created container and its bundle, each with its code where it can't.
fn printing(bench: &Bench, bundle: &Bundle, id: &str) -> Vec<(Tool, i32)> {
    let on = |word: &str| bench.runtime().arg(word).arg(&bundle.directory);
    vec![
        (bench.runtime().args(["state", id]), 1),
        (on("check"), 125),
        (on("check").arg("--json"), 125),
        (on("explain"), 125),
        (on("explain").arg("--json"), 125),
    ]
}

fn printed_to(tool: &mut Tool, out: impl Into<Stdio>) -> Output {
    let command: &mut Command = tool.command();
    command.stdout(out).output().expect("run it")
}

#[test]
fn what_can_not_be_printed_is_one_line_and_a_reader_that_left_is_no_error() {
    let bench = Bench::new();
    let id = &own_id("printing");
    let bundle = bench.sealed("sealed", &busybox(), &["true"]);
    create(bundle.create(&bench, id));
    for (mut tool, code) in printing(&bench, &bundle, id) {
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("open");
        let output = printed_to(&mut tool, full);
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(
            line.contains("write: No space left on device") && line.lines().count() == 1,
            "{line}"
        );
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let output = printed_to(&mut tool, writer);
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*line), (Some(0), ""));
    }
    bench.runtime().args(["delete", "--force", id]).expect(0);
}

#[test]
fn information_that_nobody_reads_does_not_keep_the_command_from_running() {
    let bench = Bench::new();
    let project = bench.directory("project");
    let mut tool = bench.serve(&project, &json!([busybox()])).args([
        "--sandbox-info",
        "busybox",
        "echo",
        "ran",
    ]);
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let output = tool.command().stderr(writer).output().expect("run it");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"ran\n");
}
