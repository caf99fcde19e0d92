//! Nothing leads out of the container's tree.

use std::path::Path;

use oci_spec::runtime::{Mount, Spec};

use crate::promise::spec_view::{has_option, is_bind, is_within, linux, mounts, options};
use crate::promise::{Kind, MASKED_PATHS, Observed, Protection, READONLY_PATHS};

pub(crate) const ROW: Protection = Protection {
    name: "no way back",
    reason: "Shifter: \"should not be able to re-escalate afterwards\"; the \"shared\" mount strategy \"will remove the mounts from Shifter's strict control\"",
    meaning: "another root, no mount propagates to the host, kernel settings in /proc are hidden or read-only, no cgroup tree",
    in_config,
    on_process,
};

const PROPAGATES: [&str; 2] = ["shared", "rshared"];

fn in_config(spec: &Spec, kind: Kind) -> Vec<String> {
    let mut broken = vec![];
    let Some(linux) = linux(spec) else {
        return vec!["linux is absent".to_owned()];
    };
    if let Some(propagation) = linux.rootfs_propagation().as_deref()
        && !["private", "rprivate", "slave", "rslave"].contains(&propagation)
    {
        broken.push(format!("linux.rootfsPropagation is {propagation}"));
    }
    for (index, mount) in mounts(spec).iter().enumerate() {
        if let Some(finding) = leads_out(mount) {
            let destination = mount.destination().display();
            broken.push(format!("mounts[{index}] {destination} {finding}"));
        }
    }
    broken.extend(uncovered(
        "maskedPaths",
        &MASKED_PATHS,
        linux.masked_paths(),
    ));
    broken.extend(uncovered(
        "readonlyPaths",
        &READONLY_PATHS,
        linux.readonly_paths(),
    ));
    if kind == Kind::OptServer {
        if spec.root().as_ref().and_then(|root| root.readonly()) != Some(true) {
            broken.push("root.readonly is not true".to_owned());
        }
        if spec.hooks().is_some() {
            broken.push("hooks would run on the host".to_owned());
        }
    }
    broken
}

fn leads_out(mount: &Mount) -> Option<String> {
    if let Some(option) = options(mount)
        .iter()
        .find(|option| PROPAGATES.contains(&option.as_str()))
    {
        return Some(format!("is {option}"));
    }
    let destination = mount.destination();
    match mount.typ().as_deref() {
        Some(typ @ ("cgroup" | "cgroup2")) => return Some(format!("is a {typ} mount")),
        Some("proc") if destination != Path::new("/proc") => {
            return Some("is a second proc, without masks".to_owned());
        }
        Some("sysfs") if !has_option(mount, "ro") => return Some("is a writable sysfs".to_owned()),
        _ => {}
    }
    let over_proc =
        is_within(destination, "/proc") && (is_bind(mount) || destination != Path::new("/proc"));
    over_proc.then(|| "covers /proc".to_owned())
}

/// The paths of `wanted` that neither `have` nor a path above them in it covers.
fn uncovered(
    key: &'static str,
    wanted: &'static [&'static str],
    have: &Option<Vec<String>>,
) -> impl Iterator<Item = String> {
    let have: Vec<String> = have.iter().flatten().cloned().collect();
    wanted
        .iter()
        .filter(move |path| !have.iter().any(|above| Path::new(path).starts_with(above)))
        .map(move |path| format!("linux.{key} lacks {path}"))
}

fn on_process(observed: &Observed, spec: &Spec, _: Kind) -> Vec<String> {
    let mut broken = vec![];
    if observed.root_is_host_root {
        broken.push("its root is ours".to_owned());
    }
    for mount in &observed.mounts {
        let path = mount.path.display();
        if mount.shared {
            broken.push(format!("{path} is in a shared peer group"));
        }
        if mount.file_system.starts_with("cgroup") {
            broken.push(format!("{path} is a {} mount", mount.file_system));
        }
    }
    let Some(linux) = linux(spec) else {
        return broken;
    };
    let hidden = linux.masked_paths().iter().flatten();
    let read_only = linux.readonly_paths().iter().flatten();
    for path in hidden.chain(read_only).map(Path::new) {
        let covered = observed
            .mounts
            .iter()
            .any(|mount| mount.path == path && (mount.has("ro") || mount.file_system != "proc"));
        if !covered && observed.existing_paths.iter().any(|exists| exists == path) {
            broken.push(format!(
                "{} is neither masked nor read-only",
                path.display()
            ));
        }
    }
    broken
}
