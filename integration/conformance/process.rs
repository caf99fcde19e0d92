//! The process: its directory and its environment.

use std::fs;

use serde_json::json;

use crate::harness::{Case, hold};

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
