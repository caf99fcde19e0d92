//! A created process against its spec.

use super::*;

/// A process as the sealed spec's should look.
pub(super) fn kept() -> Observed {
    let names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let mount = |path: &str, options: &str, file_system: &str| MountPoint {
        root: path
            .strip_prefix("/proc")
            .filter(|below| !below.is_empty())
            .unwrap_or("/")
            .into(),
        path: path.into(),
        options: options.to_owned(),
        shared: false,
        file_system: file_system.to_owned(),
    };
    Observed {
        status: Status {
            uid: [1_879_048_193; 4],
            gid: [1_879_048_193; 4],
            no_new_privs: true,
            seccomp: 2,
            seccomp_filters: 9,
            ..Status::default()
        },
        mounts: vec![
            mount("/", "ro,nosuid,nodev", "ext4"),
            mount("/proc", "rw,nosuid,nodev", "proc"),
            mount("/dev", "rw,nosuid", "tmpfs"),
            MountPoint {
                root: "/null".into(),
                ..mount("/dev/null", "rw,nosuid", "devtmpfs")
            },
            mount("/proc/sys", "ro,nosuid,nodev", "proc"),
            mount("/proc/keys", "rw,nosuid", "devtmpfs"),
            mount("/usr/bin/busybox", "ro,nosuid,nodev", "ext4"),
            mount("/project", "rw,nosuid,nodev,idmapped", "ext4"),
        ],
        descriptors: vec![
            Descriptor {
                number: 1,
                close_on_exec: false,
                leads: Some(Leads {
                    to_directory: false,
                    target: "/dev/null".to_owned(),
                }),
            },
            Descriptor {
                number: 7,
                close_on_exec: true,
                leads: Some(Leads {
                    to_directory: false,
                    target: "socket:[1]".to_owned(),
                }),
            },
        ],
        namespaces: names
            .map(|name| (name.to_owned(), NamespaceIds { theirs: 1, ours: 2 }))
            .into(),
        joined: None,
        root_is_host_root: false,
        cgroup: CgroupLimits {
            pids: Some(512),
            memory: None,
        },
        existing_paths: vec!["/proc/sys".into(), "/proc/keys".into()],
        kept_groups: vec![],
    }
}

fn make_writable(line: &mut MountPoint) {
    line.options = line.options.replacen("ro", "rw", 1);
}

fn drop_last_option(line: &mut MountPoint) {
    let comma = line.options.rfind(',').unwrap();
    line.options.truncate(comma);
}

/// Mounts line `index` once more, changed.
fn again(seen: &mut Observed, index: usize, change: fn(&mut MountPoint)) {
    let mut line = seen.mounts[index].clone();
    change(&mut line);
    seen.mounts.push(line);
}

#[test]
fn of_mounts_on_one_destination_each_is_looked_at() {
    let mut spec = sealed();
    let mut covered = spec["mounts"][4].clone();
    covered["destination"] = "/project".into();
    spec["mounts"][4] = covered;
    let spec = read(&spec);
    let mut seen = kept();
    seen.mounts[6].path = "/project".into();
    let report = compare(&seen, &spec, Kind::OptServer);
    assert!(report.is_kept(), "{}", report.summary());
    make_writable(&mut seen.mounts[6]);
    let report = compare(&seen, &spec, Kind::OptServer);
    let broken: Vec<&str> = report.broken().map(|row| row.protection).collect();
    assert_eq!(broken, ["no way back"], "{}", report.summary());
}

/// What only the stronger promise forbids.
#[test]
fn a_sealed_bundle_may_have_a_read_only_sysfs() {
    let mut spec = sealed();
    let sysfs =
        r#"{"destination": "/sys", "type": "sysfs", "options": ["rw", "ro", "nosuid", "nodev"]}"#;
    spec["mounts"][4] = serde_json::from_str(sysfs).unwrap();
    let spec = read(&spec);
    assert!(check(&spec, Kind::Sealed).is_kept());
    assert!(!check(&spec, Kind::OptServer).is_kept());
    let mut seen = kept();
    seen.mounts[6].path = "/sys".into();
    seen.mounts[6].file_system = "sysfs".into();
    assert!(compare(&seen, &spec, Kind::Sealed).is_kept());
    assert!(!compare(&seen, &spec, Kind::OptServer).is_kept());
    // What tells of the kernel in it is covered.
    seen.existing_paths.push("/sys/kernel/notes".into());
    let report = compare(&seen, &spec, Kind::Sealed);
    assert!(
        report.summary().contains("/sys/kernel/notes is not masked"),
        "{}",
        report.summary()
    );
    let mut cover = seen.mounts[6].clone();
    cover.path = "/sys/kernel/notes".into();
    cover.root = "/null".into();
    cover.file_system = "devtmpfs".into();
    seen.mounts.push(cover);
    assert!(compare(&seen, &spec, Kind::Sealed).is_kept());
    make_writable(&mut seen.mounts[6]);
    assert!(!compare(&seen, &spec, Kind::Sealed).is_kept());
}

#[test]
fn without_a_proc_there_is_nothing_to_mask() {
    let mut seen = kept();
    seen.mounts.retain(|mount| !mount.path.starts_with("/proc"));
    let report = compare(&seen, &read(&sealed()), Kind::Sealed);
    assert!(report.is_kept(), "{}", report.summary());
    // Nor without a sysfs, in what the host has in its own.
    let mut seen = kept();
    seen.existing_paths.push("/sys/kernel/notes".into());
    let report = compare(&seen, &read(&sealed()), Kind::OptServer);
    assert!(report.is_kept(), "{}", report.summary());
}

#[test]
fn the_own_group_may_be_listed_once_more() {
    let mut seen = kept();
    seen.status.groups = vec![seen.status.gid[0]];
    let report = compare(&seen, &read(&sealed()), Kind::OptServer);
    assert!(report.is_kept(), "{}", report.summary());
}

/// A task's way to its process manager is kept where the bundle itself names it, and nothing else is taken for one.
#[test]
fn the_socket_that_the_environment_names_to_mpi_is_kept_by_shifter_alone() {
    for (target, named, kind, is_kept) in [
        ("socket:[7]", "PMI_FD=3", Kind::Shifter, true),
        ("socket:[7]", "PMI_FD=4", Kind::Shifter, false),
        ("socket:[7]", "PMI_FDS=3", Kind::Shifter, false),
        ("/", "PMI_FD=3", Kind::Shifter, false),
        ("socket:[7]", "PMI_FD=3", Kind::Sealed, false),
        ("socket:[7]", "PMI_FD=3", Kind::OptServer, false),
    ] {
        let mut spec = sealed();
        let env = spec["process"]["env"].as_array_mut().unwrap();
        env.push(named.into());
        let mut seen = kept();
        seen.descriptors.push(Descriptor {
            number: 3,
            close_on_exec: false,
            leads: Some(Leads {
                to_directory: target == "/",
                target: target.to_owned(),
            }),
        });
        let report = compare(&seen, &read(&spec), kind);
        let mut broken = report.broken();
        let is_broken = broken.any(|row| row.protection == "nothing inherited");
        assert_eq!(!is_broken, is_kept, "{target} {named} {kind:?}");
    }
}

/// A user of Shifter's stays in the groups that only root could leave, but never in root's.
#[test]
fn groups_that_nobody_could_leave_are_kept_by_shifter_alone() {
    let spec = read(&sealed());
    for (groups, kept_groups, kind, is_kept) in [
        (&[27, 44][..], &[27, 44][..], Kind::Shifter, true),
        (&[27, 44], &[27], Kind::Shifter, false),
        (&[27], &[27], Kind::Sealed, false),
        (&[0], &[0], Kind::Shifter, false),
    ] {
        let mut seen = kept();
        seen.status.groups = groups.to_vec();
        seen.kept_groups = kept_groups.to_vec();
        let report = compare(&seen, &spec, kind);
        let broken = report.broken().any(|row| row.protection == "nobody");
        assert_eq!(!broken, is_kept, "{groups:?} {kind:?}");
    }
}

#[test]
fn each_difference_of_the_process_is_found_by_its_row() {
    type Breakage = fn(&mut Observed);
    let cases: [(&str, Breakage); 40] = [
        ("no privilege", |seen| seen.status.capabilities[3] = 1 << 21),
        ("none to gain", |seen| seen.status.no_new_privs = false),
        ("setuid is dead", |seen| {
            seen.mounts[0].options = "ro,nodev".into()
        }),
        ("setuid is dead", |seen| seen.mounts[5].options.clear()),
        ("no devices", |seen| {
            seen.mounts[0].options = "ro,nosuid".into()
        }),
        ("no devices", |seen| {
            seen.mounts[2].file_system = "devtmpfs".into()
        }),
        ("few system calls", |seen| seen.status.seccomp = 0),
        ("few system calls", |seen| seen.status.seccomp_filters = 0),
        ("nobody", |seen| seen.status.uid[1] = 0),
        ("nobody", |seen| seen.status.gid[3] = 1),
        ("nobody", |seen| seen.status.groups = vec![27]),
        ("own world", |seen| {
            seen.namespaces.retain(|name, _| name != "net")
        }),
        ("own world", |seen| {
            seen.namespaces.get_mut("ipc").unwrap().theirs = 2
        }),
        ("no way back", |seen| seen.root_is_host_root = true),
        ("no way back", |seen| seen.mounts[0].shared = true),
        ("no way back", |seen| {
            seen.mounts[1].file_system = "cgroup2".into()
        }),
        ("no way back", |seen| drop(seen.mounts.remove(4))),
        // A mask is another file system, not a read-only part of proc.
        ("no way back", |seen| {
            seen.mounts[5] = seen.mounts[4].clone();
            seen.mounts[5].path = "/proc/keys".into();
            seen.mounts[5].root = "/keys".into();
        }),
        ("no way back", |seen| drop(seen.mounts.remove(5))),
        ("no way back", |seen| {
            seen.mounts[4].options = "rw,nosuid".into()
        }),
        // Covered again by a writable one.
        ("no way back", |seen| again(seen, 4, make_writable)),
        ("no way back", |seen| again(seen, 1, |_| ())),
        ("no way back", |seen| {
            again(seen, 1, |line| line.path = "/x".into())
        }),
        ("no way back", |seen| {
            again(seen, 4, |line| line.path = "/proc/irq".into())
        }),
        ("no way back", |seen| {
            again(seen, 4, |line| line.path = "/x/proc/sys".into())
        }),
        ("no way back", |seen| {
            again(seen, 4, |line| {
                line.path = "/proc/self".into();
                line.root = "/self".into();
            });
        }),
        ("no way back", |seen| seen.mounts[1].root = "/1/root".into()),
        ("no way back", |seen| {
            again(seen, 6, |line| line.file_system = "sysfs".into())
        }),
        ("no way back", |seen| {
            again(seen, 6, |line| line.file_system = "debugfs".into())
        }),
        ("no way back", |seen| {
            again(seen, 6, |line| line.file_system = "cgroup".into())
        }),
        ("no way back", |seen| {
            again(seen, 3, |line| line.root = "/".into())
        }),
        ("no way back", |seen| make_writable(&mut seen.mounts[0])),
        ("no way back", |seen| make_writable(&mut seen.mounts[6])),
        ("no way back", |seen| drop(seen.mounts.remove(6))),
        ("nobody", |seen| drop_last_option(&mut seen.mounts[7])),
        ("nobody", |seen| again(seen, 7, drop_last_option)),
        ("nothing inherited", |seen| {
            seen.descriptors[1].close_on_exec = false
        }),
        ("nothing inherited", |seen| {
            seen.descriptors[0].leads.as_mut().unwrap().to_directory = true;
        }),
        ("bounded", |seen| seen.cgroup.pids = None),
        ("bounded", |seen| seen.cgroup.pids = Some(513)),
    ];
    let spec = read(&sealed());
    let report = compare(&kept(), &spec, Kind::OptServer);
    assert!(report.is_kept(), "{}", report.summary());
    for (row, breakage) in cases {
        let mut seen = kept();
        breakage(&mut seen);
        let report = compare(&seen, &spec, Kind::OptServer);
        let broken: Vec<&str> = report.broken().map(|row| row.protection).collect();
        assert!(broken.contains(&row), "{row}: {}", report.summary());
    }
}
