//! What `explain` says.

use super::*;

#[test]
fn every_mount_is_explained() {
    let spec = read(&sealed());
    let explanation = explain(&spec, Some(Kind::OptServer), vec![]);
    assert_eq!(
        explanation.mounts.len(),
        spec.mounts().as_ref().unwrap().len()
    );
    let project = explanation.mounts.last().unwrap();
    assert_eq!(
        (project.path.as_str(), project.access),
        ("/project", "read-write")
    );
    assert!(project.why.contains("project directory"));
    let text = explanation.to_string();
    for protection in &PROTECTIONS {
        assert!(text.contains(protection.meaning), "{}", protection.name);
    }
    assert!(explanation.system_calls["files"].contains(&"openat*".to_owned()));
}

#[test]
fn a_mount_that_a_later_one_covers_is_explained_so() {
    let mounts = [
        "/dev",
        "/dev/shm",
        "/data/below",
        "/data/../srv",
        "/data",
        "/data2",
        "/dev",
    ];
    let mounts: Vec<_> = mounts
        .iter()
        .map(|path| serde_json::json!({ "destination": path, "type": "tmpfs" }))
        .collect();
    let spec = serde_json::json!({ "ociVersion": "1.0.2", "mounts": mounts });
    let explanation = explain(&serde_json::from_value(spec).unwrap(), None, vec![]);
    let covered: Vec<_> = explanation
        .mounts
        .iter()
        .map(|mount| mount.covered_by.as_deref())
        .collect();
    let dev = Some("/dev");
    assert_eq!(
        covered,
        [dev, dev, Some("/data"), None, None, None, None],
        "{explanation}"
    );
    let text = explanation.to_string();
    assert_eq!(
        text.matches("covered by the later /dev\n").count(),
        2,
        "{text}"
    );
}

#[test]
fn what_is_a_read_only_path_is_explained_so_whatever_its_mount_says() {
    let mount = |path| serde_json::json!({ "destination": path, "type": "tmpfs" });
    let spec = serde_json::json!({
        "ociVersion": "1.0.2", "mounts": [mount("/data"), mount("/data/below"), mount("/tmp")],
        "linux": { "readonlyPaths": ["/data/", "/proc/sys"] },
    });
    let explanation = explain(&serde_json::from_value(spec).unwrap(), None, vec![]);
    let access: Vec<_> = explanation
        .mounts
        .iter()
        .map(|mount| mount.access)
        .collect();
    assert_eq!(access, ["read-only", "read-write", "read-write"]);
}

#[test]
fn what_a_masked_path_is_over_is_explained_as_hidden() {
    let mount = |path| serde_json::json!({ "destination": path, "type": "tmpfs" });
    let mounts = ["/data", "/data/below", "/data2", "/tmp"].map(mount);
    let spec = serde_json::json!({
        "ociVersion": "1.0.2", "mounts": mounts,
        "linux": { "maskedPaths": ["/data/", "/tmp/below"], "readonlyPaths": ["/data"] },
    });
    let explanation = explain(&serde_json::from_value(spec).unwrap(), None, vec![]);
    let explained: Vec<_> = explanation
        .mounts
        .iter()
        .map(|mount| (mount.access, mount.hidden_by.as_deref()))
        .collect();
    let (hidden, seen) = (("hidden", Some("/data/")), ("read-write", None));
    assert_eq!(explained, [hidden, hidden, seen, seen]);
    let text = explanation.to_string();
    assert_eq!(
        text.matches("hidden by the masked path /data/\n").count(),
        2
    );
}
