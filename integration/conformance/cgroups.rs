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
