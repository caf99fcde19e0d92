//! What becomes of calls: actions, conditions, architectures, flags.

use std::fs;

use integration::{Bench, Probe, Runtime};
use serde_json::{Value, json};

use super::{BOTH, but, id, podman, with_profile};

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
