//! The process behind its filter: identity, capabilities, no_new_privs, and when the filter is loaded.

use std::fs;

use integration::{Bench, Container, Runtime, plain};
use serde_json::{Value, json};

use super::{BOTH, but, id, podman, with_profile};

const LINES: [&str; 11] = [
    "Uid:",
    "Gid:",
    "Groups:",
    "CapInh:",
    "CapPrm:",
    "CapEff:",
    "CapBnd:",
    "CapAmb:",
    "NoNewPrivs:",
    "Seccomp:",
    "Seccomp_filters:",
];

fn identity(status: &str) -> Vec<&str> {
    let wanted = |line: &&str| LINES.iter().any(|begin| line.starts_with(begin));
    status.lines().filter(wanted).map(str::trim_end).collect()
}

/// The capability sets that engines write, and odd ones.
fn capability_sets() -> [Value; 4] {
    let some = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let one = json!(["CAP_KILL"]);
    let none = json!([]);
    [
        Value::Null,
        json!({ "bounding": some, "effective": some, "permitted": some }),
        json!({
            "bounding": some, "effective": some, "permitted": some, "inheritable": some, "ambient": one
        }),
        json!({ "bounding": one, "effective": none, "permitted": one, "inheritable": none, "ambient": none }),
    ]
}

/// Identity, capabilities, no_new_privs and filter are runc's, line by line.
#[test]
fn the_process_is_what_runc_makes_it() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "matrix", &["cat", "/proc/self/status"]);
    for uid in [0, 1000] {
        for sets in capability_sets() {
            for no_new_privileges in [Value::Null, json!(true), json!(false)] {
                for profile in [Value::Null, podman()] {
                    bundle.edit(|spec| {
                        spec["process"]["user"] = json!({ "uid": uid, "gid": uid });
                        set_or_remove(&mut spec["process"], "capabilities", &sets);
                        set_or_remove(&mut spec["process"], "noNewPrivileges", &no_new_privileges);
                        set_or_remove(&mut spec["linux"], "seccomp", &profile);
                    });
                    let [ours, runc] = BOTH.map(|runtime| {
                        let run = runtime
                            .tool(&bench)
                            .args(["run", "-b"])
                            .arg(&bundle.directory);
                        run.arg(id()).expect(0).stdout
                    });
                    let what = format!("{uid} {sets} {no_new_privileges} {}", !profile.is_null());
                    assert_eq!(identity(&ours), identity(&runc), "{what}");
                    assert_eq!(identity(&ours).len(), LINES.len(), "{what}");
                }
            }
        }
    }
}

fn set_or_remove(of: &mut Value, key: &str, value: &Value) {
    let object = of.as_object_mut().expect("an object");
    match value {
        Value::Null => drop(object.remove(key)),
        value => drop(object.insert(key.to_owned(), value.clone())),
    }
}

/// While it waits for `start` it has its filter, and no capability more than the bundle gives.
#[test]
fn the_created_process_shows_its_filter_and_nothing_more() {
    let bench = Bench::new();
    for no_new_privileges in [false, true] {
        let bundle = with_profile(
            &bench,
            &format!("created-{no_new_privileges}"),
            &["true"],
            &podman(),
        );
        bundle.edit(|spec| spec["process"]["noNewPrivileges"] = json!(no_new_privileges));
        let container = Container::created(&bench, Runtime::Ours, &bundle);
        let status =
            fs::read_to_string(format!("/proc/{}/status", container.pid())).expect("a status");
        let seen = identity(&status);
        assert!(seen.contains(&"Seccomp:\t2"), "{seen:?}");
        assert!(seen.contains(&"CapPrm:\t0000000000000000"), "{seen:?}");
        assert!(seen.contains(&"CapEff:\t0000000000000000"), "{seen:?}");
    }
}

/// A filter that refuses what the runtime has left to do is loaded after that.
#[test]
fn a_filter_in_the_runtimes_way_is_loaded_late() {
    let bench = Bench::new();
    let names = json!([
        "accept4",
        "capset",
        "getcwd",
        "access",
        "recvfrom",
        "rt_sigprocmask"
    ]);
    let profile = but(json!([{ "names": names, "action": "SCMP_ACT_ERRNO" }]));
    for no_new_privileges in [false, true] {
        let bundle = with_profile(
            &bench,
            &format!("late-{no_new_privileges}"),
            &["cat", "/proc/self/status"],
            &profile,
        );
        bundle.edit(|spec| spec["process"]["noNewPrivileges"] = json!(no_new_privileges));
        let run = bench.runtime().args(["run", "-b"]).arg(&bundle.directory);
        let status = run.arg("late").expect(0).stdout;
        let seen = identity(&status);
        assert!(seen.contains(&"Seccomp:\t2"), "{seen:?}");
        assert!(seen.contains(&"CapPrm:\t0000000000000000"), "{seen:?}");
        assert!(seen.contains(&"CapBnd:\t0000000000000000"), "{seen:?}");
    }
}
