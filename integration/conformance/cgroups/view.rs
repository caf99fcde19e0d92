//! The container's cgroup as the container sees it, and what becomes of it.

use serde_json::json;

use crate::harness::{Case, ensure, hold};

fn with_cgroups(name: &'static str, options: &'static [&'static str]) -> Case {
    Case::new(name)
        .mount("/sys", "sysfs", &["nosuid", "noexec", "nodev"])
        .mount("/sys/fs/cgroup", "cgroup", options)
}

const READ_ONLY: &[&str] = &["nosuid", "noexec", "nodev", "relatime", "ro"];

#[test]
fn what_the_container_sees() {
    hold(&[
        // S3, T12: libcontainer drops all options of what is below a cgroup mount of version 1.
        with_cgroups("a read-only mount is read-only in every hierarchy", READ_ONLY)
            .script("grep -- ' - cgroup' /proc/self/mountinfo | cut -d' ' -f5,6; echo end")
            .check(|_, outcome| {
                let lines: Vec<&str> = outcome.stdout.lines().collect();
                ensure!(lines.len() > 1, "{outcome}");
                let writable = lines[..lines.len() - 1].iter().find(|line| {
                    let mut options = line.split([' ', ',']);
                    !options.clone().any(|option| option == "ro")
                        || !options.any(|option| option == "nosuid")
                });
                ensure!(writable.is_none(), "{writable:?}");
                Ok(())
            }),
        // S4: libcontainer shows the host's whole hierarchy of systemd. Processes of the host's are 0 here.
        with_cgroups("it sees no cgroup of the host's", READ_ONLY)
            .script("find /sys/fs/cgroup -name cgroup.procs -exec cat {} + | sort -u | grep -x 0; echo end")
            .prints("end"),
        // C9
        with_cgroups("cgroups that it made go with it", &["nosuid", "noexec", "nodev", "rw"])
            .spec(|spec| {
                let all = json!(["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
                spec["process"]["capabilities"] = json!({ "bounding": all, "effective": all, "permitted": all });
            })
            .script("for pids in /sys/fs/cgroup/pids /sys/fs/cgroup; do mkdir -p $pids/a/b 2>/dev/null && echo made && break; done")
            .prints("made"),
    ]);
}

const ALL: &[&str] = &["nosuid", "noexec", "nodev", "rw"];

/// Gives the case a cgroup namespace.
fn in_a_namespace(case: Case) -> Case {
    case.spec(|spec| {
        let namespaces = spec["linux"]["namespaces"]
            .as_array_mut()
            .expect("namespaces");
        namespaces.push(json!({ "type": "cgroup" }));
    })
}

#[test]
fn the_namespace() {
    let shown = "cut -d: -f3 /proc/self/cgroup | sort -u";
    hold(&[
        in_a_namespace(Case::new("its root is the container's cgroup")).script(shown).prints("/"),
        Case::new("without one the path is the host's").script(shown).check(|stage, outcome| {
            ensure!(outcome.stdout.contains(&stage.id), "{outcome}");
            Ok(())
        }),
        in_a_namespace(with_cgroups("a mount in it shows the container's own", READ_ONLY))
            .script("find /sys/fs/cgroup -name cgroup.procs -exec cat {} + | sort -u | grep -x 0; \
                     for pids in /sys/fs/cgroup/pids /sys/fs/cgroup; do \
                     [ -e $pids/cgroup.procs ] && grep -qx $$ $pids/cgroup.procs && echo mine && break; done")
            .prints("mine"),
    ]);
}

#[test]
fn the_mount() {
    let write = "for pids in /sys/fs/cgroup/pids /sys/fs/cgroup; do [ -e $pids/cgroup.procs ] || continue; \
                 mkdir $pids/below 2>/dev/null && echo made || echo refused; break; done";
    hold(&[
        with_cgroups("for reading", READ_ONLY)
            .script(write)
            .prints("refused"),
        with_cgroups("for writing", ALL)
            .script(write)
            .prints("made"),
        in_a_namespace(with_cgroups("for reading, in a namespace", READ_ONLY))
            .script(write)
            .prints("refused"),
        in_a_namespace(with_cgroups("for writing, in a namespace", ALL))
            .script(write)
            .prints("made"),
        with_cgroups("the limits are there to be read", READ_ONLY)
            .spec(|spec| spec["linux"]["resources"] = json!({ "pids": { "limit": 33 } }))
            .script("cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max")
            .prints("33"),
    ]);
}

/// A hierarchy without controllers is shown by its name, as the others by theirs.
#[test]
fn a_named_hierarchy_of_version_1() {
    if integration::cgroup::mount_point("name=systemd").is_none() {
        return integration::cgroup::skip("no hierarchy has a name");
    }
    hold(&[
        with_cgroups("it is where systemd looks for it", READ_ONLY)
            .script("test -e /sys/fs/cgroup/systemd/cgroup.procs && grep -x $$ /sys/fs/cgroup/systemd/cgroup.procs >/dev/null && echo mine")
            .prints("mine"),
        in_a_namespace(with_cgroups("likewise in a namespace", READ_ONLY))
            .script("grep -x $$ /sys/fs/cgroup/systemd/cgroup.procs >/dev/null && echo mine")
            .prints("mine"),
    ]);
}
