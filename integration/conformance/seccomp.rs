//! Filters of system calls: what the bundle's profile may say. `tests/seccomp` goes through each decision.

use serde_json::{Value, json};

use crate::harness::{Case, ensure, hold};

fn profile(name: &'static str, profile: Value) -> Case {
    Case::new(name).spec(move |spec| spec["linux"]["seccomp"] = profile.clone())
}

fn rule(rule: Value) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] })
}

const MKDIR: &str = "mkdir /tmp/made 2>&1; echo end";

#[test]
fn actions() {
    let errno = |name, errno: Value, says: &'static str| {
        let mut refusing = json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" });
        if !errno.is_null() {
            refusing["errnoRet"] = errno;
        }
        profile(name, rule(refusing))
            .script(MKDIR)
            .check(move |_, outcome| {
                ensure!(outcome.stdout.contains(says), "{outcome}");
                Ok(())
            })
    };
    // SIGSYS is 31.
    let killing = |name, action: &str| {
        profile(
            name,
            rule(json!({ "names": ["mkdir", "mkdirat"], "action": action })),
        )
        .script("mkdir /tmp/made; echo $?; ls -d /tmp/made 2>/dev/null; true")
        .prints("159")
    };
    hold(&[
        errno("an errno", json!(28), "No space left"),
        errno("EPERM where none is said", Value::Null, "not permitted"),
        profile(
            "allowed",
            rule(json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ALLOW" })),
        )
        .script(MKDIR)
        .prints("end"),
        profile(
            "logged, and done",
            rule(json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_LOG" })),
        )
        .script(MKDIR)
        .prints("end"),
        killing("the process is killed", "SCMP_ACT_KILL_PROCESS"),
        killing("the thread is killed", "SCMP_ACT_KILL"),
        killing("a signal", "SCMP_ACT_TRAP"),
        profile(
            "one that doesn't exist is refused",
            rule(json!({ "names": ["mkdir"], "action": "SCMP_ACT_DANCE" })),
        )
        .refused("SCMP_ACT_DANCE"),
    ]);
}

#[test]
fn rules() {
    hold(&[
        // T9
        profile(
            "calls that nobody knows are passed over",
            rule(json!({ "names": ["no_such_call", "mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28 })),
        )
        .script(MKDIR)
        .check(|_, outcome| {
            ensure!(outcome.stdout.contains("No space left"), "{outcome}");
            Ok(())
        }),
        // kill(2) of process 1 with signal 0.
        profile(
            "a condition",
            rule(json!({
                "names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28,
                "args": [{ "index": 1, "value": 0, "op": "SCMP_CMP_EQ" }],
            })),
        )
        .script("kill -0 1 2>&1; kill -WINCH 1 && echo sent")
        .check(|_, outcome| {
            ensure!(outcome.stdout.contains("No space left") && outcome.stdout.ends_with("sent\n"), "{outcome}");
            Ok(())
        }),
        profile(
            "an operator that doesn't exist is refused",
            rule(json!({
                "names": ["kill"], "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 1, "value": 0, "op": "SCMP_CMP_ALMOST" }],
            })),
        )
        .refused("SCMP_CMP_ALMOST"),
        profile(
            "an architecture that doesn't exist is refused",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_ABACUS"] }),
        )
        .refused("SCMP_ARCH_ABACUS"),
        profile(
            "a flag that doesn't exist is refused",
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_MAGIC"] }),
        )
        .refused("SECCOMP_FILTER_FLAG_MAGIC"),
        profile(
            "a listener without a path is refused",
            rule(json!({ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" })),
        )
        .refused("listenerPath")
        .but_crun("it runs without"),
    ]);
}

/// T8, C7: the filter is there whatever noNewPrivileges says.
#[test]
fn the_filter_is_there() {
    let seen = |name, no_new_privileges: Option<bool>, uid: u32| {
        profile(
            name,
            rule(json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" })),
        )
        .spec(move |spec| {
            spec["process"]["user"] = json!({ "uid": uid, "gid": uid });
            if let Some(value) = no_new_privileges {
                spec["process"]["noNewPrivileges"] = json!(value);
            }
        })
        .script("grep Seccomp: /proc/self/status | cut -f2")
        .prints("2")
    };
    hold(&[
        seen("without no_new_privs, as root", None, 0),
        seen("without no_new_privs, as a user", None, 1000),
        seen("without it in so many words", Some(false), 1000),
        seen("with it", Some(true), 1000),
    ]);
}
