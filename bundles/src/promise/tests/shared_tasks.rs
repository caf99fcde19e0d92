//! Namespaces that tasks of one program share: in Shifter's containers only, and only the user's own.

use super::processes::kept;
use super::*;

/// A spec of Shifter's whose pid and user namespaces are joined by these paths.
fn joined(pid: &str, user: &str) -> Value {
    let mut spec = sealed();
    spec["annotations"][KIND_ANNOTATION] = "shifter".into();
    let key = format!("{EXCEPTION_ANNOTATION}shared-tasks");
    spec["annotations"][key] = "MPI".into();
    let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
    for namespace in namespaces {
        match namespace["type"].as_str().unwrap() {
            "pid" => namespace["path"] = pid.into(),
            "user" => namespace["path"] = user.into(),
            _ => {}
        }
    }
    spec
}

const OPEN: [&str; 2] = ["/proc/self/fd/9", "/proc/self/fd/10"];

fn found(spec: &Value, kind: Kind) -> Vec<String> {
    let report = check(&read(spec), kind);
    let broken = report.broken().filter(|row| row.protection == "own world");
    broken.flat_map(|row| row.broken.clone()).collect()
}

#[test]
fn tasks_share_what_is_open_and_only_where_it_is_asked_for() {
    let [pid, user] = OPEN;
    let whole = joined(pid, user);
    let report = check(&read(&whole), Kind::Shifter);
    assert!(report.is_kept(), "{}", report.summary());
    let row = report.rows.iter().find(|row| row.protection == "own world");
    assert_eq!(row.unwrap().exceptions, ["shared-tasks"]);
    // A path elsewhere may lead to another namespace by the time it is followed.
    for path in [
        "/proc/1/ns/pid",
        "/proc/self/fd/",
        "/proc/self/fd/../1",
        "/run/ns",
    ] {
        let broken = found(&joined(path, user), Kind::Shifter).join("; ");
        assert!(broken.contains("no new pid namespace"), "{path}: {broken}");
    }
    for kind in [Kind::Sealed, Kind::OptServer] {
        let broken = found(&whole, kind).join("; ");
        assert!(broken.contains("only tasks of shifter's"), "{broken}");
    }
    let mut unasked = whole;
    let annotations = unasked["annotations"].as_object_mut().unwrap();
    annotations.retain(|key, _| !key.contains("shared-tasks"));
    let broken = found(&unasked, Kind::Shifter).join("; ");
    assert!(broken.contains("no new pid namespace"), "{broken}");
}

#[test]
fn pids_are_shared_with_the_user_namespace_and_not_without() {
    let [pid, user] = OPEN;
    for lone in ["pid", "user"] {
        let mut spec = joined(pid, user);
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        let other = namespaces
            .iter_mut()
            .find(|namespace| {
                ["pid", "user"].contains(&namespace["type"].as_str().unwrap())
                    && namespace["type"] != lone
            })
            .unwrap();
        other.as_object_mut().unwrap().remove("path");
        let broken = found(&spec, Kind::Shifter).join("; ");
        assert!(
            broken.contains("one of pid and user, and not both"),
            "{broken}"
        );
    }
}

/// What is seen of a process of that spec.
fn seen() -> Observed {
    let owner = kept().status.uid[0];
    Observed {
        joined: Some(JoinedNamespaces {
            owner,
            pid_is_of_user: true,
            pid_is_below_ours: true,
        }),
        ..kept()
    }
}

/// What is changed, and what is said of it.
type Breakage = (fn(&mut Observed), &'static str);

#[test]
fn namespaces_that_are_joined_are_the_users_own() {
    let [pid, user] = OPEN;
    let spec = read(&joined(pid, user));
    let report = compare(&seen(), &spec, Kind::Shifter);
    assert!(report.is_kept(), "{}", report.summary());
    let wrong: [Breakage; 6] = [
        (|seen| seen.joined = None, "can't be seen"),
        (|seen| seen.joined.as_mut().unwrap().owner = 0, "uid 0's"),
        (
            |seen| seen.joined.as_mut().unwrap().owner = 1001,
            "uid 1001's",
        ),
        (
            |seen| seen.joined.as_mut().unwrap().pid_is_of_user = false,
            "of another user namespace",
        ),
        (
            |seen| seen.joined.as_mut().unwrap().pid_is_below_ours = false,
            "isn't right below ours",
        ),
        (
            |seen| {
                let ours = NamespaceIds { theirs: 2, ours: 2 };
                seen.namespaces.insert("user".to_owned(), ours);
            },
            "user namespace is ours",
        ),
    ];
    for (break_it, says) in wrong {
        let mut seen = seen();
        break_it(&mut seen);
        let report = compare(&seen, &spec, Kind::Shifter);
        let broken: Vec<&Row> = report.broken().collect();
        let [row] = broken[..] else {
            panic!("{says}: {}", report.summary());
        };
        assert_eq!(row.protection, "own world");
        assert!(row.broken.join("; ").contains(says), "{}", report.summary());
    }
}

/// CVE-2016-9962: others see the process before it executes its command.
#[test]
fn no_directory_is_open_where_neighbours_see_the_process() {
    let [pid, user] = OPEN;
    let spec = read(&joined(pid, user));
    let mut seen = seen();
    let leads = seen.descriptors[1].leads.clone().unwrap();
    let to_directory = Leads {
        to_directory: true,
        ..leads
    };
    for (leads, target) in [(Some(to_directory), "socket:[1]"), (None, "not looked at")] {
        seen.descriptors[1].leads = leads;
        let told = compare(&seen, &spec, Kind::Shifter).summary();
        let says = format!("descriptor 7 ({target}) is open to its neighbours");
        assert!(told.contains(&says), "{told}");
    }
    let mut alone = joined(pid, user);
    let namespaces = alone["linux"]["namespaces"].as_array_mut().unwrap();
    for namespace in namespaces {
        namespace.as_object_mut().unwrap().remove("path");
    }
    assert!(compare(&seen, &read(&alone), Kind::Shifter).is_kept());
}
