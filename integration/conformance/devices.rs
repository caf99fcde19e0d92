//! Devices of the container, and the links beside them.

use std::fs;

use integration::Tool;
use serde_json::json;

use crate::harness::{Case, ensure, ensure_eq, hold};
use crate::namespaces;

#[test]
fn devices() {
    let device = |name, device: serde_json::Value, script, prints| {
        Case::new(name)
            .spec(move |spec| spec["linux"]["devices"] = json!([device]))
            .script(script)
            .prints(prints)
    };
    hold(&[
        Case::new("the default ones")
            .script("for d in null zero full random urandom tty; do stat -c '%n %a %t:%T' /dev/$d; done")
            .prints("/dev/null 666 1:3\n/dev/zero 666 1:5\n/dev/full 666 1:7\n/dev/random 666 1:8\n/dev/urandom 666 1:9\n/dev/tty 666 5:0"),
        Case::new("the links")
            .script("for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done")
            .prints("/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx"),
        device(
            "a listed one, with mode and owner",
            json!({ "path": "/dev/listed", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8 }),
            "stat -c '%a %u %g %t:%T %F' /dev/listed",
            "640 7 8 1:5 character special file",
        ),
        device(
            "below a directory that isn't there",
            json!({ "path": "/dev/made/listed", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666 }),
            "stat -c '%t:%T' /dev/made/listed",
            "1:5",
        ),
        device(
            "a FIFO",
            json!({ "path": "/dev/fifo", "type": "p", "fileMode": 0o600 }),
            "stat -c '%a %F' /dev/fifo",
            "600 fifo",
        ),
        device(
            "unbuffered is another word for character",
            json!({ "path": "/dev/listed", "type": "u", "major": 1, "minor": 5, "fileMode": 0o666 }),
            "stat -c '%t:%T %F' /dev/listed",
            "1:5 character special file",
        ),
        device(
            "a block device",
            json!({ "path": "/dev/listed", "type": "b", "major": 7, "minor": 9, "fileMode": 0o600 }),
            "stat -c '%a %t:%T %F' /dev/listed",
            "600 7:9 block special file",
        ),
        device(
            "a FIFO with numbers that mean nothing",
            json!({ "path": "/dev/fifo", "type": "p", "major": 1, "minor": 2, "fileMode": 0o600 }),
            "stat -c '%a %F' /dev/fifo",
            "600 fifo",
        ),
        device(
            "without a mode it is everybody's, and root's",
            json!({ "path": "/dev/listed", "type": "c", "major": 1, "minor": 5 }),
            "stat -c '%a %u %g' /dev/listed",
            "666 0 0",
        ),
        device(
            "elsewhere than in /dev",
            json!({ "path": "/etc/listed", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666 }),
            "stat -c '%t:%T' /etc/listed",
            "1:5",
        ),
        device(
            "elsewhere, below a directory that isn't there",
            json!({ "path": "/made/for/listed", "type": "p", "fileMode": 0o622, "uid": 7, "gid": 8 }),
            "stat -c '%a %u %g %F' /made/for/listed",
            "622 7 8 fifo",
        ),
        Case::new("one that the host doesn't have, in a user namespace")
            .spec(|spec| {
                namespaces::ask(spec, json!({ "type": "user" }));
                namespaces::map_ids(spec);
                spec["linux"]["devices"] = json!([{
                    "path": "/dev/listed", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8,
                }]);
            })
            .script("stat -c '%a %u %g %t:%T' /dev/listed")
            .prints("640 7 8 1:5")
            .but_runc("it wants to bind the host's"),
        device(
            "it can be used",
            json!({ "path": "/dev/listed", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666 }),
            "head -c 4 /dev/listed | od -An -tx1",
            "00 00 00 00",
        ),
        Case::new("the console is the terminal's alone")
            .script("[ -e /dev/console ] || echo none")
            .prints("none"),
        Case::new("none of the host's")
            .script("ls /dev | grep -E '^(sd|vd|loop|mem|kmsg|kvm)'; echo end")
            .prints("end"),
        Case::new("a link to kcore where the host has one, and only there")
            .script("[ -L /dev/kcore ] && echo yes || echo no")
            .check(|_, outcome| {
                let has = std::path::Path::new("/proc/kcore").exists();
                ensure_eq!(outcome.stdout.trim(), if has { "yes" } else { "no" }, "{outcome}");
                Ok(())
            })
            .exits(0),
        Case::new("one of a type that doesn't exist is refused")
            .spec(|spec| spec["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "q", "major": 1, "minor": 5 }]))
            .refused("linux.devices[0].type").but_crun("it passes over it"),
        Case::new("nothing of it is left in the root file system")
            .script("true")
            .check(|stage, outcome| {
                ensure_eq!(outcome.code, Some(0), "{outcome}");
                let names = fs::read_dir(stage.inside("/dev")).expect("read").count();
                ensure!(names == 0, "{names} names in /dev");
                Ok(())
            }),
    ]);
}

/// As `podman run -v /dev:/dev`: no device is made in what is mounted there.
#[test]
fn a_bind_mount_on_dev() {
    let bound =
        |name, options: &'static [&'static str], script: &'static str, prints: &'static str| {
            Case::steps(name, move |stage| {
                let source = stage.source();
                fs::create_dir(source.join("shm")).expect("make a directory");
                let null = source.join("null");
                Tool::new("mknod")
                    .arg(&null)
                    .args(["c", "1", "3"])
                    .expect(0);
                stage.edit(|spec| {
                    let mounts = spec["mounts"].as_array_mut().expect("mounts");
                    mounts.retain(|mount| mount["destination"] == "/proc");
                    spec["process"]["args"] = json!(["sh", "-c", script]);
                });
                stage.add_mount("/dev", "bind", &source.display().to_string(), options);
                stage.add_mount("/dev/shm", "tmpfs", "shm", &["nosuid", "nodev"]);
                let outcome = stage.run();
                ensure_eq!(
                    (outcome.code, outcome.stdout.as_str()),
                    (Some(0), prints),
                    "{outcome}"
                );
                let left = fs::read_dir(&source).expect("list").count();
                ensure_eq!(left, 3, "of file, null and shm");
                ensure!(
                    fs::read_dir(source.join("shm"))
                        .expect("list")
                        .next()
                        .is_none(),
                    "it came through"
                );
                Ok(())
            })
        };
    hold(&[
        bound(
            "it is what is seen, and a later mount is on it",
            &["rbind"],
            "echo >/dev/null && cat /dev/file && ls /dev && echo new >/dev/shm/new && cat /dev/shm/new",
            "from the host\nfile\nnull\nshm\nnew\n",
        ),
        bound(
            "with its options",
            &["rbind", "ro", "noexec"],
            "cat /dev/file; touch /dev/new 2>&1 | grep -o Read-only; grep -o '/dev ro,noexec' /proc/self/mountinfo",
            "from the host\nRead-only\n/dev ro,noexec\n",
        ),
        Case::new("in a user namespace of root's")
            .spec(|spec| {
                namespaces::ask(spec, json!({ "type": "user" }));
                namespaces::map_ids(spec);
                let mounts = spec["mounts"].as_array_mut().expect("mounts");
                mounts.push(json!({ "destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"] }));
            })
            .script("echo >/dev/null && stat -c %t:%T /dev/zero")
            .prints("1:5"),
    ]);
}
