//! Mounts: their options, where they go, what is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::{Case, Stage, ensure, ensure_eq, hold};

/// A bind mount on /mnt whose line has these options.
fn bound(
    name: &'static str,
    options: &'static [&'static str],
    seen: &'static [&'static str],
) -> Case {
    Case::new(name)
        .bind("/mnt", options)
        .has_mount("/mnt", seen)
}

/// A tmpfs on /mnt whose line has these options.
fn tmpfs(
    name: &'static str,
    options: &'static [&'static str],
    seen: &'static [&'static str],
) -> Case {
    Case::new(name)
        .mount("/mnt", "tmpfs", options)
        .has_mount("/mnt", seen)
}

#[test]
fn options_of_bind_mounts() {
    hold(&[
        bound(
            "none: writable",
            &[],
            &["rw", "!nosuid", "!nodev", "!noexec"],
        ),
        bound("ro", &["ro"], &["ro"]),
        bound("the last of ro and rw counts", &["ro", "rw"], &["rw"]),
        bound(
            "nosuid, nodev and noexec",
            &["nosuid", "nodev", "noexec"],
            &["rw", "nosuid", "nodev", "noexec"],
        ),
        bound(
            "the last of nosuid and suid counts",
            &["nosuid", "suid"],
            &["!nosuid"],
        )
        .but_crun("nosuid stays"),
        bound("noatime", &["noatime"], &["noatime"]),
        bound("nodiratime", &["nodiratime", "noatime"], &["nodiratime"]),
        bound("relatime", &["relatime"], &["relatime"]),
        bound("strictatime", &["strictatime"], &["!relatime", "!noatime"]),
        bound("nosymfollow", &["nosymfollow"], &["nosymfollow"]).but_crun("it is lost"),
        bound("defaults is nothing", &["defaults"], &["rw"]),
        bound(
            "several at once",
            &["ro", "nosuid", "noatime"],
            &["ro", "nosuid", "noatime"],
        ),
        Case::new("a read-only one can't be written")
            .bind("/mnt", &["ro"])
            .script("touch /mnt/new 2>/dev/null || echo refused")
            .prints("refused"),
        Case::new("a writable one is the host's")
            .bind("/mnt", &[])
            .script("cat /mnt/file; echo changed >/mnt/file")
            .check(|stage, outcome| {
                ensure!(outcome.stdout == "from the host\n", "{outcome}");
                let text = fs::read_to_string(stage.bench.path("source/file"));
                ensure!(text.is_ok_and(|text| text == "changed\n"), "not changed");
                Ok(())
            }),
        Case::new("of type none")
            .prepare(|stage| {
                let source = stage.source().display().to_string();
                stage.add_mount("/mnt", "none", &source, &["bind", "ro"]);
            })
            .has_mount("/mnt", &["ro"]),
        Case::new("without a type")
            .prepare(|stage| {
                let source = stage.source().display().to_string();
                stage.add_mount("/mnt", "bind", &source, &["bind", "ro"]);
                stage.edit(|spec| {
                    let mounts = spec["mounts"].as_array_mut().expect("mounts");
                    let mount = mounts.last_mut().and_then(|mount| mount.as_object_mut());
                    mount.expect("a mount").remove("type");
                });
            })
            .has_mount("/mnt", &["ro"]),
        Case::new("of type bind without the option")
            .prepare(|stage| {
                let source = stage.source().display().to_string();
                stage.add_mount("/mnt", "bind", &source, &["ro"]);
            })
            .has_mount("/mnt", &["ro"])
            .but_runc("bind is no file system")
            .but_crun("bind is no file system"),
        Case::new("of a source that isn't there is refused")
            .prepare(|stage| {
                let source = stage.bench.path("nowhere").display().to_string();
                stage.add_mount("/mnt", "bind", &source, &["bind"]);
            })
            .refused("nowhere"),
        Case::new("of a source relative to the bundle")
            .prepare(|stage| {
                stage.bundle_directory("beside");
                stage.add_mount("/mnt", "bind", "beside", &["bind"]);
            })
            .script("cat /mnt/file")
            .prints("beside"),
        // As runc and crun have it: an option that nobody knows is passed over for a bind mount.
        bound(
            "an option that isn't known is passed over",
            &["no-such-option"],
            &["rw"],
        ),
    ]);
}

/// The source has a tmpfs of its own on `sub`.
fn with_a_mount_below(case: Case) -> Case {
    case.prepare(|stage| stage.mount_on_host(&stage.source().join("sub"), "mode=755"))
}

#[test]
fn mounts_below_the_source() {
    let below = |name, options: &'static [&'static str], seen: &'static [&'static str]| {
        with_a_mount_below(Case::new(name))
            .bind("/mnt", options)
            .has_mount("/mnt/sub", seen)
    };
    hold(&[
        with_a_mount_below(Case::new("bind leaves them out"))
            .bind("/mnt", &[])
            .script("cat /mnt/sub/file 2>/dev/null || echo none")
            .prints("none"),
        with_a_mount_below(Case::new("rbind takes them along"))
            .bind("/mnt", &["rbind"])
            .script("cat /mnt/sub/file")
            .prints("from a mount below"),
        below(
            "rbind and ro leave them writable",
            &["rbind", "ro"],
            &["rw"],
        ),
        below("rro makes them read-only", &["rbind", "rro"], &["ro"]),
        below("rrw", &["rbind", "ro", "rrw"], &["rw"]),
        below("rnosuid", &["rbind", "rnosuid"], &["nosuid"]),
        below("rsuid", &["rbind", "rnosuid", "rsuid"], &["!nosuid"])
            .but_runc("it is lost beside rnosuid")
            .but_crun("it is lost beside rnosuid"),
        below("rnodev", &["rbind", "rnodev"], &["nodev"]),
        below("rnoexec", &["rbind", "rnoexec"], &["noexec"]),
        below("rnoatime", &["rbind", "rnoatime"], &["noatime"]).but_crun("mount_setattr fails"),
        below("rrelatime", &["rbind", "rrelatime"], &["relatime"]),
        below(
            "rstrictatime",
            &["rbind", "rstrictatime"],
            &["!relatime", "!noatime"],
        )
        .but_crun("mount_setattr fails"),
        below("rnodiratime", &["rbind", "rnodiratime"], &["nodiratime"])
            .but_crun("mount_setattr fails"),
        below("rnosymfollow", &["rbind", "rnosymfollow"], &["nosymfollow"]).but_crun("it is lost"),
        with_a_mount_below(Case::new("the mount itself has the recursive option too"))
            .bind("/mnt", &["rbind", "rro", "rnoexec"])
            .has_mount("/mnt", &["ro", "noexec"]),
    ]);
}

#[test]
fn options_of_file_systems() {
    hold(&[
        tmpfs("tmpfs", &[], &["rw"]),
        tmpfs("tmpfs: ro", &["ro"], &["ro"]),
        tmpfs(
            "tmpfs: nosuid, nodev, noexec",
            &["nosuid", "nodev", "noexec"],
            &["nosuid", "nodev", "noexec"],
        ),
        tmpfs(
            "tmpfs: size and number of files",
            &["size=64k", "nr_inodes=100"],
            &["size=64k", "nr_inodes=100"],
        ),
        tmpfs("tmpfs: mode", &["mode=711"], &["mode=711"]),
        tmpfs("tmpfs: owner", &["uid=7", "gid=8"], &["uid=7", "gid=8"]),
        tmpfs("tmpfs: sync", &["sync"], &["sync"]),
        tmpfs("tmpfs: dirsync", &["dirsync"], &["dirsync"]),
        tmpfs("tmpfs: lazytime", &["lazytime"], &["lazytime"]),
        tmpfs("tmpfs: noatime", &["noatime"], &["noatime"]),
        tmpfs(
            "tmpfs: strictatime",
            &["strictatime"],
            &["!relatime", "!noatime"],
        ),
        tmpfs("tmpfs: nosymfollow", &["nosymfollow"], &["nosymfollow"])
            .but_crun("it is passed to the file system"),
        Case::new("tmpfs: its mode is the directory's")
            .mount("/mnt", "tmpfs", &["mode=1711", "uid=3", "gid=4"])
            .script("stat -c '%a %u %g' /mnt")
            .prints("1711 3 4"),
        Case::new("tmpfs: without a mode it has the directory's")
            .prepare(|stage| {
                fs::create_dir(stage.inside("/mnt")).expect("make a directory");
                let mode = fs::Permissions::from_mode(0o750);
                fs::set_permissions(stage.inside("/mnt"), mode).expect("chmod");
            })
            .mount("/mnt", "tmpfs", &[])
            .script("stat -c %a /mnt")
            .prints("750")
            .but_crun("it has the kernel's 1777"),
        Case::new("tmpfs: an unknown option is refused")
            .mount("/mnt", "tmpfs", &["no-such-option"])
            .refused("no-such-option"),
        Case::new("tmpfs: tmpcopyup brings what is in the directory")
            .prepare(filled_directory)
            .mount("/mnt", "tmpfs", &["tmpcopyup"])
            .script("cat /mnt/file; stat -c %a /mnt/file; readlink /mnt/link; ls -A /mnt/directory")
            .prints("in the image\n640\nfile\ninner"),
        Case::new("tmpfs: tmpcopyup leaves the root file system alone")
            .prepare(filled_directory)
            .mount("/mnt", "tmpfs", &["tmpcopyup"])
            .script("echo changed >/mnt/file")
            .check(|stage, outcome| {
                ensure_eq!(outcome.code, Some(0), "{outcome}");
                let text = fs::read_to_string(stage.inside("/mnt/file"));
                ensure!(text.is_ok_and(|text| text == "in the image\n"), "changed");
                Ok(())
            }),
        Case::new("proc")
            .mount("/mnt", "proc", &["nosuid", "noexec", "nodev", "ro"])
            .has_mount("/mnt", &["ro", "nosuid", "noexec", "nodev"]),
        Case::new("sysfs")
            .mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"])
            .has_mount("/sys", &["ro", "nosuid", "noexec", "nodev"]),
        Case::new("mqueue")
            .mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"])
            .has_mount("/dev/mqueue", &["rw", "nosuid", "noexec", "nodev"]),
        Case::new("devpts")
            .mount(
                "/dev/pts",
                "devpts",
                &[
                    "nosuid",
                    "noexec",
                    "newinstance",
                    "ptmxmode=0666",
                    "mode=0620",
                ],
            )
            .has_mount(
                "/dev/pts",
                &["rw", "nosuid", "noexec", "ptmxmode=666", "mode=620"],
            ),
        Case::new("ramfs")
            .mount("/mnt", "ramfs", &["nosuid"])
            .has_mount("/mnt", &["nosuid"]),
        Case::new("a file system that nobody knows is refused")
            .mount("/mnt", "nosuchfs", &[])
            .refused("nosuchfs"),
    ]);
}

fn filled_directory(stage: &Stage) {
    let directory = stage.inside("/mnt");
    fs::create_dir_all(directory.join("directory")).expect("make a directory");
    fs::write(directory.join("file"), "in the image\n").expect("write a file");
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(directory.join("file"), mode).expect("chmod");
    fs::write(directory.join("directory/inner"), "").expect("write a file");
    symlink("file", directory.join("link")).expect("make a link");
}

#[test]
fn destinations() {
    let reads = |name, destination: &'static str, script: &'static str| {
        Case::new(name)
            .bind(destination, &[])
            .script(script)
            .prints("from the host")
    };
    hold(&[
        reads(
            "one that isn't there is made",
            "/made/for/this",
            "cat /made/for/this/file",
        ),
        reads("relative ones are below the root", "made", "cat /made/file"),
        reads(
            "with dots and slashes in them",
            "/made//./for/",
            "cat /made/for/file",
        ),
        Case::new("a source that an earlier mount brings")
            .bind("/first", &[])
            .prepare(|stage| {
                let source = stage.inside("/first/file").display().to_string();
                stage.add_mount("/second", "bind", &source, &["bind"]);
            })
            .script("cat /second")
            .prints("from the host"),
        Case::new("a file's is made as a file")
            .prepare(|stage| {
                let source = stage.source().join("file").display().to_string();
                stage.add_mount("/made/file", "bind", &source, &["bind", "ro"]);
            })
            .script("cat /made/file")
            .prints("from the host"),
        Case::new("a file over a file")
            .prepare(|stage| {
                stage.write_inside("/etc/hosts", "in the image\n");
                let source = stage.source().join("file").display().to_string();
                stage.add_mount("/etc/hosts", "bind", &source, &["bind"]);
            })
            .script("cat /etc/hosts")
            .prints("from the host"),
        Case::new("a directory over a file is refused")
            .prepare(|stage| stage.write_inside("/etc/hosts", "in the image\n"))
            .bind("/etc/hosts", &[])
            .refused("/etc/hosts"),
        reads("an absolute link stays inside", "/link", "cat /real/file").prepare(|stage| {
            fs::create_dir(stage.inside("/real")).expect("make a directory");
            symlink("/real", stage.inside("/link")).expect("make a link");
        }),
        reads(
            "a link in the middle stays inside",
            "/link/deep",
            "cat /real/deep/file",
        )
        .prepare(|stage| {
            fs::create_dir(stage.inside("/real")).expect("make a directory");
            symlink("/real", stage.inside("/link")).expect("make a link");
        }),
        reads(
            "a link that climbs out stays inside",
            "/link",
            "cat /tmp/caught/file",
        )
        .prepare(|stage| {
            fs::create_dir(stage.inside("/tmp/caught")).expect("make a directory");
            symlink("../../../../../../../../tmp/caught", stage.inside("/link"))
                .expect("make a link");
        }),
        reads(
            "what a dangling link points to is made",
            "/link",
            "cat /made/here/file",
        )
        .prepare(|stage| symlink("/made/here", stage.inside("/link")).expect("make a link"))
        .but_crun("it refuses it"),
        Case::new("the later mount covers the earlier")
            .mount("/mnt", "tmpfs", &[])
            .bind("/mnt", &[])
            .script("cat /mnt/file")
            .prints("from the host"),
        Case::new("in the order that they are listed in")
            .mount("/mnt", "tmpfs", &["mode=755"])
            .bind("/mnt/below", &[])
            .script("cat /mnt/below/file")
            .prints("from the host"),
    ]);
}

/// S5, T11 and CVE-2019-19921: what would have the runtime write elsewhere than into procfs.
#[test]
fn what_would_hide_procfs_is_refused() {
    hold(&[
        Case::new("a bind mount over /proc")
            .bind("/proc", &[])
            .refused("/proc")
            .but_crun("it allows it"),
        Case::new("a bind mount over /proc/self")
            .bind("/proc/self", &[])
            .refused("/proc/self")
            .but_crun("it allows it"),
        Case::new("a tmpfs over /proc")
            .mount("/proc", "tmpfs", &[])
            .refused("/proc")
            .but_crun("it allows it"),
        Case::new("a tmpfs over /proc/sys")
            .mount("/proc/sys", "tmpfs", &[])
            .refused("/proc/sys")
            .but_crun("it allows it")
            .but_runc("it allows it there"),
        Case::new("the files that lxcfs replaces may be")
            .prepare(|stage| {
                let source = stage.source().join("file").display().to_string();
                stage.add_mount("/proc/meminfo", "bind", &source, &["bind", "ro"]);
            })
            .script("cat /proc/meminfo")
            .prints("from the host"),
    ]);
}
