//! `exec`: libcontainer's defects, with the peers as controls. `tests/exec` has what is ours alone.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};
use crate::namespaces::{self, map_ids};

/// A running container, whose bundle is edited before.
fn running(
    name: &'static str,
    edit: impl Fn(&mut Value) + 'static,
    steps: impl Fn(&Stage) -> Check + 'static,
) -> Case {
    Case::running(name, steps).spec(edit)
}

fn prints(stage: &Stage, options: &[&str], script: &str, wanted: &str) -> Check {
    let outcome = stage.exec(options, &["sh", "-c", script]);
    ensure_eq!(outcome.code, Some(0), "{outcome}");
    ensure_eq!(outcome.stdout.trim(), wanted, "{outcome}");
    Ok(())
}

fn seccomp(spec: &mut Value) {
    spec["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71 }],
    });
}

fn user(spec: &mut Value) {
    namespaces::ask(spec, json!({ "type": "user" }));
    map_ids(spec);
}

#[test]
fn what_it_shares_with_the_container() {
    hold(&[
        // S1
        running("the filter", seccomp, |stage| {
            prints(stage, &[], "grep Seccomp: /proc/self/status | cut -f2", "2")
        }),
        // S2
        running("the user namespace", user, |stage| {
            let script = "tr -s ' ' </proc/self/uid_map; readlink /proc/self/ns/user";
            let theirs = fs::read_link(format!("/proc/{}/ns/user", stage.pid()?)).expect("read");
            prints(
                stage,
                &[],
                script,
                &format!("0 100000 1000\n{}", theirs.display()),
            )
        }),
        running(
            "the only id of a user namespace without mappings",
            |spec| namespaces::ask(spec, json!({ "type": "user" })),
            |stage| {
                prints(stage, &[], "id -u", "0")?;
                let outcome = stage.exec(&["--user", "5"], &["id"]);
                ensure!(
                    outcome.one_line().contains("process.user.uid 5"),
                    "{outcome}"
                );
                Ok(())
            },
        )
        .but_runc("it refuses that")
        .but_crun("it has other words"),
        // S6
        running(
            "user, groups and directory",
            |spec| {
                spec["process"]["user"] =
                    json!({ "uid": 1000, "gid": 1001, "additionalGids": [5] });
                spec["process"]["cwd"] = json!("/tmp");
            },
            |stage| {
                prints(
                    stage,
                    &[],
                    "id -u; id -g; id -G; pwd",
                    "1000\n1001\n1001 5\n/tmp",
                )
            },
        )
        .but_crun("it executes as root in /"),
        // T1, CVE-2022-29162
        running(
            "capabilities: none where the bundle has none",
            |_| {},
            |stage| {
                prints(
                    stage,
                    &[],
                    "grep -c '^Cap.*0000000000000000' /proc/self/status",
                    "5",
                )
            },
        ),
        // T8, C7
        running(
            "a filter without no_new_privs",
            |spec| {
                seccomp(spec);
                spec["process"]["noNewPrivileges"] = json!(false);
                spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            },
            |stage| {
                prints(
                    stage,
                    &[],
                    "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | cut -f2",
                    "0\n2",
                )
            },
        ),
    ]);
}

#[test]
fn how_it_ends() {
    hold(&[
        // C12, T4
        running(
            "128 and the signal",
            |_| {},
            |stage| {
                let outcome = stage.exec(&[], &["sh", "-c", "kill -9 $$"]);
                ensure_eq!(outcome.code, Some(137), "{outcome}");
                Ok(())
            },
        ),
        running(
            "the command's code",
            |_| {},
            |stage| {
                let outcome = stage.exec(&[], &["sh", "-c", "exit 41"]);
                ensure_eq!(outcome.code, Some(41), "{outcome}");
                Ok(())
            },
        ),
        // C19
        running(
            "nothing of it in the state directory",
            |_| {},
            |stage| {
                let state = stage.runtime.state(&stage.bench).join(&stage.id);
                let before = integration::host::names_in(&state);
                for _ in 0..3 {
                    stage.exec(&[], &["true"]);
                }
                ensure_eq!(integration::host::names_in(&state), before, "names");
                Ok(())
            },
        ),
        // C10
        running(
            "a paused container stays paused, whatever it is sent",
            |_| {},
            |stage| {
                stage.must("pause", &[])?;
                stage.must("kill", &["TERM"])?;
                let status = stage.status()?;
                let refused = stage.exec(&[], &["true"]);
                stage.must("resume", &[])?;
                ensure_eq!(status, "paused", "status");
                ensure!(refused.code != Some(0), "exec: {refused}");
                Ok(())
            },
        ),
    ]);
}

/// CVE-2024-21626: neither a directory of the host's that was left open, nor a way to it.
#[test]
fn the_working_directory() {
    hold(&[
        running(
            "of the caller's",
            |_| {},
            |stage| prints(stage, &["--cwd", "/tmp"], "pwd", "/tmp"),
        ),
        running(
            "one that isn't there is an error",
            |_| {},
            |stage| {
                let outcome = stage.exec(&["--cwd", "/no/such"], &["true"]);
                ensure!(outcome.code != Some(0), "{outcome}");
                Ok(())
            },
        ),
        running(
            "one that only root may enter is taken all the same",
            |spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 }),
            |stage| {
                let closed = stage.inside("/tmp/closed");
                fs::create_dir(&closed).expect("make a directory");
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
                fs::set_permissions(&closed, mode).expect("chmod");
                prints(stage, &["--cwd", "/tmp/closed"], "pwd", "/tmp/closed")
            },
        ),
        running(
            "no way out through a descriptor",
            |_| {},
            |stage| {
                for number in 3..10 {
                    let path = format!("/proc/self/fd/{number}");
                    let outcome = stage.exec(&["--cwd", &path], &["ls"]);
                    ensure!(
                        outcome.code != Some(0) || !outcome.stdout.contains("usr"),
                        "{number}: {outcome}"
                    );
                }
                Ok(())
            },
        ),
    ]);
}
