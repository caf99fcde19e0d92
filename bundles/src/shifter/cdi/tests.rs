//! Specifications in both forms, and what is refused of them.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::vectors::{Wrong, vectors};

/// A directory with the specification `text`, and who may own it.
fn directory(texts: &[(&str, &str)]) -> (tempfile::TempDir, Vec<u32>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in texts {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let owners = vec![0, directory.path().metadata().unwrap().uid()];
    (directory, owners)
}

#[test]
fn specifications_are_read_or_refused_for_what_they_are() {
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/cdi.tsv") {
        let [device, edits, wanted] = &vector[..] else {
            panic!("{vector:?}");
        };
        let text = format!(
            r#"{{"cdiVersion":"0.6.0","kind":"x.org/dev","devices":[{{"name":"one","containerEdits":{edits}}}],
                "containerEdits":{{"env":["ALL=1"]}}}}"#
        );
        let (place, owners) = directory(&[("x.json", &text), ("x.txt", "-")]);
        let directories = [PathBuf::from("/nosuch"), place.path().to_path_buf()];
        let found = match Devices::find(std::slice::from_ref(device), &directories, &owners) {
            Ok(found) => told(&found),
            Err(error) => error.to_string(),
        };
        let found = found.replace(place.path().to_str().unwrap(), "@");
        wrong.unless(&vector, &found, wanted);
    }
    wrong.none();
}

#[test]
fn a_specification_may_be_in_yaml() {
    let text = r#"---
cdiVersion: "0.6.0"
kind: x.org/dev
containerEdits:
  env: [ALL=1]
devices:
  - name: one
    containerEdits:
      deviceNodes:
        - path: /dev/made
          hostPath: /dev/null
          fileMode: 0666
          major: 1
      mounts:
        - {hostPath: /a, containerPath: /b, options: [ro, nosuid]}
      additionalGids: [0, 44, 1234]
"#;
    let find = |name: &str, text: &str| {
        let (place, owners) = directory(&[(name, text)]);
        let directories = [place.path().to_path_buf()];
        let found = Devices::find(&["x.org/dev=one".to_owned()], &directories, &owners);
        found.map_err(|error| error.to_string())
    };
    for name in ["x.yaml", "x.yml"] {
        let found = find(name, text).unwrap();
        assert_eq!(
            told(&found),
            "/dev/made 1:3; /a->/b ro; ALL=1; group 44; group 1234"
        );
        assert!(found.check_names().is_err());
        let caller = |groups: &[u32]| Caller {
            uid: 7,
            gid: 1234,
            groups: groups.to_vec(),
        };
        found.check_groups(&caller(&[44])).unwrap();
        let error = found.check_groups(&caller(&[45])).unwrap_err().to_string();
        assert!(error.contains("needs the group 44"), "{error}");
    }
    let hooked = text.replace("env: [ALL=1]", "hooks: []");
    for (text, says) in [
        (&*hooked, "hooks: can't be given"),
        ("kind: [", "x.yaml: "),
        (
            &text.replace("deviceNodes", "deviceNode"),
            "deviceNode: can't be given",
        ),
        (
            &text.replace("  env: [ALL=1]", "  env: [ALL=1]\n  env: [ALL=2]"),
            "x.yaml: ",
        ),
        (
            &text.replace("containerPath: /b", "containerPath: 4b"),
            "containerPath \"4b\" must be absolute",
        ),
        (
            &text.replace("hostPath: /a", "hostPath: a"),
            "hostPath \"a\" must be absolute",
        ),
        (&text.replace("ALL=1", "=1"), "\"=1\" must be NAME=VALUE"),
    ] {
        let error = find("x.yaml", text).unwrap_err();
        assert!(error.contains(says) && !error.contains('\n'), "{error}");
    }
}

fn told(devices: &Devices) -> String {
    let mut words: Vec<String> = vec![];
    for node in &devices.nodes {
        words.push(format!(
            "{} {}:{}",
            node.path.display(),
            node.major,
            node.minor
        ));
    }
    for mount in &devices.mounts {
        let access = if mount.writable { "rw" } else { "ro" };
        words.push(format!(
            "{}->{} {access}",
            mount.from.display(),
            mount.to.display()
        ));
    }
    let variables = devices.environment.iter();
    words.extend(variables.map(|(name, value)| format!("{name}={value}")));
    let groups = devices.groups.iter();
    words.extend(groups.map(|(gid, _)| format!("group {gid}")));
    words.join("; ")
}

#[test]
fn the_later_directory_counts_and_one_place_has_a_device_once() {
    let text = |value: &str| {
        format!(
            r#"{{"cdiVersion":"0.3.0","kind":"x.org/dev","devices":[{{"name":"one","containerEdits":{{"env":["A={value}"]}}}}]}}"#
        )
    };
    let (first, owners) = directory(&[("a.json", &text("first"))]);
    let (second, _) = directory(&[("a.json", &text("second"))]);
    let (both, _) = directory(&[("a.json", &text("a")), ("b.json", &text("b"))]);
    let find = |directories: &[&tempfile::TempDir]| {
        let directories: Vec<_> = directories
            .iter()
            .map(|one| one.path().to_path_buf())
            .collect();
        Devices::find(&["x.org/dev=one".to_owned()], &directories, &owners)
    };
    assert_eq!(told(&find(&[&first, &second]).unwrap()), "A=second");
    assert!(matches!(
        find(&[&first, &both]),
        Err(CdiError::Twice { .. })
    ));
    assert_eq!(told(&find(&[&both, &first]).unwrap()), "A=first");
    fs::set_permissions(
        first.path().join("a.json"),
        fs::Permissions::from_mode(0o666),
    )
    .unwrap();
    assert!(matches!(find(&[&first]), Err(CdiError::Untrusted(_))));
}
