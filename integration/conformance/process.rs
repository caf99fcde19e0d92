//! The process: its directory, environment, identity, limits and attributes.

use std::fs;

use serde_json::json;

use crate::harness::{Case, ensure, ensure_eq, hold};

#[test]
fn directory_and_environment() {
    let env = |name, list: &'static [&'static str], script, prints| {
        Case::new(name)
            .spec(move |spec| spec["process"]["env"] = json!(list))
            .script(script)
            .prints(prints)
    };
    hold(&[
        Case::new("cwd")
            .spec(|spec| spec["process"]["cwd"] = json!("/tmp"))
            .script("pwd")
            .prints("/tmp"),
        Case::new("a cwd that isn't there is made")
            .spec(|spec| spec["process"]["cwd"] = json!("/made/for/this"))
            .script("pwd")
            .prints("/made/for/this"),
        Case::new("a relative cwd is refused")
            .spec(|spec| spec["process"]["cwd"] = json!("tmp"))
            .refused("cwd")
            .but_crun("it takes it"),
        env(
            "variables come as they are listed",
            &["B=2", "PATH=/bin", "A=1", "C=x y"],
            "tr '\\0' '\\n' </proc/1/environ | grep -E '^(A|B|C)='",
            "B=2\nA=1\nC=x y",
        ),
        env(
            "an empty value",
            &["PATH=/bin", "EMPTY="],
            "echo ${EMPTY-unset}.",
            ".",
        ),
        // C5
        env(
            "without PATH a default one is used",
            &["X=1"],
            "echo found",
            "found",
        )
        .but_runc("it looks for the command in none")
        .but_crun("it looks for the command in none"),
        // C6
        Case::new("a command that only root may execute")
            .prepare(|stage| {
                use std::os::unix::fs::PermissionsExt;
                stage.write_inside("/etc/command", "#!/bin/sh\necho ran\n");
                let mode = fs::Permissions::from_mode(0o700);
                fs::set_permissions(stage.inside("/etc/command"), mode).expect("chmod");
            })
            .spec(|spec| spec["process"]["args"] = json!(["/etc/command"]))
            .prints("ran"),
        Case::new("nothing of the runtime's own environment comes in")
            .script("env | cut -d= -f1 | grep -vE '^(PATH|HOME|PWD|SHLVL|TERM|_)$'; echo end")
            .prints("end"),
        Case::new("descriptors: only the standard ones")
            .script("ls /proc/self/fd | head -3 | tr '\\n' ' '")
            .prints("0 1 2"),
    ]);
}

#[test]
fn identity() {
    hold(&[
        Case::new("uid and gid")
            .spec(|spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1001 }))
            .script("id -u; id -g; grep -E '^(Uid|Gid):' /proc/self/status | tr -s '\\t' ' '")
            .prints("1000\n1001\nUid: 1000 1000 1000 1000\nGid: 1001 1001 1001 1001"),
        Case::new("additional groups")
            .spec(|spec| {
                spec["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [5, 6] })
            })
            .script("grep Groups: /proc/self/status | tr -s '\\t' ' '")
            .prints("Groups: 5 6"),
        // T2
        Case::new("none of the caller's groups")
            .script("grep Groups: /proc/self/status | tr -d ' \\t'")
            .prints("Groups:"),
        Case::new("umask")
            .spec(|spec| spec["process"]["user"]["umask"] = json!(0o027))
            .script("umask; grep Umask /proc/self/status | tr -s '\\t' ' '")
            .prints("0027\nUmask: 0027"),
        Case::new("without one it is 022")
            .script("umask")
            .prints("0022"),
        Case::new("noNewPrivileges")
            .spec(|spec| spec["process"]["noNewPrivileges"] = json!(true))
            .script("grep NoNewPrivs /proc/self/status | tr -s '\\t' ' '")
            .prints("NoNewPrivs: 1"),
        Case::new("noNewPrivileges false")
            .spec(|spec| spec["process"]["noNewPrivileges"] = json!(false))
            .script("grep NoNewPrivs /proc/self/status | tr -s '\\t' ' '")
            .prints("NoNewPrivs: 0"),
    ]);
}

const MASKS: &str =
    "grep ^Cap /proc/self/status | tr -s '\\t' ' ' | sed 's/: 0*\\([0-9a-f]\\)/ \\1/'";

#[test]
fn capabilities() {
    let caps = |name, uid: u32, sets: serde_json::Value, prints| {
        Case::new(name)
            .spec(move |spec| {
                spec["process"]["user"] = json!({ "uid": uid, "gid": uid });
                spec["process"]["capabilities"] = sets.clone();
            })
            .script(MASKS)
            .prints(prints)
    };
    let all = |list: &[&str]| json!({ "bounding": list, "effective": list, "permitted": list, "inheritable": list, "ambient": list });
    hold(&[
        // T1
        Case::new("absent means none")
            .script(MASKS)
            .prints("CapInh 0\nCapPrm 0\nCapEff 0\nCapBnd 0\nCapAmb 0"),
        caps(
            "empty sets",
            0,
            all(&[]),
            "CapInh 0\nCapPrm 0\nCapEff 0\nCapBnd 0\nCapAmb 0",
        ),
        caps(
            "all five, as root",
            0,
            all(&["CAP_CHOWN"]),
            "CapInh 1\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 1",
        ),
        caps(
            "all five, as another user",
            1000,
            all(&["CAP_CHOWN"]),
            "CapInh 1\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 1",
        ),
        caps(
            "without ambient ones a user has none",
            1000,
            json!({ "bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"] }),
            "CapInh 0\nCapPrm 0\nCapEff 0\nCapBnd 1\nCapAmb 0",
        ),
        caps(
            "the bounding set alone",
            0,
            json!({ "bounding": ["CAP_CHOWN", "CAP_KILL"] }),
            "CapInh 0\nCapPrm 21\nCapEff 21\nCapBnd 21\nCapAmb 0",
        ),
        // C8, T10
        caps(
            "one that nobody knows is passed over",
            0,
            json!({ "bounding": ["CAP_CHOWN", "CAP_FOO"] }),
            "CapInh 0\nCapPrm 1\nCapEff 1\nCapBnd 1\nCapAmb 0",
        ),
    ]);
}

#[test]
fn limits_and_attributes() {
    hold(&[
        Case::new("rlimits")
            .spec(|spec| {
                spec["process"]["rlimits"] = json!([
                    { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
                    { "type": "RLIMIT_NPROC", "soft": 100, "hard": 200 },
                ]);
            })
            .script("grep -E 'core file|Max processes' /proc/self/limits | tr -s ' '")
            .check(|_, outcome| {
                let lines: Vec<&str> = outcome.stdout.lines().map(str::trim).collect();
                ensure_eq!(
                    lines,
                    [
                        "Max core file size 0 0 bytes",
                        "Max processes 100 200 processes"
                    ],
                    "limits"
                );
                Ok(())
            }),
        Case::new("a limit that nobody knows is refused")
            .spec(|spec| {
                spec["process"]["rlimits"] = json!([{ "type": "RLIMIT_FOO", "soft": 0, "hard": 0 }])
            })
            .refused("RLIMIT_FOO"),
        Case::new("oomScoreAdj")
            .spec(|spec| spec["process"]["oomScoreAdj"] = json!(321))
            .script("cat /proc/self/oom_score_adj")
            .prints("321"),
        Case::new("sysctls of its namespaces")
            .spec(|spec| {
                spec["linux"]["sysctl"] =
                    json!({ "net.ipv4.ip_forward": "1", "kernel.msgmax": "4242" })
            })
            .script("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax")
            .prints("1\n4242"),
        Case::new("a sysctl of the host's is refused")
            .spec(|spec| spec["linux"]["sysctl"] = json!({ "kernel.panic": "1" }))
            .refused("kernel.panic"),
        Case::new("a profile without AppArmor is passed over")
            .spec(|spec| spec["process"]["apparmorProfile"] = json!("no-such-profile"))
            .script("echo yes")
            .prints("yes")
            .but_runc("it refuses it")
            .but_crun("it refuses it"),
        Case::new("intelRdt is passed over where the host has none")
            .spec(|spec| spec["linux"]["intelRdt"] = json!({ "closID": "guaranteed" }))
            .script("echo yes")
            .prints("yes")
            .but_ours(
                "what a bundle asks for and doesn't get must not be passed over in silence",
                Case::new("intelRdt is refused")
                    .spec(|spec| spec["linux"]["intelRdt"] = json!({ "closID": "guaranteed" }))
                    .refused("intelRdt"),
            ),
        Case::new("nothing of the caller's session")
            .script("[ $(cut -d' ' -f6 /proc/self/stat) = 1 ] && echo own")
            .prints("own"),
    ]);
}

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
        Case::new("one of a type that doesn't exist is refused")
            .spec(|spec| spec["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "q", "major": 1, "minor": 5 }]))
            .refused("q").but_crun("it passes over it"),
        Case::new("nothing of it is left in the root file system")
            .script("true")
            .check(|stage, _| {
                let names = fs::read_dir(stage.inside("/dev")).expect("read").count();
                ensure!(names == 0, "{names} names in /dev");
                Ok(())
            }),
    ]);
}
