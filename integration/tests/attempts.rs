//! What a hostile program inside a sealed sandbox tries, and how each attempt ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use integration::{Bench, Probe, Tool, program};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::Value;

fn attempts(bench: &Bench, group: &str) -> Value {
    let bundle = bench.sealed(group, &Probe::on(bench).command(), &["try", group]);
    Probe::report(&bundle.run(bench).run())
}

/// Fails unless every attempt but the `harmless` ones ended with one of `allowed`.
#[track_caller]
fn assert_all_refused(report: &Value, allowed: &[&str], harmless: &[&str]) {
    let report = report.as_object().expect("attempts");
    assert!(report.len() > 3, "{report:?}");
    for (name, outcome) in report {
        if harmless.contains(&name.as_str()) {
            continue;
        }
        let refused = allowed.iter().any(|allowed| outcome == allowed);
        assert!(refused, "{name}: {outcome}, not one of {allowed:?}");
    }
}

#[test]
fn no_mount_call_and_no_other_root() {
    let bench = Bench::new();
    assert_all_refused(&attempts(&bench, "mounts"), &["EPERM"], &[]);
}

#[test]
fn no_namespace_new_or_joined() {
    let bench = Bench::new();
    let report = attempts(&bench, "namespaces");
    // EACCES: the first process's namespaces can't even be opened.
    assert_all_refused(
        &report,
        &["EPERM", "EACCES"],
        &["clone3 user", "clone plain"],
    );
    // The C library takes ENOSYS as "use clone", whose flags a filter can see.
    assert_eq!(report["clone3 user"], "ENOSYS");
    assert_eq!(report["clone plain"], "ok");
}

#[test]
fn no_other_process_is_read_or_traced() {
    let bench = Bench::new();
    assert_all_refused(&attempts(&bench, "tracing"), &["EPERM"], &[]);
}

#[test]
fn only_unix_sockets() {
    let bench = Bench::new();
    let report = attempts(&bench, "sockets");
    assert_all_refused(&report, &["EAFNOSUPPORT"], &["socket unix"]);
    assert!(
        report["socket unix"]
            .as_str()
            .expect("text")
            .starts_with("ok")
    );
}

#[test]
fn no_large_interface_of_the_kernels() {
    let bench = Bench::new();
    let report = attempts(&bench, "kernel");
    assert_all_refused(&report, &["EPERM"], &["io_uring_setup", "unknown call"]);
    assert_eq!(report["io_uring_setup"], "ENOSYS");
    assert_eq!(report["unknown call"], "ENOSYS");
}

#[test]
fn no_call_of_another_architecture() {
    let bench = Bench::new();
    let report = attempts(&bench, "foreign");
    let refusals = ["ENOSYS", "EPERM", "killed by SIGSYS", "killed by SIGSEGV"];
    assert_all_refused(&report, &refusals, &[]);
    let outside = Tool::new(integration::probe_path()).args(["try", "foreign"]);
    let report = Probe::report(&outside.run());
    assert!(
        report["int 0x80 getpid"]
            .as_str()
            .expect("text")
            .starts_with("ok"),
        "this kernel has 32-bit calls, or the attempt can't succeed: {report}"
    );
}

/// Nodes in the project that the sandbox's user may open as far as modes go: a device of memory and a
/// disk that isn't there.
fn make_nodes(project: &Path) {
    let mode = Mode::from_bits_truncate(0o666);
    for (name, kind, device) in [
        ("node-character", SFlag::S_IFCHR, makedev(1, 5)),
        ("node-block", SFlag::S_IFBLK, makedev(7, 200)),
    ] {
        let path = project.join(name);
        mknod(&path, kind, mode, device).expect("a device node");
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("chmod");
    }
}

#[test]
fn files_give_no_device_no_setting_no_set_id_bit_and_no_look_at_the_host() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["try", "files"]);
    make_nodes(&bundle.project);
    let report = Probe::report(&bundle.run(&bench).run());
    let expect = |names: &[&str], wanted: &[&str]| {
        for name in names {
            let outcome = &report[*name];
            assert!(
                wanted.iter().any(|text| outcome == text),
                "{name}: {outcome}, not {wanted:?}"
            );
        }
    };
    expect(
        &["mknod character device", "mknod block device"],
        &["EPERM"],
    );
    expect(&["open character device", "open block device"], &["EACCES"]);
    expect(
        &["write core_pattern", "write sysrq-trigger"],
        &["EACCES", "EROFS", "ENOENT"],
    );
    expect(
        &["read kcore", "read keys", "read timer_list"],
        &["ENODATA", "ENOENT", "EACCES"],
    );
    expect(
        &["setuid 0", "setresuid 0", "setgid 0", "setgroups 0"],
        &["EPERM"],
    );
    expect(&["chmod plain"], &["ok 700"]);
    expect(
        &[
            "chmod u+s",
            "chmod g+s",
            "create u+s",
            "create g+s",
            "creat u+s",
        ],
        &["EPERM"],
    );
    expect(&["fchmodat2 u+s", "mknod u+s"], &["EPERM", "ENOSYS"]);
    expect(&["openat2 u+s"], &["ENOSYS"]);
    expect(&["mkdir g+s"], &["ok 755"]);
    expect(
        &["write root", "write /dev", "write /usr/bin"],
        &["EACCES", "EROFS", "ENOENT", "EPERM"],
    );
    expect(
        &["write /proc", "read /etc/passwd", "read /etc/shadow"],
        &["ENOENT", "EACCES"],
    );
    expect(
        &[
            "list /root",
            "list /home",
            "list /sys",
            "list /boot",
            "list /run",
        ],
        &["ENOENT"],
    );
    expect(&["list /opt", "list /srv", "list /etc"], &["ENOENT"]);
    for name in integration::host::names_in(&bundle.project) {
        let mode = bundle
            .project
            .join(&name)
            .metadata()
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o6000, 0, "{name} has mode {mode:o} on the host");
    }
}

#[test]
fn the_same_attempts_succeed_where_the_protections_are_away() {
    let bench = Bench::new();
    let bundle = bench.sealed("weak", &Probe::on(&bench).command(), &["try"]);
    make_nodes(&bundle.project);
    bundle.without_promise().edit(|spec| {
        spec["linux"]["seccomp"] = Value::Null;
        for mount in spec["mounts"].as_array_mut().expect("mounts") {
            let options = mount["options"].as_array_mut().expect("options");
            options.retain(|option| option != "nodev");
        }
    });
    let report = Probe::report(&bundle.run(&bench).run());
    for name in [
        "unshare user",
        "clone user",
        "clone3 user",
        "ptrace traceme",
        "socket inet",
        "socket netlink",
        "chmod u+s",
        "create u+s",
        "fchmodat2 u+s",
        "openat2 u+s",
        "open character device",
        "int 0x80 getpid",
    ] {
        let outcome = report[name].as_str().expect("an outcome");
        assert!(
            outcome.starts_with("ok"),
            "{name}: {outcome}: the attempt can't succeed"
        );
    }
}

/// A copy of the probe with a setuid and setgid bit of `owner`, in a directory that can be mounted.
fn set_id_copy(bench: &Bench, name: &str, owner: u32) -> String {
    let directory = bench.directory("set-id");
    let copy = directory.join(name);
    program::copy([integration::probe_path()], &copy);
    chown(&copy, Some(owner), Some(owner)).expect("chown");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o6755)).expect("chmod");
    copy.display().to_string()
}

#[test]
fn set_id_programs_give_nothing() {
    const SLOT: u32 = 4_190_000;
    let bench = Bench::new();
    let inside_root = 0x7000_0000 + SLOT * 64;
    let probe = Probe::on(&bench);
    let command = probe.command_with(&bench.directory("set-id"));
    let project = bench.directory("project");
    for (name, owner) in [("of-root", 0), ("of-inside-root", inside_root)] {
        let program = set_id_copy(&bench, name, owner);
        let bundle = bench.sealed_for(name, &command, &["run", &program], &project, SLOT);
        let ids = Probe::report(&bundle.run(&bench).run())["ran"].clone();
        assert_eq!(
            (&ids["euid"], &ids["egid"]),
            (&1.into(), &1.into()),
            "{name}: {ids}"
        );
    }
    // With nosuid and no_new_privs away, the second one would have made it root inside.
    let program = set_id_copy(&bench, "of-inside-root", inside_root);
    let bundle = bench.sealed_for("weak", &command, &["run", &program], &project, SLOT);
    bundle.without_promise().edit(|spec| {
        spec["linux"]["seccomp"] = Value::Null;
        spec["process"]["noNewPrivileges"] = false.into();
        for mount in spec["mounts"].as_array_mut().expect("mounts") {
            let options = mount["options"].as_array_mut().expect("options");
            options.retain(|option| option != "nosuid");
        }
    });
    let ids = Probe::report(&bundle.run(&bench).run())["ran"].clone();
    assert_eq!(ids["euid"], 0, "the attempt can't succeed: {ids}");
}
