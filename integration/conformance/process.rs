//! The process: its directory and its environment.

use std::fs;

use serde_json::json;

use crate::harness::{Case, ensure, hold};

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
        Case::new("below a mount as well")
            .spec(|spec| spec["process"]["cwd"] = json!("/mnt/made/for/this"))
            .mount("/mnt", "tmpfs", &["mode=755"])
            .script("pwd; stat -c '%u %a' .")
            .prints("/mnt/made/for/this\n0 755"),
        Case::new("below a mount of the host's, where it stays")
            .spec(|spec| spec["process"]["cwd"] = json!("/mnt/made"))
            .bind("/mnt", &[])
            .script("pwd")
            .check(|stage, outcome| {
                ensure!(outcome.stdout == "/mnt/made\n", "{outcome}");
                ensure!(stage.bench.path("source/made").is_dir(), "not on the host");
                Ok(())
            }),
        Case::new("one that can't be made, below a read-only mount")
            .spec(|spec| spec["process"]["cwd"] = json!("/mnt/made"))
            .bind("/mnt", &["ro"])
            .refused("/mnt/made")
            .but_crun("it makes it on the host before it mounts"),
        Case::new("one that leads out through a link below a mount stays inside")
            .spec(|spec| spec["process"]["cwd"] = json!("/mnt/link/made"))
            .bind("/mnt", &[])
            .prepare(|stage| {
                std::os::unix::fs::symlink("/tmp", stage.bench.path("source/link")).expect("link");
            })
            .script("pwd -P")
            .check(|stage, outcome| {
                ensure!(outcome.stdout == "/tmp/made\n", "{outcome}");
                ensure!(
                    stage.inside("/tmp/made").is_dir(),
                    "not in the root file system"
                );
                Ok(())
            }),
        Case::new("one that a link names and only the host has is made inside")
            .spec(|spec| spec["process"]["cwd"] = json!("/etc/link"))
            .prepare(|stage| {
                let link = stage.inside("/etc/link");
                std::os::unix::fs::symlink(stage.source(), link).expect("link");
            })
            .script("pwd -P")
            .check(|stage, outcome| {
                let made = stage.source().display().to_string();
                ensure!(outcome.stdout.trim() == made, "{outcome}");
                ensure!(stage.inside(&made).is_dir(), "not in the root file system");
                Ok(())
            })
            .but_runc("it would make the link itself")
            .but_crun("it makes none where there is a link"),
        Case::new("one that only root may enter, of another user")
            .prepare(|stage| {
                use std::os::unix::fs::PermissionsExt;
                let closed = stage.inside("/etc/closed");
                fs::create_dir(&closed).expect("make a directory");
                fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).expect("chmod");
                stage.edit(|spec| {
                    spec["process"]["cwd"] = json!("/etc/closed");
                    spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
                });
            })
            .script("pwd")
            .prints("/etc/closed"),
        Case::new("a file in its place is refused")
            .prepare(|stage| stage.write_inside("/etc/file", ""))
            .spec(|spec| spec["process"]["cwd"] = json!("/etc/file"))
            .refused("/etc/file"),
        Case::new("so it is where the root is read-only for the container")
            .spec(|spec| {
                spec["root"]["readonly"] = json!(true);
                spec["process"]["cwd"] = json!("/made/for/this");
            })
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
            "of a variable that is listed twice the last counts",
            &["PATH=/bin", "ONE=two", "ONE=three"],
            "tr '\\0' '\\n' </proc/1/environ | grep -c ^ONE=; echo $ONE",
            "1\nthree",
        )
        ,
        env(
            "an empty HOME is none",
            &["PATH=/bin", "HOME="],
            "echo $HOME.",
            "/.",
        )
        .but_crun("it stays empty"),
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
        Case::new("a command that only a capability lets its user execute")
            .prepare(|stage| {
                use std::os::unix::fs::PermissionsExt;
                stage.write_inside("/etc/command", "#!/bin/sh\necho ran\n");
                let mode = fs::Permissions::from_mode(0o744);
                fs::set_permissions(stage.inside("/etc/command"), mode).expect("chmod");
            })
            .spec(|spec| {
                let list = ["CAP_DAC_OVERRIDE"];
                spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
                spec["process"]["capabilities"] = json!({
                    "bounding": list, "effective": list, "permitted": list, "inheritable": list, "ambient": list,
                });
                spec["process"]["args"] = json!(["/etc/command"]);
            })
            .prints("ran"),
        Case::new("nothing of the runtime's own environment comes in")
            .script("env | cut -d= -f1 | grep -vE '^(PATH|HOME|PWD|SHLVL|TERM|_)$'; echo end")
            .prints("end"),
        Case::new("descriptors: only the standard ones")
            .script("ls /proc/self/fd | head -3 | tr '\\n' ' '")
            .prints("0 1 2"),
    ]);
}
