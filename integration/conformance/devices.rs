//! Devices of the container, and the links beside them.

use std::fs;

use serde_json::json;

use crate::harness::{Case, ensure, ensure_eq, hold};

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
        )
        .but_ours(
            "libcontainer makes none there, and nobody has asked for one",
            Case::new("elsewhere than in /dev it is refused")
                .spec(|spec| {
                    spec["linux"]["devices"] =
                        json!([{ "path": "/etc/listed", "type": "c", "major": 1, "minor": 5 }]);
                })
                .refused("/etc/listed"),
        ),
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
