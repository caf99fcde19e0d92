//! Every execution is somebody of its own, and what it makes in the project is the project's owner's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::{Bench, Outcome, Tool, host, opt_server, wait_until};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

/// An overlay, which can't map ids, with a project of uid 1000 in it. Unmounted when dropped.
struct Overlay {
    merged: PathBuf,
}

impl Overlay {
    fn on(bench: &Bench) -> Self {
        let directories = ["lower", "upper", "work", "merged"].map(|name| bench.directory(name));
        let [lower, upper, work, merged] = &directories;
        mount_overlay(lower, upper, work, merged)
            .or_else(|_| {
                // An upper directory that is on an overlay itself.
                let memory = bench.directory("memory");
                let none: Option<&str> = None;
                let kind = Some("tmpfs");
                mount(kind, &memory, kind, MsFlags::empty(), none)?;
                let [upper, work] = ["upper", "work"].map(|name| memory.join(name));
                for part in [&upper, &work] {
                    fs::create_dir(part).expect("make");
                }
                let mounted = mount_overlay(lower, &upper, &work, merged);
                // The overlay holds it.
                umount2(&memory, MntFlags::MNT_DETACH)?;
                mounted
            })
            .expect("mount an overlay");
        Self {
            merged: merged.clone(),
        }
    }

    fn project(&self) -> PathBuf {
        let project = self.merged.join("project");
        fs::create_dir_all(project.join("sub/deep")).expect("make");
        for path in ["", "sub", "sub/deep"] {
            chown(project.join(path), Some(1000), Some(1000)).expect("chown");
        }
        for (name, owner) in [("mine", 1000), ("sub/deep/mine", 1000), ("others", 0)] {
            fs::write(project.join(name), "content").expect("write");
            chown(project.join(name), Some(owner), Some(owner)).expect("chown");
            let private = fs::Permissions::from_mode(0o600);
            fs::set_permissions(project.join(name), private).expect("chmod");
        }
        project
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = umount2(&self.merged, MntFlags::MNT_DETACH);
    }
}

fn mount_overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> nix::Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let kind = Some("overlay");
    mount(kind, at, kind, MsFlags::empty(), Some(&*options))
}

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).expect("a file");
    (metadata.uid(), metadata.gid())
}

fn shell(bench: &Bench, project: &Path, script: &str) -> Tool {
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    bench
        .serve(project, &json!([command]))
        .args(["busybox", "sh", "-c", script])
}

/// Reads and writes the owner's files, and not another's.
const USE: &str = "cat mine sub/deep/mine && echo more >> mine && mkdir new && echo x > new/file && \
                   ln -s mine link && ! cat others 2>/dev/null";

fn assert_all_are_the_owners(project: &Path) {
    for name in [
        "",
        "mine",
        "sub",
        "sub/deep",
        "sub/deep/mine",
        "new",
        "new/file",
        "link",
    ] {
        assert_eq!(owner(&project.join(name)), (1000, 1000), "{name}");
    }
    assert_eq!(owner(&project.join("others")), (0, 0));
}

#[test]
fn files_on_a_file_system_without_mapped_ids_come_back_as_the_owners() {
    let bench = Bench::new();
    let overlay = Overlay::on(&bench);
    let project = overlay.project();
    let outcome = shell(&bench, &project, USE).expect(0);
    outcome.says("contentcontent");
    assert_all_are_the_owners(&project);
    bench.assert_nothing_left_by(&outcome);
}

#[test]
fn files_in_memory_come_back_as_the_owners() {
    let bench = Bench::below(Path::new("/dev/shm"));
    let overlay = Overlay {
        merged: bench.directory("plain"),
    };
    let project = overlay.project();
    shell(&bench, &project, USE).expect(0);
    assert_all_are_the_owners(&project);
}

#[test]
fn lent_files_come_back_whoever_is_killed() {
    let bench = Bench::new();
    let overlay = Overlay::on(&bench);
    let script = format!("{USE}; echo ready; sleep 60");
    for killed in ["guardian", "worker", "both"] {
        let project = overlay.project();
        let mut running = shell(&bench, &project, &script).start();
        running.wait_for("ready");
        assert_ne!(owner(&project.join("mine")).0, 1000, "not lent");
        let worker = host::child_of(running.pid());
        if killed == "both" {
            // Neither may clean up after the other.
            host::stop(worker);
            running.signal(nix::libc::SIGSTOP);
        }
        if killed != "guardian" {
            host::kill(worker);
        }
        if killed != "worker" {
            running.kill();
        }
        if killed == "both" {
            assert_ne!(
                bench.state_names(),
                [""; 0],
                "nothing was left, so this tests nothing"
            );
            wait_until("its end", Duration::from_secs(10), || {
                !Path::new(&format!("/proc/{worker}")).exists()
            });
            // The next run, of anything, sweeps.
            shell(&bench, &bench.directory("another"), "true").expect(0);
        } else {
            wait_until("nothing left", Duration::from_secs(20), || {
                bench.state_names().is_empty()
            });
        }
        assert_all_are_the_owners(&project);
        drop(running);
        fs::remove_dir_all(&project).expect("remove");
    }
}

#[test]
fn a_lent_project_is_not_lent_twice() {
    let bench = Bench::new();
    let overlay = Overlay::on(&bench);
    let project = overlay.project();
    let mut first = shell(&bench, &project, "echo ready; read line; cat mine").start();
    first.wait_for("ready");
    let second = shell(&bench, &project, "echo ran").run();
    assert_eq!(second.code, Some(125), "{second}");
    assert!(
        second.one_line().contains("another execution has it"),
        "{second}"
    );
    first.write(b"\n");
    let first: Outcome = first.finish();
    assert_eq!(first.code, Some(0), "{first}");
    assert_eq!(owner(&project.join("mine")), (1000, 1000));
    bench.assert_nothing_left_by(&first);
}

/// Uid of the command on the host.
fn uid_of(running: &integration::Running) -> u32 {
    let mut pid = host::child_of(running.pid());
    loop {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(path).expect("its children");
        match children.split_whitespace().next() {
            Some(child) => pid = child.parse().expect("a pid"),
            None => return fs::metadata(format!("/proc/{pid}")).expect("it").uid(),
        }
    }
}

#[test]
fn ids_come_from_the_configured_range_and_no_two_at_once_share_them() {
    let bench = Bench::new();
    let project = bench.directory("project");
    // Enough for two at once.
    let config = json!({
        "x-opt-runtime": { "identity": { "first-id": 500_000, "ids": 128 } },
        "commands": [{ "name": "busybox", "executable": "/usr/bin/busybox" }],
    });
    let config = bench.file("range.json", config.to_string());
    let hold = || {
        let mut running = bench
            .serve_with(&project, &config)
            .args(["busybox", "sh", "-c", "echo ready; read line; exit 0"])
            .start();
        running.wait_for("ready");
        running
    };
    let (first, second) = (hold(), hold());
    let mut ids = [uid_of(&first), uid_of(&second)];
    ids.sort_unstable();
    assert_eq!(ids, [500_001, 500_065]);
    let third = bench
        .serve_with(&project, &config)
        .args(["busybox", "true"])
        .run();
    assert_eq!(third.code, Some(125), "{third}");
    assert!(third.one_line().contains("2 executions at once"), "{third}");
    assert_eq!(first.finish().code, Some(0));
    bench
        .serve_with(&project, &config)
        .args(["busybox", "true"])
        .expect(0);
    assert_eq!(second.finish().code, Some(0));
    // And explain shows one of them.
    let explained = Tool::new(opt_server())
        .args(["explain", "--config"])
        .arg(&config)
        .arg("--project")
        .arg(&project)
        .arg("busybox")
        .expect(0);
    let shown = ["uid 500001 ", "uid 500065 "].map(|id| explained.stdout.contains(id));
    assert!(shown.contains(&true), "{explained}");
}

#[test]
fn two_executions_can_not_see_signal_or_fill_each_other() {
    let bench = Bench::new();
    let (one, other) = (bench.directory("one"), bench.directory("other"));
    let mut held = shell(
        &bench,
        &one,
        "echo secret > /tmp/mine; echo ready; read line; df /tmp | tail -1",
    )
    .start();
    held.wait_for("ready");
    let uid = uid_of(&held);
    // Fills its own /tmp and /dev/shm, looks for processes, signals every pid there may be.
    let script = "dd if=/dev/zero of=/dev/shm/x bs=1M 2>/dev/null; \
                  dd if=/dev/zero of=/tmp/x bs=1M count=64 2>/dev/null; ls /tmp; \
                  for n in /proc/[0-9]*; do echo seen ${n#/proc/}; done; kill -9 -1; \
                  cat /tmp/mine";
    let outcome = shell(&bench, &other, script).run();
    assert!(!outcome.stdout.contains("secret"), "{outcome}");
    let seen = outcome
        .stdout
        .lines()
        .filter(|line| line.starts_with("seen"))
        .count();
    assert!((1..=4).contains(&seen), "{outcome}");
    assert_ne!(uid, 0);
    held.write(b"\n");
    let held = held.finish();
    assert_eq!(held.code, Some(0), "{held}");
    let used: Vec<&str> = held
        .stdout
        .lines()
        .last()
        .expect("a line")
        .split_whitespace()
        .collect();
    assert!(used[2].parse::<u64>().is_ok_and(|kib| kib < 100), "{held}");
}
