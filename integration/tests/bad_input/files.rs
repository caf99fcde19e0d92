//! A bundle whose files aren't what they should be.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;

use integration::{Bench, Tool, plain};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use super::refusal::Refusals;

#[test]
fn a_bundle_that_is_none_is_named() {
    let bench = Bench::new();
    let mut refusals = Refusals::on(&bench);
    let file = bench.file("a-file", "");
    for (path, says) in [
        (bench.path("nothere"), "nothere: No such file or directory"),
        (bench.path("a-file"), "a-file"),
        (
            bench.directory("empty"),
            "empty/config.json: No such file or directory",
        ),
        (file.join("below"), "a-file/below: Not a directory"),
        (bench.path(&"x".repeat(300)), "(os error 36)"),
        (
            bench.path(OsStr::from_bytes(b"odd\x1b[2J\n").to_str().expect("text")),
            "odd\\u{1b}[2J",
        ),
    ] {
        let name = path.display().to_string();
        for command in ["create", "run", "restore"] {
            refusals.expect(&name, 125, says, |tool| {
                tool.args([command, "--bundle"]).arg(&path).arg("bad")
            });
        }
        for command in ["check", "explain"] {
            refusals.expect(&name, 125, says, |tool| tool.arg(command).arg(&path));
        }
    }
    for command in ["run", "check"] {
        refusals.expect("an empty path", 125, "", |tool| tool.args([command, ""]));
    }
    refusals.end();
}

#[test]
fn a_config_of_another_name_is_told_by_that() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let good = bundle.spec();
    let mut refusals = Refusals::on(&bench);
    let file = bench.path("other.json");
    for (pointer, value, says) in [
        ("/ociVersion", json!(1), "other.json: ociVersion: expected"),
        ("/ociVersion", json!("2.0"), "other.json: ociVersion is"),
        ("/process/cwd", json!("relative"), "other.json: process.cwd"),
        ("/linux", json!(null), "other.json: linux is absent"),
        (
            "/hooks",
            json!({"prestart": [{"path": "x"}]}),
            "other.json: hooks",
        ),
    ] {
        let mut spec = good.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        spec.pointer_mut(parent).expect("a parent")[key] = value;
        fs::write(&file, spec.to_string()).expect("write");
        refusals.expect(pointer, 125, says, |tool| {
            let tool = tool.args(["create", "--bundle"]).arg(&bundle.directory);
            tool.arg("--config").arg(&file).arg("bad")
        });
    }
    refusals.end();
}

#[test]
fn a_config_that_is_no_file_is_named_and_nobody_waits_for_it() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let config = bundle.directory.join("config.json");
    let mut refusals = Refusals::on(&bench);
    let mut refuse = |name: &str, says: &str| {
        for command in ["run", "check"] {
            refusals.expect(name, 125, says, |tool| {
                tool.arg(command).arg(&bundle.directory)
            });
        }
        refusals.expect(name, 125, says, |tool| {
            tool.args(["create", "--bundle"])
                .arg(&bundle.directory)
                .arg("bad")
        });
    };
    fs::remove_file(&config).expect("remove");
    refuse("missing", "config.json: No such file or directory");
    fs::create_dir(&config).expect("a directory");
    refuse("a directory", "config.json: not a regular file");
    fs::remove_dir(&config).expect("remove");
    mkfifo(&config, Mode::S_IRWXU).expect("a FIFO");
    refuse("a FIFO", "config.json: not a regular file");
    fs::remove_file(&config).expect("remove");
    let socket = UnixListener::bind(&config).expect("a socket");
    refuse("a socket", "config.json");
    drop(socket);
    for (target, says) in [
        ("nowhere", "config.json: No such file or directory"),
        // ELOOP, for which each C library has its own words.
        ("config.json", "(os error 40)"),
        ("/dev/zero", "config.json: not a regular file"),
        ("/dev/tty", "config.json"),
    ] {
        fs::remove_file(&config).expect("remove");
        symlink(target, &config).expect("a link");
        refuse(&format!("a link to {target}"), says);
    }
    refusals.end();
}

#[test]
fn a_root_that_is_no_directory_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let rootfs = bundle.rootfs();
    fs::rename(&rootfs, bundle.directory.join("kept")).expect("rename");
    let mut refusals = Refusals::on(&bench);
    let mut refuse = |name: &str, says: &str| {
        for command in ["run", "check"] {
            refusals.expect(name, 125, says, |tool| {
                tool.arg(command).arg(&bundle.directory)
            });
        }
    };
    refuse("missing", "rootfs: No such file or directory");
    fs::write(&rootfs, "").expect("a file");
    refuse("a file", "rootfs is not a directory");
    for (target, says) in [
        ("nowhere", "rootfs: No such file or directory"),
        ("rootfs", "(os error 40)"),
        ("config.json", "config.json is not a directory"),
    ] {
        fs::remove_file(&rootfs).expect("remove");
        symlink(target, &rootfs).expect("a link");
        refuse(&format!("a link to {target}"), says);
    }
    refusals.end();
    // As with runc and crun, a link to a directory is that directory.
    fs::remove_file(&rootfs).expect("remove");
    symlink("kept", &rootfs).expect("a link");
    bundle.run(&bench).expect(0);
}

#[test]
fn a_bundle_that_an_ordinary_user_may_not_read_is_named() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "bundle", &["true"]);
    let config = bundle.directory.join("config.json");
    fs::set_permissions(&config, Permissions::from_mode(0o600)).expect("chmod");
    let state = bench.directory("users-state");
    fs::set_permissions(&state, Permissions::from_mode(0o777)).expect("chmod");
    let refused = |command: &str, says: &str| {
        let mut tool = Tool::new(bench.everybodys_runtime())
            .arg("--root")
            .arg(&state)
            .arg(command)
            .arg(&bundle.directory);
        tool.command().uid(65_534).gid(65_534);
        tool.run().refused(says);
        assert_eq!(integration::host::names_in(&state), [""; 0]);
    };
    for command in ["run", "check"] {
        refused(command, "config.json: permission denied");
    }
    fs::set_permissions(&bundle.directory, Permissions::from_mode(0o700)).expect("chmod");
    refused("run", "permission denied");
}
