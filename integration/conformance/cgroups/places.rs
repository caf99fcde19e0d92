//! Where the cgroup is: `linux.cgroupsPath`, and what is made and removed for it.

use std::fs;
use std::path::PathBuf;

use integration::{Runtime, cgroup, is_by_systemd};
use serde_json::json;

use crate::harness::{Case, Check, Stage, ensure, ensure_eq, hold};

/// A controller that the host has in version 1, or the name of version 2's hierarchy.
fn some_hierarchy() -> &'static str {
    if cgroup::is_v2() { "" } else { "pids" }
}

/// The container's cgroup there, as `/proc` has it.
fn path_of(stage: &Stage) -> Result<String, String> {
    let paths = cgroup::paths(stage.pid()?);
    let wanted = some_hierarchy();
    let found = paths.into_iter().find(|(names, _)| match wanted {
        "" => names.is_empty(),
        _ => names.split(',').any(|name| name == wanted),
    });
    Ok(found.ok_or("no cgroup")?.1)
}

fn directory(path: &str) -> PathBuf {
    let mount_point = cgroup::mount_point(some_hierarchy()).expect("a hierarchy");
    mount_point.join(path.trim_start_matches('/'))
}

fn create_at(stage: &Stage, path: &str) -> Check {
    stage.edit(|spec| spec["linux"]["cgroupsPath"] = json!(path));
    stage.create()
}

fn delete(stage: &Stage) -> Check {
    stage.must("delete", &["--force"])
}

#[test]
fn paths() {
    if is_by_systemd() {
        return cgroup::skip("systemd chooses the places");
    }
    hold(&[
        Case::steps("absent: one of its own", |stage| {
            stage.create()?;
            let path = path_of(stage)?;
            let own = path_of_this_process();
            ensure!(path != own && path.contains(&stage.id), "{path}");
            delete(stage)?;
            ensure!(!directory(&path).exists(), "{path} is left");
            Ok(())
        }),
        Case::steps(
            "absolute: from the root, and what was made on the way goes with it",
            |stage| {
                let top = format!("/conformance-top-{}", stage.id);
                create_at(stage, &format!("{top}/below/{}", stage.id))?;
                ensure_eq!(
                    path_of(stage)?,
                    format!("{top}/below/{}", stage.id),
                    "the path"
                );
                delete(stage)?;
                let is_left = directory(&top).exists();
                let _ = fs::remove_dir(directory(&format!("{top}/below")));
                let _ = fs::remove_dir(directory(&top));
                ensure!(!is_left || stage.runtime != Runtime::Ours, "{top} is left");
                Ok(())
            },
        ),
        Case::steps("relative: the same place each time", |stage| {
            let relative = format!("conformance-relative-{}/{}", stage.id, stage.id);
            create_at(stage, &relative)?;
            let path = path_of(stage)?;
            ensure!(path.ends_with(&relative), "{path}");
            delete(stage)?;
            ensure!(!directory(&path).exists(), "{path} is left");
            let _ = fs::remove_dir(directory(&path).parent().expect("a parent"));
            Ok(())
        }),
        Case::steps("one that is there, and empty, is used and stays", |stage| {
            let path = format!("/conformance-there-{}", stage.id);
            for directory in all_directories(&path) {
                fs::create_dir(directory).map_err(|error| error.to_string())?;
            }
            let went = create_at(stage, &path).and_then(|()| {
                ensure_eq!(path_of(stage)?, path, "the path");
                delete(stage)?;
                ensure!(
                    directory(&path).exists() || stage.runtime != Runtime::Ours,
                    "{path} is gone"
                );
                Ok(())
            });
            for directory in all_directories(&path) {
                let _ = fs::remove_dir(directory);
            }
            went
        }),
        Case::steps("one with another's processes is refused", |stage| {
            let path = format!("/conformance-used-{}", stage.id);
            for directory in all_directories(&path) {
                fs::create_dir(&directory).map_err(|error| error.to_string())?;
            }
            let mut other = std::process::Command::new("sleep")
                .arg("1000")
                .spawn()
                .expect("sleep");
            fs::write(
                directory(&path).join("cgroup.procs"),
                other.id().to_string(),
            )
            .expect("join");
            stage.edit(|spec| spec["linux"]["cgroupsPath"] = json!(path));
            let outcome = stage.create_with(&stage.id, &[]);
            let is_alive = other.try_wait().expect("wait").is_none();
            let _ = other.kill();
            let _ = other.wait();
            let _ = stage.command("delete", &["--force"]);
            for directory in all_directories(&path) {
                let _ = fs::remove_dir(directory);
            }
            ensure!(outcome.code != Some(0), "it is taken: {outcome}");
            ensure!(is_alive, "the other's process was killed");
            Ok(())
        })
        .but_runc("it warns, and joins")
        .but_crun("it joins whatever is there"),
        Case::steps("a path that leads upwards is refused", |stage| {
            stage.edit(|spec| spec["linux"]["cgroupsPath"] = json!("/../../conformance-up"));
            let outcome = stage.create_with(&stage.id, &[]);
            ensure!(outcome.code != Some(0), "it is taken: {outcome}");
            ensure!(outcome.stderr.contains("cgroupsPath"), "{outcome}");
            Ok(())
        })
        .without_controls("they take it as a path from the root"),
    ]);
}

fn path_of_this_process() -> String {
    let pid = std::process::id().cast_signed();
    let wanted = some_hierarchy();
    let paths = cgroup::paths(pid).into_iter();
    let mut found = paths.filter(|(names, _)| names.split(',').any(|name| name == wanted));
    found.next().expect("a cgroup").1
}

/// The directory `path` in every hierarchy.
fn all_directories(path: &str) -> Vec<PathBuf> {
    let hierarchies = cgroup::mount_points();
    hierarchies
        .iter()
        .map(|mount_point| mount_point.join(path.trim_start_matches('/')))
        .collect()
}
