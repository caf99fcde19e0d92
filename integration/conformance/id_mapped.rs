//! Mounts whose files belong to other ids inside than outside.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use integration::Tool;
use serde_json::{Value, json};

use crate::harness::{Case, Stage, ensure_eq, hold};
use crate::namespaces::{self, map_ids};

/// Binds the stage's source to `/mnt`, with mount options and mappings.
fn bind_mapped(stage: &Stage, options: &[&str], mappings: Option<Value>) {
    let source = stage.source();
    // The container's root has no capabilities, and needs none.
    fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).expect("chmod");
    // Who can't write to the root file system can't make it there.
    fs::create_dir_all(stage.inside("/mnt")).expect("make a directory");
    let source = source.display().to_string();
    stage.edit(|spec| {
        let options = [&["bind"], options].concat();
        let mut mount = json!({
            "destination": "/mnt", "type": "bind", "source": source, "options": options,
        });
        if let Some(mappings) = mappings {
            mount["uidMappings"] = mappings.clone();
            mount["gidMappings"] = mappings;
        }
        spec["mounts"].as_array_mut().expect("mounts").push(mount);
    });
}

/// Root's files belong to 1000, and the other way round.
fn exchanged() -> Value {
    json!([
        { "containerID": 0, "hostID": 1000, "size": 1 },
        { "containerID": 1000, "hostID": 0, "size": 1 },
    ])
}

fn with_user_namespace(case: Case) -> Case {
    case.spec(|spec| {
        namespaces::ask(spec, json!({ "type": "user" }));
        map_ids(spec);
    })
}

const OWNERS: &str = "stat -c '%u %g' /mnt/file";

#[test]
fn without_a_user_namespace() {
    hold(&[
        Case::new("files show their mapped owners")
            .prepare(|stage| bind_mapped(stage, &[], Some(exchanged())))
            .script(OWNERS)
            .prints("1000 1000")
            .but_runc("it doesn't know it: 1.2 does"),
        Case::new("what is made belongs to who is mapped to the maker")
            .prepare(|stage| bind_mapped(stage, &[], Some(exchanged())))
            .script("touch /mnt/made; stat -c %u /mnt/made")
            .check(|stage, outcome| {
                ensure_eq!(outcome.stdout, "0\n", "{outcome}");
                let made = fs::metadata(stage.bench.path("source/made"));
                ensure_eq!(made.map_or(0, |made| made.uid()), 1000, "owner on disk");
                Ok(())
            })
            .but_runc("it doesn't know it: 1.2 does"),
        Case::new("an owner who isn't mapped is nobody")
            .prepare(|stage| {
                bind_mapped(stage, &[], Some(exchanged()));
                chown(stage.bench.path("source/file"), Some(7), Some(7)).expect("chown");
            })
            .script(OWNERS)
            .prints("65534 65534")
            .but_runc("it doesn't know it: 1.2 does"),
        Case::new("other options hold as well")
            .prepare(|stage| bind_mapped(stage, &["ro", "nosuid"], Some(exchanged())))
            .has_mount("/mnt", &["ro", "nosuid"]),
        Case::new("mappings of users alone are refused")
            .prepare(|stage| {
                bind_mapped(stage, &[], Some(exchanged()));
                stage.edit(|spec| {
                    let mounts = spec["mounts"].as_array_mut().expect("mounts");
                    let mount = mounts.last_mut().and_then(Value::as_object_mut);
                    mount.expect("a mount").remove("gidMappings");
                });
            })
            .refused("gidMappings")
            .but_runc("it doesn't know them"),
        Case::new("a file system that can't is named")
            .prepare(|stage| {
                bind_mapped(stage, &[], Some(exchanged()));
                stage.edit(|spec| {
                    let mounts = spec["mounts"].as_array_mut().expect("mounts");
                    mounts.last_mut().expect("a mount")["source"] = json!("/sys");
                });
            })
            .refused("/mnt")
            .but_runc("it doesn't know them"),
    ]);
}

#[test]
fn with_one() {
    hold(&[
        with_user_namespace(
            Case::new("without mappings the host's root is nobody")
                .prepare(|stage| bind_mapped(stage, &[], None))
                .script(OWNERS)
                .prints("65534 65534"),
        ),
        with_user_namespace(
            Case::new("the option alone takes the container's own mappings")
                .prepare(|stage| bind_mapped(stage, &["idmap"], None))
                .script(OWNERS)
                .prints("0 0"),
        )
        .but_runc("it takes the option for the file system's"),
        with_user_namespace(
            Case::new("mappings of its own")
                .prepare(|stage| {
                    let to_the_same =
                        json!([{ "containerID": 0, "hostID": 100_000, "size": 2000 }]);
                    bind_mapped(stage, &[], Some(to_the_same));
                })
                .script("stat -c '%u %g' /mnt/file; touch /mnt/made")
                .check(|stage, outcome| {
                    ensure_eq!(outcome.stdout, "0 0\n", "{outcome}");
                    let made = fs::metadata(stage.bench.path("source/made"));
                    ensure_eq!(made.map_or(7, |made| made.uid()), 0, "owner on disk");
                    Ok(())
                }),
        )
        .but_runc("it doesn't know it: 1.2 does"),
    ]);
}

/// A mount of the host's below the source, whose file is root's too.
fn with_a_mount_below(stage: &Stage) {
    stage.mount_on_host(&stage.source().join("sub"), "mode=755");
}

#[test]
fn mounts_below() {
    let below = |name, options: &'static [&'static str], prints| {
        Case::new(name)
            .prepare(with_a_mount_below)
            .prepare(move |stage| bind_mapped(stage, options, Some(exchanged())))
            .script("stat -c %u /mnt/file /mnt/sub/file")
            .prints(prints)
    };
    hold(&[
        below("stay as they are", &["rbind", "idmap"], "1000\n0")
            .but_runc("it takes the option for the file system's")
            .but_crun("they are gone"),
        below("go along with ridmap", &["rbind", "ridmap"], "1000\n1000")
            .but_runc("it takes the option for the file system's")
            .but_crun("it doesn't know the option"),
    ]);
}

/// What is mapped in the container stays as it was on the host.
#[test]
fn the_host_sees_no_mapped_mount() {
    hold(&[Case::new("the source's owner is the same afterwards")
        .prepare(|stage| bind_mapped(stage, &[], Some(exchanged())))
        .script("true")
        .check(|stage, outcome| {
            ensure_eq!(outcome.code, Some(0), "{outcome}");
            let outcome = Tool::new("stat")
                .args(["-c", "%u"])
                .arg(stage.bench.path("source/file"))
                .run();
            ensure_eq!(outcome.stdout, "0\n", "{outcome}");
            Ok(())
        })]);
}
