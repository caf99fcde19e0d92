//! `checkpoint` and `restore`: what is said without a criu that works here, and the whole way with one.
//!
//! criu 3.17 doesn't start on Linux 6.18 ("vdso: Failed to fill self vdso symtable"). Where `criu check` succeeds,
//! as in hack/vm's guest with criu and the kernel's netlink modules, the second half runs too.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use integration::{Bench, Bundle, plain, skip, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn own_id(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// A container that counts in a file of the host's.
struct Counting {
    bench: Bench,
    bundle: Bundle,
    id: String,
}

impl Counting {
    fn new(name: &str) -> Self {
        let bench = Bench::new();
        let script = "n=0; while true; do n=$((n+1)); echo $n > /shared/count; sleep 0.1; done";
        let bundle = plain::bundle(&bench, "counting", &["sh", "-c", script]);
        let shared = bench.directory("shared");
        bundle.edit(|spec| {
            let mount = json!({
                "destination": "/shared", "type": "bind", "source": shared, "options": ["bind"],
            });
            spec["mounts"].as_array_mut().expect("mounts").push(mount);
            // criu 3.17 fails to save a network namespace on newer kernels, with any runtime.
            let namespaces = ["pid", "mount", "ipc", "uts"].map(|kind| json!({ "type": kind }));
            spec["linux"]["namespaces"] = json!(namespaces);
            spec["linux"]["resources"] = json!({ "pids": { "limit": 33 } });
        });
        Self {
            bench,
            bundle,
            id: own_id(name),
        }
    }

    fn start(&self) {
        let mut create = self.bundle.create(&self.bench, &self.id);
        let command = create.command();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().expect("create").success());
        self.bench.runtime().args(["start", &self.id]).expect(0);
        wait_until("it counts", SOON, || self.count() > 2);
    }

    fn count(&self) -> u64 {
        let text = fs::read_to_string(self.bench.path("shared/count")).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }

    fn status(&self) -> String {
        let state = self
            .bench
            .runtime()
            .args(["state", &self.id])
            .expect(0)
            .stdout;
        let state: Value = serde_json::from_str(&state).expect("JSON");
        state["status"].as_str().expect("a status").to_owned()
    }

    fn images(&self) -> PathBuf {
        self.bench.path("images")
    }

    fn assert_counts_on(&self) {
        let now = self.count();
        wait_until("it counts on", SOON, || self.count() > now);
        assert_eq!(self.status(), "running");
    }
}

fn criu_works() -> bool {
    let check = Command::new("criu").arg("check").output();
    check.is_ok_and(|check| check.status.success())
}

#[test]
fn without_criu_one_line_says_so_and_the_container_runs_on() {
    let counting = Counting::new("nocriu");
    counting.start();
    let (bench, id) = (&counting.bench, &counting.id);
    let images = counting.images();
    let checkpoint =
        bench
            .runtime()
            .args(["--criu", "/no/such/criu", "checkpoint", "--image-path"]);
    let outcome = checkpoint.arg(&images).arg(id).expect(1);
    assert!(
        outcome
            .one_line()
            .contains("there is no /no/such/criu; hint:"),
        "{outcome}"
    );
    counting.assert_counts_on();
    bench.runtime().args(["delete", "--force", id]).expect(0);

    let restore = bench
        .runtime()
        .args(["--criu", "/no/such/criu", "restore", "--image-path"]);
    let restore = restore
        .arg(&images)
        .arg("--bundle")
        .arg(&counting.bundle.directory);
    let outcome = restore.arg(id).run();
    bench.assert_refused(&outcome, "there is no /no/such/criu");
    bench.assert_gone(id);
}

/// A change to a spec, and what the refusal must name.
type Case = (fn(&mut Value), &'static str);

#[test]
fn what_can_not_be_saved_or_made_again_is_named() {
    let counting = Counting::new("refused");
    let (bench, id) = (&counting.bench, &counting.id);
    let outcome = bench.runtime().args(["checkpoint", id]).expect(1);
    assert!(outcome.one_line().contains("does not exist"), "{outcome}");
    let restore = || {
        let tool = bench.runtime().args(["restore", "--image-path"]);
        tool.arg(bench.directory("images"))
            .arg("-b")
            .arg(&counting.bundle.directory)
            .arg(id)
    };
    let whole = counting.bundle.spec();
    let cases: [Case; 3] = [
        (
            |spec| spec["hooks"] = json!({ "poststart": [{ "path": "/bin/true" }] }),
            "hooks",
        ),
        (
            |spec| spec["process"]["terminal"] = json!(true),
            "process.terminal",
        ),
        (
            |spec| {
                let joined = json!({ "type": "ipc", "path": "/proc/self/ns/ipc" });
                spec["linux"]["namespaces"][2] = joined;
            },
            "ipc namespace",
        ),
    ];
    for (change, says) in cases {
        counting.bundle.set_spec(&whole).edit(change);
        bench.assert_refused(&restore().run(), says);
    }
    counting.bundle.set_spec(&whole);
    let outcome = restore().args(["--policy", "seal"]).run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    bench.assert_refused(&restore().arg("--systemd-cgroup").run(), "--systemd-cgroup");
    // podman asks for the help to know whether there is such a command.
    for command in ["checkpoint", "restore"] {
        bench.runtime().args([command, "--help"]).expect(0);
    }
}

#[test]
fn a_container_goes_on_where_it_was_saved() {
    let counting = Counting::new("saved");
    counting.start();
    let (bench, id) = (&counting.bench, &counting.id);
    let images = counting.images();
    let checkpoint = |more: &[&str]| {
        let tool = bench
            .runtime()
            .arg("checkpoint")
            .args(more)
            .arg("--image-path");
        tool.arg(&images).arg(id)
    };
    if !criu_works() {
        let outcome = checkpoint(&[]).expect(1);
        assert!(outcome.one_line().contains("criu dump: "), "{outcome}");
        counting.assert_counts_on();
        bench.runtime().args(["delete", "--force", id]).expect(0);
        return skip("criu doesn't work here, so only its failure is seen");
    }
    checkpoint(&["--leave-running"]).expect(0);
    counting.assert_counts_on();
    fs::remove_dir_all(&images).expect("remove the images");
    checkpoint(&[]).expect(0);
    let saved = counting.count();
    bench.assert_gone(id);

    let mut restore = bench
        .runtime()
        .args(["restore", "--detach", "--image-path"])
        .arg(&images);
    restore = restore.arg("-b").arg(&counting.bundle.directory);
    restore = restore.arg("--pid-file").arg(bench.path("pid")).arg(id);
    let command = restore.command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(command.status().expect("restore").success());
    wait_until("it goes on", SOON, || counting.count() > saved);
    counting.assert_counts_on();
    let pid = fs::read_to_string(bench.path("pid")).expect("a pid");
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("its cgroup");
    assert!(cgroup.contains(&format!("-{id}")), "{cgroup}");
    bench.runtime().args(["exec", id, "true"]).expect(0);
    bench.runtime().args(["delete", "--force", id]).expect(0);
    bench.assert_gone(id);
}

#[test]
fn what_criu_forgets_stops_the_restored_process() {
    if !criu_works() {
        return skip("criu doesn't work here");
    }
    let counting = Counting::new("forgets");
    counting
        .bundle
        .edit(|spec| spec["process"]["noNewPrivileges"] = json!(true));
    counting.start();
    let (bench, id) = (&counting.bench, &counting.id);
    let images = counting.images();
    let checkpoint = bench.runtime().args(["checkpoint", "--image-path"]);
    checkpoint.arg(&images).arg(id).expect(0);
    let mut restore = bench
        .runtime()
        .args(["restore", "--detach", "--image-path"])
        .arg(&images);
    restore = restore.arg("-b").arg(&counting.bundle.directory).arg(id);
    let status = restore
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if status.expect("restore").success() {
        let pid = bench.runtime().args(["state", id]).expect(0).stdout;
        let state: Value = serde_json::from_str(&pid).expect("JSON");
        let own = fs::read_to_string(format!("/proc/{}/status", state["pid"])).expect("status");
        assert!(own.contains("NoNewPrivs:\t1"), "{own}");
        bench.runtime().args(["delete", "--force", id]).expect(0);
    }
    bench.assert_gone(id);
}
