//! Descriptors of the caller's that the process has: the standard ones, and sockets of a service manager.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Stdio;

use integration::Tool;
use serde_json::json;

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};
use crate::namespaces;

const REOPENED: &str = "echo out >/dev/stdout; echo err >/dev/stderr; cat </dev/stdin; echo end";

fn as_user(case: Case) -> Case {
    case.spec(|spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 }))
}

/// The container's command with `file` as its standard output; gives the file's owner then.
fn owner_after(stage: &Stage, file: &std::path::Path) -> Result<u32, String> {
    stage.edit(|spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 }));
    let mut tool = stage.tool().args(["run", "--bundle"]);
    tool = tool.arg(&stage.bundle.directory).arg(&stage.id);
    let output = File::options().write(true).open(file).expect("open");
    let command = tool.command().stdin(Stdio::null()).stdout(output);
    let status = command.status().map_err(|error| error.to_string())?;
    ensure_eq!(status.code(), Some(0), "exit code");
    Ok(fs::metadata(file).expect("stat").uid())
}

#[test]
fn pipes_are_the_processes_own() {
    hold(&[
        as_user(
            Case::new("a user can open its standard output again")
                .script(REOPENED)
                .check(|_, outcome| {
                    ensure_eq!(outcome.stdout, "out\nend\n", "{outcome}");
                    ensure_eq!(outcome.stderr, "err\n", "{outcome}");
                    Ok(())
                }),
        ),
        as_user(Case::steps("and so can a command of exec", |stage| {
            stage.edit(|spec| spec["process"]["args"] = json!(["sleep", "100"]));
            stage.create()?;
            stage.start()?;
            let outcome = stage.exec(&["--user", "1001"], &["sh", "-c", REOPENED]);
            ensure_eq!(outcome.stdout, "out\nend\n", "{outcome}");
            Ok(())
        })),
        as_user(
            Case::new("in a user namespace")
                .spec(|spec| {
                    namespaces::ask(spec, json!({ "type": "user" }));
                    let all = json!([{ "containerID": 0, "hostID": 100_000, "size": 2000 }]);
                    spec["linux"]["uidMappings"] = all.clone();
                    spec["linux"]["gidMappings"] = all;
                })
                .script(REOPENED)
                .prints("out\nend"),
        ),
        Case::steps("a file stays its owner's", |stage| {
            let file = stage.bench.path("a-file");
            fs::write(&file, "").expect("write");
            chown(&file, Some(7), Some(7)).expect("chown");
            ensure_eq!(owner_after(stage, &file)?, 7, "owner");
            Ok(())
        })
        .but_crun("it gives away whatever it finds"),
        Case::steps("and so does one that a container is left with", |stage| {
            stage.edit(|spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 }));
            stage.create()?;
            let output = stage.bench.path(&format!("{}.output", stage.id));
            ensure_eq!(fs::metadata(output).expect("stat").uid(), 0, "owner");
            Ok(())
        })
        .but_runc("it gives away whatever it finds")
        .but_crun("it gives away whatever it finds"),
        // A device like /dev/null, for the host's own is everybody's.
        Case::steps("a device stays its owner's", |stage| {
            let null = stage.bench.path("null");
            let made = Tool::new("mknod").arg(&null).args(["c", "1", "3"]).run();
            ensure_eq!(made.code, Some(0), "{made}");
            chown(&null, Some(7), Some(7)).expect("chown");
            ensure_eq!(owner_after(stage, &null)?, 7, "owner");
            Ok(())
        }),
    ]);
}

/// `RUNTIME run` with `LISTEN_FDS` set and descriptor 3 open on a file. `pid` is the shell's word for whom they
/// are for.
fn activated(stage: &Stage, pid: &str, options: &[&str], script: &str) -> Result<String, String> {
    stage.edit(|spec| spec["process"]["args"] = json!(["sh", "-c", script]));
    let file = stage.bench.path("activated");
    fs::write(&file, "a socket's data\n").expect("write");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    let runtime = stage.tool();
    let launcher =
        format!("exec 3<\"$0\" 4<\"$0\"; export LISTEN_PID={pid} LISTEN_FDS=1; exec \"$@\"");
    let outcome = runtime
        .within("sh", &["-c", &launcher, &file.display().to_string()])
        .args(["run", "--bundle"])
        .arg(&stage.bundle.directory)
        .args(options)
        .arg(&stage.id)
        .run();
    outcome.printed()
}

const WHAT_IT_HAS: &str =
    "echo $LISTEN_FDS $LISTEN_PID; cat <&3; ls /proc/self/fd | grep -c '^[3-5]$'";

#[test]
fn activated_sockets() {
    hold(&[
        Case::steps("are passed on", |stage| -> Check {
            let said = activated(stage, "$$", &[], WHAT_IT_HAS)?;
            ensure!(said.starts_with("1 1\na socket's data\n"), "{said}");
            Ok(())
        })
        .but_crun("it leaves LISTEN_PID out"),
        Case::steps("come before those to preserve", |stage| {
            let said = activated(
                stage,
                "$$",
                &["--preserve-fds", "1"],
                "echo $LISTEN_FDS; cat <&4",
            )?;
            ensure_eq!(said, "1\na socket's data\n", "output");
            Ok(())
        })
        .but_crun("it says nothing of them then"),
        Case::steps("those of another process are not", |stage| {
            let said = activated(
                stage,
                "1",
                &[],
                "echo .$LISTEN_FDS.; cat <&3 2>/dev/null; echo end",
            )?;
            ensure_eq!(said, "..\nend\n", "output");
            Ok(())
        })
        .but_crun("it doesn't look whose they are"),
    ]);
}
