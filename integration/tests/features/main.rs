//! `features` says only what is true: every entry is read from the binary and tried.
//!
//! An entry that no test here knows how to try fails, so that the list can't grow without one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use integration::{Bench, Bundle, Outcome, Probe, Tool, opt_runtime, plain};
use serde_json::{Value, json};

mod mount_options;

fn features() -> Value {
    let outcome = Tool::new(opt_runtime()).arg("features").expect(0);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    list.iter().map(text).collect()
}

fn probe(bench: &Bench) -> Bundle {
    plain::bundle(bench, "plain", &["/bin/probe", "look"])
}

fn look(bundle: &Bundle, bench: &Bench) -> Value {
    Probe::report(&bundle.run(bench).run())
}

#[test]
fn the_structure_is_whole() {
    let features = features();
    for key in ["ociVersionMin", "ociVersionMax"] {
        assert!(features[key].is_string(), "{key}");
    }
    let known = [
        "annotations",
        "hooks",
        "linux",
        "mountOptions",
        "ociVersionMax",
        "ociVersionMin",
        "potentiallyUnsafeConfigAnnotations",
    ];
    let keys: Vec<_> = features.as_object().expect("an object").keys().collect();
    assert_eq!(keys, known);
    // What no test proves is said to be absent.
    let linux = &features["linux"];
    for key in ["apparmor", "selinux", "intelRdt"] {
        assert_eq!(linux[key]["enabled"], false, "{key}");
    }
}

#[test]
fn every_version_is_taken_and_no_later_major() {
    let features = features();
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    for key in ["ociVersionMin", "ociVersionMax"] {
        bundle.edit(|spec| spec["ociVersion"] = features[key].clone());
        bundle.run(&bench).expect(0);
    }
    bundle.edit(|spec| spec["ociVersion"] = json!("2.0.0"));
    bench.assert_refused(&bundle.run(&bench).run(), "ociVersion");
}

#[test]
fn every_hook_runs() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    let marks = bench.directory("marks");
    let hooks = strings(&features()["hooks"]);
    assert_eq!(hooks.iter().collect::<BTreeSet<_>>().len(), 6);
    bundle.edit(|spec| {
        let mut all = json!({});
        for hook in &hooks {
            // startContainer runs inside, the others on the host.
            let mark = match hook.as_str() {
                "startContainer" => format!("/marks/{hook}"),
                _ => marks.join(hook).display().to_string(),
            };
            let program = match hook.as_str() {
                "startContainer" => "/bin/touch",
                _ => "/usr/bin/touch",
            };
            all[hook] = json!([{ "path": program, "args": ["touch", mark] }]);
        }
        spec["hooks"] = all;
        let mount = json!({
            "destination": "/marks", "type": "bind", "source": marks, "options": ["bind"],
        });
        spec["mounts"].as_array_mut().expect("mounts").push(mount);
    });
    bundle.run(&bench).expect(0);
    let left = integration::host::names_in(&marks);
    assert_eq!(
        left.iter().collect::<BTreeSet<_>>(),
        hooks.iter().collect::<BTreeSet<_>>()
    );
}

/// The name in /proc/PID/ns of a namespace of the spec.
fn link_of(namespace: &str) -> &str {
    match namespace {
        "mount" => "mnt",
        "network" => "net",
        other => other,
    }
}

#[test]
fn every_namespace_is_new() {
    let bench = Bench::new();
    let bundle = probe(&bench);
    for namespace in strings(&features()["linux"]["namespaces"]) {
        let link = link_of(&namespace);
        let host = fs::read_link(format!("/proc/self/ns/{link}")).expect("a link");
        let inside = |listed: &[&str]| {
            bundle.edit(|spec| {
                let listed = listed.iter().map(|kind| json!({ "type": kind }));
                spec["linux"]["namespaces"] = listed.collect();
                let user = listed_user(spec);
                let map = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
                for key in ["uidMappings", "gidMappings"] {
                    spec["linux"][key] = if user { map.clone() } else { json!([]) };
                }
                // A name of its own needs a namespace for it.
                spec.as_object_mut().expect("an object").remove("hostname");
            });
            let report = look(&bundle, &bench);
            report["namespaces"][link]
                .as_str()
                .expect("a link")
                .to_owned()
        };
        // Every container has a mount namespace; with it alone, the others are the host's.
        let listed: &[&str] = match namespace.as_str() {
            "mount" => &["mount"],
            // A user namespace may mount a /proc only for processes of its own.
            "user" => &["mount", "pid", "user"],
            other => &["mount", other],
        };
        assert_ne!(inside(listed), host.display().to_string(), "{namespace}");
        if namespace != "mount" {
            assert_eq!(
                inside(&["mount"]),
                host.display().to_string(),
                "{namespace}"
            );
        }
    }
}

fn listed_user(spec: &Value) -> bool {
    let listed = spec["linux"]["namespaces"].as_array().expect("namespaces");
    listed.iter().any(|namespace| namespace["type"] == "user")
}

#[test]
fn every_capability_can_be_given_alone() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/status"]);
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let hex = line
            .and_then(|line| line.split_whitespace().nth(1))
            .expect("a field");
        u64::from_str_radix(hex, 16).expect("a mask")
    };
    let host = field(&status, "CapBnd");
    let capabilities = strings(&features()["linux"]["capabilities"]);
    assert_eq!(capabilities.len(), 41);
    for (number, capability) in capabilities.iter().enumerate() {
        bundle.edit(|spec| {
            let only = json!([capability]);
            spec["process"]["capabilities"] =
                json!({ "bounding": only, "effective": only, "permitted": only });
        });
        let mask = 1 << number;
        if host & mask == 0 {
            // This machine's root doesn't have it, so nobody can.
            assert_ne!(bundle.run(&bench).run().code, Some(0), "{capability}");
            continue;
        }
        let inside = bundle.run(&bench).expect(0).stdout;
        for name in ["CapBnd", "CapEff", "CapPrm"] {
            assert_eq!(field(&inside, name), mask, "{capability}: {name}");
        }
    }
}

#[test]
fn a_cgroup_of_this_hosts_version_limits() {
    let cgroup = &features()["linux"]["cgroup"];
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/cgroup"]);
    bundle.edit(|spec| spec["linux"]["resources"] = json!({ "pids": { "limit": 77 } }));
    let outcome = bundle.run(&bench).expect(0);
    let version = if outcome.stdout.contains(":pids:") {
        "v1"
    } else {
        "v2"
    };
    outcome.says("/opt-runtime-");
    // The other version is tried by the same suite in hack/vm's guest.
    assert_eq!(cgroup[version], true, "{outcome}");
}

#[test]
fn mounts_are_mapped() {
    let linux = &features()["linux"];
    assert_eq!(linux["mountExtensions"]["idmap"]["enabled"], true);
    let bench = Bench::new();
    for option in ["idmap", "ridmap"] {
        assert!(mount_options::is_done(&bench, option), "{option}");
    }
}

#[test]
fn every_memory_policy_is_set() {
    let policy = &features()["linux"]["memoryPolicy"];
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/self/numa_maps"]);
    let seen = |policy: Value| -> String {
        bundle.edit(|spec| spec["linux"]["memoryPolicy"] = policy);
        let outcome = bundle.run(&bench).expect(0);
        // ADDRESS POLICY DETAILS…
        outcome
            .stdout
            .split_whitespace()
            .nth(1)
            .expect("a policy")
            .to_owned()
    };
    for mode in strings(&policy["modes"]) {
        let (nodes, wanted) = match mode.as_str() {
            "MPOL_DEFAULT" => (None, "default"),
            "MPOL_LOCAL" => (None, "local"),
            "MPOL_BIND" => (Some("0"), "bind:0"),
            "MPOL_INTERLEAVE" => (Some("0"), "interleave:0"),
            "MPOL_PREFERRED" => (Some("0"), "prefer:0"),
            "MPOL_PREFERRED_MANY" => (Some("0"), "prefer"),
            "MPOL_WEIGHTED_INTERLEAVE" => (Some("0"), "weighted"),
            other => panic!("no test for {other}"),
        };
        let policy = match nodes {
            Some(nodes) => json!({ "mode": mode, "nodes": nodes }),
            None => json!({ "mode": mode }),
        };
        assert_eq!(seen(policy), wanted, "{mode}");
    }
    for flag in strings(&policy["flags"]) {
        let wanted = match flag.as_str() {
            "MPOL_F_STATIC_NODES" => "bind=static:0",
            "MPOL_F_RELATIVE_NODES" => "bind=relative:0",
            "MPOL_F_NUMA_BALANCING" => "bind=balancing:0",
            other => panic!("no test for {other}"),
        };
        let policy = json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": [flag] });
        assert_eq!(seen(policy), wanted, "{flag}");
    }
}

#[test]
fn a_network_device_moves_in() {
    assert_eq!(features()["linux"]["netDevices"]["enabled"], true);
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["cat", "/proc/net/dev"]);
    bundle.edit(|spec| spec["linux"]["netDevices"] = json!({ "moved0": { "name": "eth7" } }));
    let script = "ip link add moved0 type veth peer name stays0 && exec \"$@\"";
    // A network namespace of the test's own stands for the host's.
    let apart = ["--net", "sh", "-c", script, "sh"];
    let outcome = bundle.run(&bench).within("unshare", &apart).expect(0);
    outcome.says("eth7:");
}

#[test]
fn the_annotations_that_change_what_the_runtime_does_are_named() {
    let unsafe_ones = strings(&features()["potentiallyUnsafeConfigAnnotations"]);
    assert!(unsafe_ones.contains(&"org.opt-runtime.".to_owned()));
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["true"]);
    bundle.edit(|spec| spec["annotations"] = json!({ "org.opt-runtime.sealed": "sealed" }));
    bench.assert_refused(&bundle.run(&bench).run(), "sealed");
}

/// That a claim is about this very program, not another one in the path.
#[test]
fn the_version_is_this_programs() {
    let version: Outcome = Tool::new(opt_runtime()).arg("--version").expect(0);
    let claimed = features()["annotations"]["org.opt-runtime.version"].clone();
    version.says(&format!("version {}", claimed.as_str().expect("a version")));
    assert!(Path::new(&opt_runtime()).is_absolute());
}
