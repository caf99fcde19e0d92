//! The static checks, and sealing.

use serde_json::{Map, Value};

use super::*;

const BROKEN: &str = include_str!("../../../tests/data/promise/broken.json");

/// Puts `to` at the JSON pointer `at`, or removes what is there.
fn change(spec: &mut Value, at: &str, to: Option<&Value>) {
    let (parent, key) = at.rsplit_once('/').unwrap();
    match (spec.pointer_mut(parent).unwrap(), to) {
        (Value::Object(map), Some(to)) => drop(map.insert(key.to_owned(), to.clone())),
        (Value::Object(map), None) => drop(map.remove(key).unwrap()),
        (Value::Array(list), Some(to)) => list[key.parse::<usize>().unwrap()] = to.clone(),
        (Value::Array(list), None) => drop(list.remove(key.parse().unwrap())),
        _ => panic!("{at}"),
    }
}

#[test]
fn a_sealed_spec_keeps_every_row() {
    let report = check(&read(&sealed()), Kind::OptServer);
    assert!(report.is_kept(), "{}", report.summary());
    assert_eq!(report.rows.len(), PROTECTIONS.len());
}

#[test]
fn each_breakage_is_found_by_its_row_and_by_no_other() {
    let cases: Vec<Map<String, Value>> = serde_json::from_str(BROKEN).unwrap();
    for case in &cases {
        let mut spec = sealed();
        let at = case["at"].as_str().unwrap();
        change(&mut spec, at, case.get("to"));
        for (at, to) in case
            .get("also")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            change(&mut spec, at, Some(to));
        }
        let report = check(&read(&spec), Kind::OptServer);
        let broken: Vec<&Row> = report.broken().collect();
        let [row] = broken[..] else {
            panic!("{case:?}: {}", report.summary());
        };
        assert_eq!(row.protection, case["row"].as_str().unwrap(), "{case:?}");
        let says = case["says"].as_str().unwrap();
        let findings = row.broken.join("; ");
        assert!(findings.contains(says), "{case:?}: {findings}");
    }
    for protection in &PROTECTIONS {
        let tried = cases.iter().any(|case| case["row"] == protection.name);
        assert!(tried, "no case breaks {}", protection.name);
    }
}

#[test]
fn sealing_mends_what_it_can_and_then_changes_nothing() {
    let cases: Vec<Map<String, Value>> = serde_json::from_str(BROKEN).unwrap();
    // What only the caller can decide is left for the check to name.
    let callers = |case: &Map<String, Value>| {
        let at = case["at"].as_str().unwrap();
        case["row"] == "nobody"
            || at.starts_with("/linux/devices")
            || case["row"] == "no way back" && at.starts_with("/mounts/")
            || at.starts_with("/linux/namespaces/6")
            || case["says"] == "/proc"
            || ["/dev", "NAME=value"].contains(&case["says"].as_str().unwrap())
    };
    for case in cases.iter().filter(|case| !callers(case)) {
        let mut spec = sealed();
        change(&mut spec, case["at"].as_str().unwrap(), case.get("to"));
        let mut spec = read(&spec);
        let changes = seal(&mut spec, Kind::OptServer);
        assert!(!changes.is_empty(), "{case:?}");
        let report = check(&spec, Kind::OptServer);
        assert!(report.is_kept(), "{case:?}: {}", report.summary());
        assert_eq!(
            seal(&mut spec, Kind::OptServer),
            Vec::<String>::new(),
            "{case:?}"
        );
    }
}

#[test]
fn sealing_an_empty_spec_leaves_only_the_callers_decisions() {
    let mut spec = Spec::default();
    seal(&mut spec, Kind::Sealed);
    let report = check(&spec, Kind::Sealed);
    let broken: Vec<&str> = report.broken().map(|row| row.protection).collect();
    assert!(
        broken
            .iter()
            .all(|row| ["nobody", "setuid is dead", "no devices", "no way back"].contains(row)),
        "{}",
        report.summary()
    );
}

#[test]
fn an_unknown_promise_is_refused() {
    let mut spec = sealed();
    spec["annotations"][KIND_ANNOTATION] = "opt-sever".into();
    assert!(Kind::of(&read(&spec)).is_err());
    spec["annotations"] = serde_json::json!({});
    assert_eq!(Kind::of(&read(&spec)).unwrap(), None);
}

#[test]
fn only_libraries_of_a_shifter_sites_own_are_preloaded() {
    for (entry, kind, wanted) in [
        (
            "LD_PRELOAD=/opt/udiImage/modules/mpi/libmpi.so",
            Kind::Shifter,
            false,
        ),
        (
            "LD_PRELOAD=/opt/udiImage/a.so:/opt/udiImage/b.so /opt/udiImage/c.so",
            Kind::Shifter,
            false,
        ),
        ("LD_AUDIT=/opt/udiImage/a.so", Kind::Shifter, false),
        ("LD_PRELOAD=", Kind::Shifter, false),
        (
            "LD_PRELOAD=/opt/udiImage/a.so:/tmp/b.so",
            Kind::Shifter,
            true,
        ),
        (
            "LD_PRELOAD=/opt/udiImage/../../tmp/b.so",
            Kind::Shifter,
            true,
        ),
        ("LD_PRELOAD=a.so", Kind::Shifter, true),
        ("LD_PRELOAD=/opt/udiImage/a.so", Kind::Sealed, true),
        ("LD_PRELOAD=/opt/udiImage/a.so", Kind::OptServer, true),
        ("LISTEN_FDS=/opt/udiImage/a.so", Kind::Shifter, true),
        ("LD_LIBRARY_PATH=/x", Kind::OptServer, false),
    ] {
        assert_eq!(is_handed_down(entry, kind), wanted, "{entry} {kind:?}");
    }
}

#[test]
fn parts_of_the_hosts_sysfs_may_be_shown_where_none_can_be_mounted() {
    let part = |path: &str, options: &str| {
        let options: Vec<&str> = options.split(' ').collect();
        serde_json::json!({ "destination": path, "type": "bind", "source": path, "options": options })
    };
    let good = "bind nosuid nodev noexec ro";
    for (mount, has_user_namespace, kind, is_kept) in [
        (part("/sys/devices", good), true, Kind::Shifter, true),
        (part("/sys/devices", good), true, Kind::OptServer, false),
        (part("/sys/devices", good), false, Kind::Shifter, false),
        (
            part("/sys/devices", "bind nosuid nodev"),
            true,
            Kind::Shifter,
            false,
        ),
        (
            part("/sys/devices", "rbind nosuid rnosuid nodev rnodev ro"),
            true,
            Kind::Shifter,
            false,
        ),
        (part("/sys", good), true, Kind::Shifter, false),
        (part("/sys/fs/cgroup", good), true, Kind::Shifter, false),
        (part("/sys/kernel/debug", good), true, Kind::Shifter, false),
    ] {
        let mut spec = sealed();
        spec["mounts"][4] = mount.clone();
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| {
            namespace["type"] != "network" && (has_user_namespace || namespace["type"] != "user")
        });
        let report = check(&read(&spec), kind);
        let finding = report.broken().any(|row| row.protection == "no way back");
        assert_eq!(!finding, is_kept, "{mount} {kind:?}: {}", report.summary());
    }
}
