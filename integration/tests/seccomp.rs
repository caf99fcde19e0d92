//! Seccomp: what the bundle asks for is what the process has. runc is the control, and crun where they differ.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use integration::{Bench, Bundle, Container, Probe, Runtime, Tool, plain, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const PODMAN: &str = include_str!("../../bundles/tests/data/seccomp-podman.json");

const BOTH: [Runtime; 2] = [Runtime::Ours, Runtime::Runc];

fn podman() -> Value {
    serde_json::from_str(PODMAN).expect("a profile")
}

/// Everything is allowed but what `rules` say.
fn but(rules: Value) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules })
}

fn with_profile(bench: &Bench, name: &str, words: &[&str], profile: &Value) -> Bundle {
    let bundle = plain::bundle(bench, name, words);
    bundle.edit(|spec| spec["linux"]["seccomp"] = profile.clone());
    bundle
}

/// runc's cgroups have no other name.
fn id() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("seccomp-{}-{number}", std::process::id())
}

/// What became of calls, as `probe calls` makes them, under `profile`.
fn outcomes(runtime: Runtime, bench: &Bench, profile: &Value, calls: &[&str]) -> Value {
    let name = format!("bundle-{runtime:?}");
    let words = [&["/bin/probe", "calls"], calls].concat();
    let bundle = with_profile(bench, &name, &words, profile);
    let ran = runtime
        .tool(bench)
        .args(["run", "-b"])
        .arg(&bundle.directory)
        .arg(id())
        .run();
    fs::remove_dir_all(&bundle.directory).expect("remove the bundle");
    Probe::report(&ran)
}

/// Runs `calls` under both runtimes: the outcomes that are expected, and the same under runc.
fn assert_outcomes(profile: &Value, expected: &[(&str, &str)]) {
    let bench = Bench::new();
    let calls: Vec<&str> = expected.iter().map(|(call, _)| *call).collect();
    for runtime in BOTH {
        let seen = outcomes(runtime, &bench, profile, &calls);
        for (call, outcome) in expected {
            assert_eq!(seen[call], *outcome, "{runtime:?} {call}");
        }
    }
}

/// Calls that no runtime makes itself; the numbers are x86_64's.
#[test]
fn every_action_and_an_errno_for_each_rule() {
    let profile = but(json!([
        { "names": ["getpgid"], "action": "SCMP_ACT_ERRNO" },
        { "names": ["getsid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76 },
        { "names": ["ustat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77 },
        { "names": ["uselib"], "action": "SCMP_ACT_KILL" },
        { "names": ["acct"], "action": "SCMP_ACT_KILL_PROCESS" },
        { "names": ["vhangup"], "action": "SCMP_ACT_KILL_THREAD" },
        { "names": ["sysfs"], "action": "SCMP_ACT_TRAP" },
        { "names": ["sync"], "action": "SCMP_ACT_TRACE" },
        { "names": ["umask"], "action": "SCMP_ACT_LOG" },
        { "names": ["no_such_call"], "action": "SCMP_ACT_KILL" },
    ]));
    assert_outcomes(
        &profile,
        &[
            ("64:121", "EPERM"),
            ("64:124", "ENOTUNIQ"),
            ("64:136", "EBADFD"),
            ("64:134", "killed by SIGSYS"),
            ("64:163", "killed by SIGSYS"),
            ("64:153", "killed by SIGSYS"),
            ("64:139", "killed by SIGSYS"),
            ("64:162", "ENOSYS"),
            ("64:95:18", "ok 18"),
        ],
    );
}

#[test]
fn every_operator_and_several_conditions() {
    let condition = |index: u32, op: &str, value: u64, two: u64| json!({ "index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": two });
    // setpriority(PRIO_PROCESS…) by its first argument, whatever the others: 141.
    for (op, value, two, refused, passed) in [
        ("EQ", 5, 0, 5, 6),
        ("NE", 5, 0, 6, 5),
        ("LT", 5, 0, 4, 5),
        ("LE", 5, 0, 5, 6),
        ("GE", 5, 0, 5, 4),
        ("GT", 5, 0, 6, 5),
        ("MASKED_EQ", 4, 4, 7, 3),
    ] {
        let rule = json!([{
            "names": ["setpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76,
            "args": [condition(0, op, value, two)],
        }]);
        let (refused, passed) = (format!("64:141:{refused}"), format!("64:141:{passed}"));
        // The kernel's own answer: no such kind of priority.
        assert_outcomes(&but(rule), &[(&refused, "ENOTUNIQ"), (&passed, "EINVAL")]);
    }
    let both = json!([{
        "names": ["setpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76,
        "args": [condition(0, "EQ", 7, 0), condition(1, "EQ", 8, 0)],
    }]);
    let expected = [("64:141:7:8", "ENOTUNIQ"), ("64:141:7:9", "EINVAL")];
    assert_outcomes(&but(both), &expected);
    // Two on one argument are alternatives.
    let either = json!([{
        "names": ["setpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76,
        "args": [condition(0, "EQ", 7, 0), condition(0, "EQ", 8, 0)],
    }]);
    let expected = [
        ("64:141:7", "ENOTUNIQ"),
        ("64:141:8", "ENOTUNIQ"),
        ("64:141:9", "EINVAL"),
    ];
    assert_outcomes(&but(either), &expected);
}

/// getuid is 102 on x86_64 and 24 on x86; a 32-bit call is killed where the profile doesn't list it.
#[test]
fn architectures() {
    let rules = json!([{ "names": ["getuid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76 }]);
    let mut profile = but(rules);
    let native = [("64:102", "ENOTUNIQ"), ("32:24", "killed by SIGSYS")];
    assert_outcomes(&profile, &native);
    for list in [
        json!(["SCMP_ARCH_X86"]),
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
        // Of another machine: nothing here makes its calls.
        json!(["SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"]),
    ] {
        profile["architectures"] = list;
        assert_outcomes(&profile, &[("64:102", "ENOTUNIQ"), ("32:24", "ENOTUNIQ")]);
    }
}

/// What podman's profile doesn't name, and numbers that nobody knows.
#[test]
fn newer_calls_do_not_exist() {
    let mut profile = podman();
    profile["defaultErrnoRet"] = json!(1);
    assert_outcomes(&profile, &[("64:999", "ENOSYS"), ("64:248", "EPERM")]);
    profile["defaultAction"] = json!("SCMP_ACT_KILL");
    profile
        .as_object_mut()
        .expect("an object")
        .remove("defaultErrnoRet");
    assert_outcomes(&profile, &[("64:999", "ENOSYS")]);
}

#[test]
fn flags() {
    let rules = json!([{ "names": ["getuid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76 }]);
    for flags in [
        json!([]),
        json!(["SECCOMP_FILTER_FLAG_LOG"]),
        json!([
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            "SECCOMP_FILTER_FLAG_TSYNC"
        ]),
        json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]),
    ] {
        let mut profile = but(rules.clone());
        profile["flags"] = flags.clone();
        let seen = outcomes(Runtime::Ours, &Bench::new(), &profile, &["64:102"]);
        assert_eq!(seen["64:102"], "ENOTUNIQ", "{flags}");
    }
}

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

fn start_agent(socket: &Path) -> integration::Running {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seccomp/agent.py");
    let mut agent = Tool::new("python3").arg(script).arg(socket).start();
    agent.wait_for("listening");
    agent
}

/// The listener decides on the command's calls, and on the runtime's own that come after the filter.
#[test]
fn a_listener_decides() {
    let bench = Bench::new();
    // The last, an allowed rule, keeps runc's stub off.
    let notified = json!(["mkdir", "sendmsg", "accept4", "close", "rt_sigprocmask"]);
    for (runtime, no_new_privileges) in [
        (Runtime::Ours, false),
        (Runtime::Ours, true),
        (Runtime::Runc, false),
    ] {
        let name = id();
        let socket = bench.path(&format!("{name}.sock"));
        let names = match runtime {
            // runc would wait for itself.
            Runtime::Ours => notified.clone(),
            _ => json!(["mkdir"]),
        };
        let mut profile = but(json!([{ "names": names, "action": "SCMP_ACT_NOTIFY" }]));
        profile["listenerPath"] = json!(socket);
        profile["listenerMetadata"] = json!("from the bundle");
        let bundle = with_profile(
            &bench,
            &name,
            &["/bin/probe", "calls", "64:83:0:0"],
            &profile,
        );
        bundle.edit(|spec| {
            spec["process"]["noNewPrivileges"] = json!(no_new_privileges);
            spec["annotations"] = json!({ "an": "annotation" });
        });
        let agent = start_agent(&socket);
        let run = runtime
            .tool(&bench)
            .args(["run", "-b"])
            .arg(&bundle.directory);
        let report = Probe::report(&run.arg(&name).limit(Duration::from_secs(20)).run());
        assert_eq!(report["64:83:0:0"], "ENOTUNIQ", "{name}");
        let said = agent.wait().stdout;
        let line = said.lines().nth(1).expect("a message");
        let (message, descriptors) = line.rsplit_once(' ').expect("two words");
        assert_eq!(descriptors, "1", "{name}");
        let message: Value = serde_json::from_str(message).expect("JSON");
        assert_eq!(message["fds"], json!(["seccompFd"]), "{name}");
        assert_eq!(message["metadata"], "from the bundle", "{name}");
        assert_eq!(message["state"]["id"], name.as_str());
        assert_eq!(message["state"]["status"], "creating", "{name}");
        assert_eq!(
            message["state"]["annotations"]["an"], "annotation",
            "{name}"
        );
        assert!(message["pid"].as_i64().is_some_and(|pid| pid > 1), "{name}");
        assert_eq!(message["pid"], message["state"]["pid"], "{name}");
    }
}

/// Nobody to hand the listener to: nothing is left, and nobody waits for ever.
#[test]
fn a_listener_that_nobody_takes_is_an_error() {
    let bench = Bench::new();
    let mut profile = but(json!([{ "names": ["sendmsg"], "action": "SCMP_ACT_NOTIFY" }]));
    let bundle = with_profile(&bench, "nobody", &["true"], &profile);
    let run = || {
        bench
            .runtime()
            .args(["run", "-b"])
            .arg(&bundle.directory)
            .arg("nobody")
            .run()
    };
    bench.assert_refused(&run(), "SCMP_ACT_NOTIFY needs listenerPath");
    profile["listenerPath"] = json!(bench.path("absent.sock"));
    bundle.edit(|spec| spec["linux"]["seccomp"] = profile.clone());
    bench.assert_refused(&run(), "hand the seccomp listener to");
    wait_until("the container to be gone", Duration::from_secs(5), || {
        bench.state_names().is_empty()
    });
}

/// What `features` names is what the tests here use, and each name is accepted and works.
#[test]
fn features_say_what_works() {
    let bench = Bench::new();
    let said = bench.runtime().arg("features").expect(0).stdout;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let seccomp = &said["linux"]["seccomp"];
    assert_eq!(seccomp["enabled"], true);
    assert_eq!(seccomp["knownFlags"], seccomp["supportedFlags"]);
    let list = |key: &str| seccomp[key].as_array().expect("a list").clone();
    assert_eq!(list("actions").len(), 9);
    assert_eq!(list("operators").len(), 7);
    let refuse = json!({ "names": ["getsid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 76 });
    let works = |profile: &Value| {
        let seen = outcomes(Runtime::Ours, &bench, profile, &["64:124"]);
        assert_eq!(seen["64:124"], "ENOTUNIQ", "{profile}");
    };
    for action in list("actions")
        .iter()
        .filter(|name| *name != "SCMP_ACT_NOTIFY")
    {
        works(&but(
            json!([refuse, { "names": ["vhangup"], "action": action }]),
        ));
    }
    for operator in list("operators") {
        let condition = json!({ "index": 0, "op": operator, "value": 1 });
        let rule = json!({ "names": ["vhangup"], "action": "SCMP_ACT_LOG", "args": [condition] });
        works(&but(json!([refuse, rule])));
    }
    for key in ["archs", "supportedFlags"] {
        for name in list(key) {
            let mut profile = but(json!([refuse]));
            let of = if key == "archs" {
                "architectures"
            } else {
                "flags"
            };
            profile[of] = json!([name]);
            works(&profile);
        }
    }
}
