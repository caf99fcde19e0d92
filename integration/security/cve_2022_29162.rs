//! A process begins with inheritable capabilities, which a file with such capabilities turns into real ones
//! (CVE-2022-29162 in runc, CVE-2022-27650 in crun, CVE-2022-24769 in Docker, CVE-2025-27612 in youki).

use integration::{Bench, Bundle, Container, Probe, Runtime, Tool, plain};
use serde_json::{Value, json};

const NONE: &str = "0000000000000000";

/// What a careless caller has: capabilities that are inheritable, and ambient.
fn by_a_careless_caller(tool: Tool) -> Tool {
    let some = "+chown,+net_raw,+sys_admin,+setuid";
    let arguments = ["--inh-caps", some, "--ambient-caps", some];
    tool.within("setpriv", &arguments)
}

fn bundle_of(bench: &Bench, name: &str, uid: u32, words: &[&str]) -> Bundle {
    let bundle = plain::bundle(bench, name, words);
    bundle.edit(|spec| spec["process"]["user"] = json!({ "uid": uid, "gid": uid }));
    bundle
}

fn give(spec: &mut Value, capabilities: &[&str]) {
    spec["process"]["capabilities"] = json!({
        "bounding": capabilities, "permitted": capabilities, "effective": capabilities,
    });
}

#[track_caller]
fn assert_sets(report: &Value, what: &str, sets: &[&str]) {
    for set in sets {
        assert_eq!(report["status"][*set], NONE, "{what}: {set}");
    }
}

#[test]
fn run_gives_no_inheritable_capability() {
    let bench = Bench::new();
    for uid in [0, 1000] {
        let bundle = bundle_of(&bench, &format!("of-{uid}"), uid, &["probe", "look"]);
        let report = Probe::report(&by_a_careless_caller(bundle.run(&bench)).run());
        let all = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        assert_sets(&report, &format!("uid {uid}, none given"), &all);
        bundle.edit(|spec| give(spec, &["CAP_CHOWN", "CAP_NET_RAW"]));
        let report = Probe::report(&by_a_careless_caller(bundle.run(&bench)).run());
        assert_sets(&report, &format!("uid {uid}"), &["CapInh", "CapAmb"]);
        assert_ne!(report["status"]["CapBnd"], NONE, "they were given");
    }
}

#[test]
fn exec_gives_no_inheritable_capability() {
    let bench = Bench::new();
    for runtime in [Runtime::Ours, Runtime::Runc] {
        let name = runtime.name();
        let bundle = bundle_of(&bench, name, 0, &["sleep", "1000"]);
        bundle.edit(|spec| give(spec, &["CAP_CHOWN", "CAP_NET_RAW"]));
        let container = Container::started(&bench, runtime, &bundle);
        for options in [
            &["--user", "0"][..],
            &["--user", "1000"],
            &["--cap", "CAP_SYS_PTRACE", "--user", "0"],
            &["--cap", "CAP_SYS_PTRACE"],
        ] {
            let tool = container.exec_with(options, &["probe", "look"]);
            let report = Probe::report(&by_a_careless_caller(tool).run());
            assert_sets(&report, &format!("{name} {options:?}"), &["CapInh"]);
        }
    }
}

#[test]
fn nothing_of_the_callers_reaches_a_sealed_command() {
    let bench = Bench::new();
    let bundle = bench.sealed("sealed", &Probe::on(&bench).command(), &["look"]);
    let report = Probe::report(&by_a_careless_caller(bundle.run(&bench)).run());
    let all = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    assert_sets(&report, "sealed", &all);
}
