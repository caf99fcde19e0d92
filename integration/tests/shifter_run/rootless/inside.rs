//! What the command is and sees.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use integration::terminal::Terminal;
use integration::{Delegated, Tool};

use super::{Home, STAFF};
use crate::site::USER;

#[test]
fn the_command_is_its_user_without_any_privilege() {
    let home = Home::new("");
    let outcome = home.script(
        &[],
        "id -u; id -g; echo $$; grep -E '^(Cap|NoNew|Seccomp:|Uid|Gid)' /proc/self/status; umask
         cat /proc/self/uid_map /proc/self/gid_map; exit 7",
    );
    assert_eq!(outcome.code, Some(7), "{outcome}");
    let (ids, _) = outcome.stdout.split_once("Uid").expect("the status");
    // Process 1 is the container's own.
    assert_eq!(ids, "1234\n1234\n2\n", "{outcome}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        outcome.says(&format!("{set}:\t0000000000000000\n"));
    }
    outcome
        .says("NoNewPrivs:\t1\n")
        .says("Seccomp:\t2\n")
        .says("Uid:\t1234\t1234\t1234\t1234\n")
        .says("Gid:\t1234\t1234\t1234\t1234\n");
    let map = format!("{:>10} {:>10} {:>10}\n", 1234, 1234, 1);
    assert!(outcome.stdout.ends_with(&map.repeat(2)), "{outcome}");
}

/// The kernel keeps groups that have no number inside; what they may open they may.
#[test]
fn groups_of_the_caller_open_what_they_open_outside() {
    let home = Home::new("");
    let file = home.site.file("data/staffs", "for staff\n");
    chown(&file, Some(0), Some(STAFF)).expect("chown");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
    for (groups, said) in [("1234,50", "for staff\n"), ("1234", "")] {
        let tool = home.user(groups, "").arg("--image=plain");
        let outcome = tool.args(["cat", "/site/data/staffs"]).run();
        assert_eq!(outcome.stdout, said, "{groups}: {outcome}");
        home.assert_nothing_left(&outcome);
    }
}

#[test]
fn every_mount_is_nosuid_and_the_root_is_read_only() {
    let home = Home::new("");
    let outcome = home.script(
        &[],
        "cat /proc/self/mountinfo; echo --; touch /new /usr/new /etc/new /opt/new /var/new && echo WRITTEN
         touch /site/data/new /sys/devices/new && echo WRITTEN; ls /sys/fs /sys/kernel/debug && echo SHOWN",
    );
    let (mounts, rest) = outcome.stdout.split_once("--\n").expect("both");
    assert!(mounts.lines().count() > 10, "{outcome}");
    for line in mounts.lines() {
        let options = line.split(' ').nth(5).expect("options");
        assert!(options.contains("nosuid"), "{line}");
        assert!(!line.contains(" - cgroup"), "{line}");
    }
    assert_eq!(rest, "", "{outcome}");
}

#[test]
fn what_scripts_look_for_is_there_and_the_images_own_is_hidden() {
    let home = Home::new("optUdiImage=@/data\nmodule_tools_copyPath=@/data\ndefaultModules=tools");
    home.site
        .bench
        .directory("images/plain./opt/udiImage/modules/other");
    let outcome = home.script(
        &["-V/home/user:/new/deep/place"],
        "cat /var/shifterConfig.json; echo; ls -l /etc/mtab; cat /etc/passwd /etc/group; ls /opt/udiImage
         ls /opt/udiImage/modules /sys/devices/system/cpu/online /sys/class/net
         ls -d /var/tmp /var/run /var/spool /proc/self /dev/shm; cat /site/data/file; echo mine >/new/deep/place/x",
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome
        .says(r#"{"identifier":"plain","user":"user","volMap":"/home/user:/new/deep/place","modules":"tools,"}"#)
        .says("/etc/mtab -> /proc/mounts")
        .says("user:x:1234:1234:A User:/home/user:/bin/sh\n")
        .says("staff:x:50:user\n")
        .says("the site's\n");
    for hidden in ["fake", "the image's", "other"] {
        assert!(!outcome.stdout.contains(hidden), "{hidden}: {outcome}");
    }
    let written = fs::metadata(home.site.path("home/user/x")).expect("the file");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&written), USER);
}

/// What protects the source of a mount is locked (mount_namespaces(7)): it stays, and is asked for.
#[test]
fn what_limits_the_hosts_mounts_limits_the_containers() {
    let home = Home::new("siteFs=@/limited:/limited;@/above:/above");
    let [limited, above] = ["limited", "above"].map(|name| home.site.bench.directory(name));
    let below = home.site.bench.directory("above/below");
    let prepare = format!(
        "mount -t tmpfs -o ro,noexec,nosuid,nodev none '{}'
         mount -t tmpfs -o suid,dev none '{}'; echo below >'{}/file'",
        limited.display(),
        below.display(),
        below.display()
    );
    let tool = home.user("1234", &prepare).arg("--image=plain");
    let script = "grep -e ' /limited ' -e ' /above' /proc/self/mountinfo; cat /above/below/file";
    let outcome = tool.args(["sh", "-c", script]).expect(0);
    home.assert_nothing_left(&outcome);
    let line = |place: &str| {
        let mut lines = outcome.stdout.lines();
        lines
            .find(|line| line.contains(place))
            .unwrap_or_else(|| panic!("no {place}: {outcome}"))
    };
    assert!(
        line(" /limited ").contains(" ro,nosuid,nodev,noexec"),
        "{outcome}"
    );
    // A user namespace can't leave out what is mounted below; it is nosuid and nodev, too.
    assert!(line(" /above/below ").contains("nosuid,nodev"), "{outcome}");
    outcome.says("below\n");
    drop(above);
}

/// Where the host has something mounted below what the site shows, a user namespace can leave out nothing that is
/// mounted there, but for what is marked so.
#[test]
fn where_the_container_is_built_is_not_in_it() {
    let home = Home::new("siteFs=@/above:/above");
    home.site.bench.directory("above/udi");
    let config = fs::read_to_string(home.site.path("udiRoot.conf")).expect("read");
    let config = config.replace("/udi\n", "/above/udi\n");
    home.site.file("udiRoot.conf", &config);
    let below = home.site.bench.directory("above/below");
    let prepare = format!("mount -t tmpfs none '{}'", below.display());
    let tool = home.user("1234", &prepare).arg("--image=plain");
    let script = "grep -e ' /above/udi' /proc/self/mountinfo; ls /above /above/udi";
    let outcome = tool.args(["sh", "-c", script]).expect(0);
    home.assert_nothing_left(&outcome);
    let shown = "/above:\nbelow\nudi\n\n/above/udi:\n";
    assert_eq!(outcome.stdout, shown, "{outcome}");
}

#[test]
fn variables_are_the_callers_own() {
    let home = Home::new("");
    let outcome = home
        .shifter("plain")
        .args(["--env=MINE=1", "env"])
        .env("HOME", "/elsewhere")
        .env("XDG_RUNTIME_DIR", "/run/user/1234")
        .env("LD_LIBRARY_PATH", "/x")
        .expect(0);
    for line in [
        "HOME=/elsewhere\n",
        "XDG_RUNTIME_DIR=/run/user/1234\n",
        "MINE=1\n",
        "IMAGE=yes\n",
        "PATH=/bin\n",
        "SHIFTER_RUNTIME=1\n",
        "SHIFTER_IMAGE=plain\n",
    ] {
        outcome.says(line);
    }
    assert!(!outcome.stdout.contains("LD_LIBRARY_PATH"), "{outcome}");
}

/// What a batch system gives its tasks, in either mode.
#[test]
fn processors_priority_limits_mask_and_directory_are_the_callers() {
    let home = Home::new("");
    fs::set_permissions(home.site.path("home"), fs::Permissions::from_mode(0o755)).expect("chmod");
    let script =
        "grep Cpus_allowed_list /proc/self/status; set -- $(cat /proc/self/stat); shift 18; echo $1; ulimit -Sn; ulimit -Hn; umask; pwd
                  cat /proc/self/cgroup";
    let given = |tool: Tool| {
        tool.args(["sh", "-c", script])
            .current_dir(&home.site.path("data"))
            .within("taskset", &["-c", "0"])
            .within("nice", &["-n", "5"])
            .within("prlimit", &["--nofile=345:456"])
            .within("sh", &["-c", "umask 027; exec \"$@\"", "sh"])
            .expect(0)
    };
    // The directory is there inside, in the host's /var/tmp.
    let outside = given(Tool::new("env")).stdout;
    assert!(outside.starts_with("Cpus_allowed_list:\t0\n"), "{outside}");
    // In a job, the cgroup is that of the step: its limits and its accounting hold.
    let rootless = given(home.shifter("plain"));
    assert_eq!(rootless.stdout, outside, "{rootless}");
    let (own, _) = outside.split_once("/data\n").expect("the directory");
    let rootful = given(home.site.shifter());
    assert!(rootful.stdout.starts_with(own), "{rootful}\nand not {own}");
}

/// A job's limits and its accounting go by the step's.
#[test]
fn the_cgroup_is_the_callers_even_where_the_user_could_make_another() {
    let home = Home::new("");
    let delegated = Delegated::to(USER, "alone");
    let cgroups = |tool: Tool| {
        let tool = tool.args(["cat", "/proc/self/cgroup"]);
        delegated.hold(tool).expect(0).stdout
    };
    let outside = cgroups(Tool::new("env"));
    assert!(outside.contains("/test-delegated-"), "{outside}");
    assert_eq!(cgroups(home.shifter("plain")), outside);
}

#[test]
fn a_terminal_is_the_commands() {
    let home = Home::new("");
    let terminal = Terminal::open();
    let tool = home.shifter("plain").terminal(&terminal);
    let outcome = tool.args(["sh", "-c", "test -t 0"]).expect(0);
    home.assert_nothing_left(&outcome);
}
