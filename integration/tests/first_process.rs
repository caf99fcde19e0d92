//! What a container's first process is left with of its caller's, which is nothing, and what it is given and promised to
//! be, by ways that only few bundles take.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use integration::{Bench, Bundle, Tool, host, plain, require_program, wait_until};
use serde_json::{Value, json};

/// The first id on the host of the user namespaces here.
const SHIFTED: u32 = 100_000;

const SOON: Duration = Duration::from_secs(10);

/// Gives `bundle` a user namespace whose root is [`SHIFTED`] on the host, and the root file system to it.
fn shift(bundle: &Bundle) {
    let mappings = json!([{ "containerID": 0, "hostID": SHIFTED, "size": 65_536 }]);
    bundle.edit(|spec| {
        spec["linux"]["uidMappings"] = mappings.clone();
        spec["linux"]["gidMappings"] = mappings;
        let namespaces = spec["linux"]["namespaces"].as_array_mut();
        namespaces.expect("a list").push(json!({ "type": "user" }));
    });
    Tool::new("chown")
        .args(["-R", &format!("{SHIFTED}:{SHIFTED}")])
        .arg(bundle.rootfs())
        .expect(0);
}

fn add_mount(bundle: &Bundle, mount: Value) {
    bundle.edit(|spec| spec["mounts"].as_array_mut().expect("mounts").push(mount));
}

/// Of root's groups either, whatever the bundle's namespaces are.
#[test]
fn no_group_of_the_callers_comes_along() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/status"]);
    for is_shifted in [false, true] {
        if is_shifted {
            shift(&bundle);
        }
        let run = bundle.run(&bench);
        let run = run.within("setpriv", &["--groups=54331,54332"]);
        run.expect(0).says("\nGroups:\t \n");
    }
}

/// The runtime blocks those that it forwards.
#[test]
fn hooks_inside_start_with_no_signal_blocked() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/tmp/seen"]);
    let script = "busybox grep SigBlk /proc/self/status >> /tmp/seen";
    bundle.edit(|spec| {
        spec["hooks"]["startContainer"] = json!([
            { "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"] },
        ]);
    });
    let outcome = bundle.run(&bench).expect(0);
    assert_eq!(outcome.stdout, "SigBlk:\t0000000000000000\n");
}

/// The command has no privilege to raise it with; where the runtime has none either, it says so when it makes the container.
#[test]
fn a_limit_above_the_callers_is_raised_before_privileges_are_gone() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["sh", "-c", "ulimit -Sn; ulimit -Hn"]);
    bundle.edit(|spec| {
        spec["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 700, "hard": 900 }]);
    });
    for name in ["direct", "shifted"] {
        if name == "shifted" {
            shift(&bundle);
        }
        let id = format!("{name}-{}", std::process::id());
        let files = [bench.path("output"), bench.path("errors")];
        let create = bundle.create(&bench, &id);
        let create = create.within("sh", &["-c", "ulimit -n 500; exec \"$@\"", "sh"]);
        let created = create.run_into(&files[0], &files[1]);
        if created.code != Some(0) {
            bench.assert_refused(&created, "RLIMIT_NOFILE to 500, at most 900");
            continue;
        }
        bench.runtime().args(["start", &id]).expect(0);
        let output = || fs::read_to_string(&files[0]).expect("the output");
        wait_until("output", SOON, || output() == "700\n900\n");
        bench.runtime().args(["delete", "--force", &id]).expect(0);
    }
}

/// Killed when it has made the process and not yet let it go on: nobody deletes what was made.
#[test]
fn a_first_process_ends_with_the_runtime_that_made_it() {
    require_program("/usr/bin/strace", "strace");
    for name in ["direct", "shifted"] {
        let bench = Bench::new();
        let bundle = plain::bundle(&bench, name, &["sleep", "1000"]);
        if name == "shifted" {
            shift(&bundle);
        }
        let id = |step| format!("{name}-{}-{step}", std::process::id());
        let is_found = (1..MOST_WRITES).any(|step| {
            let is_made = create_killed_at_write(&bench, &bundle, &id(step), step);
            if is_made {
                let place = bench.root().display().to_string();
                let is_ours = |shown: &str| shown.contains(&place) && !shown.starts_with("strace");
                wait_until("it is gone", SOON, || host::processes(is_ours).is_empty());
            }
            let delete = bench.runtime().args(["delete", "--force", &id(step)]);
            delete.expect(0);
            is_made
        });
        assert!(is_found, "{name}: it was never killed between the two");
    }
}

/// More than `create` makes before it has a process.
const MOST_WRITES: usize = 40;

/// Runs `create`, which strace kills as it is about to write for the time number `step`. Whether it had made a process.
fn create_killed_at_write(bench: &Bench, bundle: &Bundle, id: &str, step: usize) -> bool {
    let trace = bench.path("trace");
    let shown = trace.display().to_string();
    let inject = format!("inject=write:signal=KILL:when={step}");
    let options = [
        "-D",
        "-o",
        &shown,
        "-e",
        "trace=clone,clone3,write",
        "-e",
        &inject,
    ];
    let create = bundle.create(bench, id).within("strace", &options);
    create.run_into(&bench.path("output"), &bench.path("errors"));
    fs::read_to_string(trace).is_ok_and(|text| text.contains("clone"))
}

/// Wherever the host has it mounted: where one is seen whole, the kernel lets whoever makes a user namespace inside mount
/// one without masks.
#[test]
fn without_pivot_no_procfs_of_the_hosts_is_seen() {
    let bench = Bench::new();
    let script = "mount -t proc proc /proc 2>/dev/null && echo mounted || echo refused";
    let command = ["busybox", "unshare", "-mrpf", "sh", "-c", script];
    let bundle = plain::bundle(&bench, "plain", &command);
    bundle.edit(|spec| {
        let list = ["CAP_SETFCAP"];
        spec["process"]["capabilities"] =
            json!({ "bounding": list, "effective": list, "permitted": list });
        spec["linux"]["maskedPaths"] = json!(["/proc/sys"]);
    });
    let elsewhere = bench.directory("elsewhere");
    let script = format!("mount -t proc proc {}", elsewhere.display());
    let run = |options: &[&str]| {
        let run = bench.runtime().arg("run").args(options);
        let run = run.arg(&bundle.directory).after(&script);
        run.expect(0).stdout
    };
    assert_eq!(run(&["--no-pivot"]), "refused\n");
    assert_eq!(run(&[]), "refused\n");
    // The control: without masks there is nothing to go around.
    bundle.edit(|spec| spec["linux"]["maskedPaths"] = json!([]));
    assert_eq!(run(&["--no-pivot"]), "mounted\n");
}

/// As where the host's root is in memory: the kernel refuses pivot_root(2) there.
#[test]
fn without_pivot_the_kernel_is_not_asked_for_it() {
    require_program("/usr/bin/strace", "strace");
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["echo", "inside"]);
    let run = |options: &[&str]| {
        let run = bench.runtime().arg("run").args(options);
        let inject = "inject=pivot_root:error=EINVAL";
        let strace = ["-f", "-o", "/dev/null", "-e", inject];
        run.arg(&bundle.directory).within("strace", &strace).run()
    };
    let outcome = run(&["--no-pivot"]);
    assert_eq!(outcome.stdout, "inside\n", "{outcome}");
    // The control.
    assert_eq!(run(&[]).stdout, "");
}

/// A directory of the host's in which only a group may look that is the command's and not the container's root's: the
/// path can't be masked from there, and must not be left to be read instead.
#[test]
fn what_only_the_command_could_reach_is_masked_or_refused() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/data/private/secret"]);
    shift(&bundle);
    let data = bench.directory("data");
    let private = bench.directory("data/private");
    bench.file("data/private/secret", "hunter2\n");
    chown(&private, Some(0), Some(SHIFTED + 50)).expect("chown");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o750)).expect("chmod");
    let options = ["rbind", "ro"];
    add_mount(
        &bundle,
        json!({ "destination": "/data", "type": "bind", "source": data, "options": options }),
    );
    bundle.edit(|spec| {
        spec["process"]["user"] = json!({ "uid": 5, "gid": 5, "additionalGids": [50] });
    });
    // The control.
    bundle.run(&bench).expect(0).says("hunter2");
    bundle.edit(|spec| spec["linux"]["maskedPaths"] = json!(["/data/private/secret"]));
    let whole = bundle.spec();
    let hook = json!([{ "path": "/bin/true", "args": ["true"] }]);
    for hooks in [json!(null), json!({ "startContainer": hook })] {
        bundle.set_spec(&whole).edit(|spec| {
            if !hooks.is_null() {
                spec["hooks"] = hooks.clone();
            }
        });
        let outcome = bundle.run(&bench).run();
        assert_eq!(outcome.stdout, "", "{hooks}: {outcome}");
        bench.assert_refused(&outcome, "/data/private/secret");
    }
}

/// In a user namespace it is not the bundle's to take back, whoever makes the mount.
#[test]
fn what_protects_a_mounts_source_stays_where_ids_are_mapped() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/mountinfo"]);
    shift(&bundle);
    let source = bench.directory("source");
    let options = ["rbind", "rw", "exec", "suid", "dev"];
    add_mount(
        &bundle,
        json!({ "destination": "/data", "type": "bind", "source": source, "options": options }),
    );
    let script = format!(
        "mount -t tmpfs -o ro,nosuid,nodev,noexec tmpfs {}",
        source.display()
    );
    let outcome = bundle.run(&bench).after(&script).expect(0);
    let mut lines = outcome.stdout.lines();
    let line = lines.find(|line| line.contains(" /data "));
    assert!(
        line.expect("the mount").contains(" ro,nosuid,nodev,noexec"),
        "{outcome}"
    );
}
