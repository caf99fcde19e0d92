//! `perNodeCache`: a file system of the container's own on its node, gone when the container is.

use std::fs;
use std::path::PathBuf;

use integration::{host, require_program, skip, wait_until};
use nix::sys::signal::Signal;

use crate::site::{SOON, Site};

const MKFS: &str = "/usr/sbin/mkfs.xfs";

/// A site with caches; none where this kernel has no xfs.
pub fn site(lines: &str) -> Option<Site> {
    let known = fs::read_to_string("/proc/filesystems").expect("file systems");
    if !known.lines().any(|line| line.trim() == "xfs") {
        skip("this kernel has no xfs");
        return None;
    }
    require_program(MKFS, "xfsprogs");
    let site = Site::new("");
    site.bench.directory("caches");
    site.configure(&format!(
        "perNodeCachePath=@/caches\nperNodeCacheSizeLimit=1G\nmkfsXfsPath={MKFS}\n{lines}"
    ));
    Some(site)
}

/// The loop devices of files that were in the site's directory for caches.
fn devices(site: &Site) -> Vec<PathBuf> {
    let place = site.path("caches").display().to_string();
    let devices = fs::read_dir("/sys/block").expect("devices").flatten();
    let files = devices.map(|device| device.path().join("loop/backing_file"));
    let of_site =
        |file: &PathBuf| fs::read_to_string(file).is_ok_and(|backing| backing.starts_with(&place));
    files.filter(of_site).collect()
}

/// Nothing of a cache is left, neither a file nor a loop device. The kernel takes a moment to let go of that.
pub fn assert_gone(site: &Site) {
    assert_eq!(host::names_in(&site.path("caches")), [""; 0]);
    wait_until("the loop device is free", SOON, || devices(site).is_empty());
}

#[test]
fn a_cache_is_the_users_own_bounded_and_gone_at_the_end() {
    let Some(site) = site("siteFs=/none:/fast:perNodeCache=size=350M") else {
        return;
    };
    let outcome = site.script(
        &["-V/none:/cache:perNodeCache=size=400M"],
        "for place in /cache /fast; do ls -ldn $place; grep -e \" $place \" /proc/self/mountinfo; done
         echo mine >/cache/file && cat /cache/file
         head -c 500000000 /dev/zero >/cache/large || echo FULL",
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.says("mine\n").says("FULL\n");
    for place in ["/cache", "/fast"] {
        let mut lines = outcome.stdout.lines().filter(|line| line.contains(place));
        let owner = lines.next().expect("ls");
        assert!(
            owner.starts_with("drwx------") && owner.contains(" 1234 "),
            "{owner}"
        );
        let mount = lines.next().expect("a mount");
        assert!(
            mount.contains("rw,nosuid,nodev") && mount.contains(" - xfs "),
            "{mount}"
        );
    }
    assert_gone(&site);
}

#[test]
fn a_cache_is_gone_after_kill_9_too() {
    let Some(site) = site("") else {
        return;
    };
    let mut running = site
        .shifter()
        .args(["-V/none:/cache:perNodeCache=size=350M", "sh", "-c"])
        .arg("echo x >/cache/x; echo up; exec sleep 60")
        .start();
    running.wait_for("up");
    assert_eq!(devices(&site).len(), 1);
    running.signal(Signal::SIGKILL as i32);
    running.finish();
    assert_gone(&site);
}

#[test]
fn what_the_site_does_not_allow_is_refused_and_nothing_is_made() {
    let Some(site) = site("") else {
        return;
    };
    let refused = |volume: &str, says: &str| {
        let outcome = site.shifter().args(["-V", volume, "true"]).expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
        site.assert_nothing_left(&outcome);
        assert_gone(&site);
    };
    refused(
        "/n:/a:perNodeCache=size=2G",
        "more than the site's limit of 1073741824",
    );
    refused(
        "/n:/a:perNodeCache=size=600M;/n:/b:perNodeCache=size=600M",
        "more than the site's limit of 1073741824",
    );
    // Smaller than any xfs.
    refused("/n:/a:perNodeCache=size=1M", "mkfs.xfs: exit status: 1: ");
    site.configure(&format!("perNodeCachePath=@/caches\nmkfsXfsPath={MKFS}"));
    refused("/n:/a:perNodeCache=size=8191P", "are free in");
    site.configure("perNodeCachePath=@/caches");
    refused("/n:/a:perNodeCache=size=400M", "mkfsXfsPath is missing");
    site.configure(&format!("mkfsXfsPath={MKFS}"));
    refused(
        "/n:/a:perNodeCache=size=400M",
        "the site has no perNodeCachePath",
    );
    // Who only looks makes none.
    site.configure("perNodeCachePath=@/caches");
    let explained = site
        .tool("explain", "1234:1234")
        .args(["--image=plain", "-V/n:/a:perNodeCache=size=400M", "true"])
        .expect(0);
    explained.says("volume /n:/a:perNodeCache=size=419430400");
    assert_gone(&site);
}
