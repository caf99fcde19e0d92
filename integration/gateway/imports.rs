//! File systems that users have made: read in a sandbox, built anew, and never mounted as they are.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use integration::{Tool, host, program, skip};
use serde_json::json;

use crate::serving::{ANN, BOB, Gateway};

/// What a user has put together: with all that an image may not have.
fn tree(gateway: &Gateway) -> PathBuf {
    let tree = gateway.bench.directory("tree");
    fs::create_dir_all(tree.join("bin")).expect("a directory");
    fs::copy("/bin/busybox", tree.join("bin/busybox")).expect("copy");
    fs::set_permissions(tree.join("bin/busybox"), fs::Permissions::from_mode(0o4711))
        .expect("chmod");
    symlink("/etc/passwd", tree.join("link")).expect("a link");
    fs::write(tree.join("closed"), "closed").expect("write");
    fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o600)).expect("chmod");
    Tool::new("mknod")
        .arg(tree.join("device"))
        .args(["c", "1", "3"])
        .expect(0);
    Tool::new("mkfifo").arg(tree.join("fifo")).expect(0);
    tree
}

fn make(gateway: &Gateway, tree: &Path, kind: &str) -> PathBuf {
    let file = gateway.bench.path(&format!("own.{kind}"));
    let tool = match kind {
        "squashfs" => Tool::new("mksquashfs").arg(tree).arg(&file).args([
            "-quiet",
            "-no-progress",
            "-noappend",
        ]),
        _ => Tool::new("mkfs.erofs").arg("--quiet").arg(&file).arg(tree),
    };
    tool.expect(0);
    chown(&file, Some(ANN), Some(ANN)).expect("chown");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    file
}

/// Kind, mode and name of what an image of the gateway's holds.
fn held(gateway: &Gateway, id: &str) -> Vec<String> {
    let out = gateway.bench.path("out");
    let _ = fs::remove_dir_all(&out);
    let image = gateway.bench.path(&format!("images/{id}.erofs"));
    Tool::new("fsck.erofs")
        .arg(format!("--extract={}", out.display()))
        .arg(image)
        .expect(0);
    let found = Tool::new("find")
        .arg(&out)
        .args(["-mindepth", "1", "-printf", "%y %m %P\n"])
        .expect(0);
    let mut lines: Vec<String> = found.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn has_landlock() -> bool {
    // Without it nothing of the kind is unpacked, which unit tests can't show here.
    let has = host::has_landlock();
    if !has {
        skip("there is no Landlock");
    }
    has
}

#[test]
fn a_file_system_of_a_users_is_unpacked_in_a_sandbox_and_built_anew() {
    if !has_landlock() {
        return;
    }
    let gateway = Gateway::with(&json!({ "ImportUsers": ["games"] }));
    let tree = tree(&gateway);
    for kind in ["squashfs", "erofs"] {
        let file = make(&gateway, &tree, kind);
        let file = file.to_str().expect("a path");
        let name = format!("custom:mine:{kind}");
        gateway
            .client(BOB, &["import", &name, file])
            .run()
            .refused("permission denied");
        gateway.client(ANN, &["import", &name, file]).expect(0);
        let found = gateway.client(ANN, &["lookup", &name]).expect(0);
        let id = found.stdout.trim().to_owned();
        assert_eq!(
            held(&gateway, &id),
            [
                "d 755 bin",
                "f 644 closed",
                "f 755 bin/busybox",
                "l 777 link"
            ],
            "{kind}"
        );
        // It isn't the user's file that nodes get.
        let own = fs::read(file).expect("read");
        let made = fs::read(gateway.bench.path(&format!("images/{id}.erofs"))).expect("read");
        assert_ne!(own, made, "{kind}");
    }
    let left = gateway.bench.path("state/expand");
    assert_eq!(host::names_in(&left), [""; 0]);
}

/// What isn't the machine's own isn't even started, and the machine's own is: the sandbox is there before the program.
#[test]
fn whoever_reads_a_file_system_is_confined() {
    if !has_landlock() {
        return;
    }
    let gateway = Gateway::with(&json!({ "ImportUsers": ["games"] }));
    let tree = gateway.bench.directory("tree");
    let file = make(&gateway, &tree, "squashfs");
    let file = file.to_str().expect("a path");
    let marker = gateway.bench.path("state/ran");
    let other = format!("#!/bin/sh\n: >{}\nexit 1\n", marker.display());
    program::write(&gateway.bench.path("programs/unsquashfs"), &other);
    gateway
        .client(ANN, &["import", "custom:mine:1", file])
        .expect(0);
    assert!(!marker.exists(), "it ran");
}

#[test]
fn a_file_system_that_is_none_becomes_no_image_and_leaves_nothing() {
    if !has_landlock() {
        return;
    }
    let more =
        json!({ "ImportUsers": ["games"], "Limits": { "FreeMegabytes": 0, "ImageMegabytes": 3 } });
    let gateway = Gateway::with(&more);
    let whole = fs::read(make(&gateway, &tree(&gateway), "squashfs")).expect("read");
    let mut torn = whole.clone();
    for byte in torn.iter_mut().skip(96).take(2000) {
        *byte ^= 0x5a;
    }
    let mut tables = whole.clone();
    // Where its inodes and directories are.
    for byte in tables.iter_mut().skip(64).take(16) {
        *byte = 0xff;
    }
    // Ten megabytes of nothing in a few bytes.
    let large = gateway.bench.directory("large");
    fs::File::create(large.join("file"))
        .and_then(|file| file.set_len(10 << 20))
        .expect("a file");
    let large = fs::read(make(&gateway, &large, "squashfs")).expect("read");
    let many = gateway.bench.directory("many");
    for number in 0..4 {
        fs::File::create(many.join(number.to_string()))
            .and_then(|file| file.set_len(1 << 20))
            .expect("a file");
    }
    let many = fs::read(make(&gateway, &many, "squashfs")).expect("read");
    let cut = whole[..whole.len() / 2].to_vec();
    for (name, content, fault) in [
        ("torn", torn, "unsquashfs"),
        ("tables", tables, ""),
        ("cut", cut, "cut off"),
        ("large", large, ""),
        ("many", many, "more than 3145728 bytes"),
    ] {
        let file = gateway.bench.file("hostile", content);
        chown(&file, Some(ANN), Some(ANN)).expect("chown");
        let name = format!("custom:{name}:1");
        let failed = gateway
            .client(ANN, &["import", &name, file.to_str().expect("a path")])
            .run();
        assert_eq!(failed.code, Some(1), "{name}: {failed}");
        assert!(failed.stderr.contains(fault), "{name}: {failed}");
    }
    assert_eq!(gateway.images(), [""; 0]);
    for directory in ["expand", "imports", "made"] {
        let left = host::names_in(&gateway.bench.path("state").join(directory));
        assert_eq!(left, [""; 0], "{directory}");
    }
}
