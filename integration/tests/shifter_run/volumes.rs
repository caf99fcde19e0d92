//! A user's volumes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::site::Site;

#[test]
fn a_volume_goes_anywhere_and_what_is_written_there_is_the_users() {
    let site = Site::new("");
    let outcome = site.script(
        &[
            "--volume=/home/user:/new/deep/place",
            "-V",
            "/site/data/file:/data/in/file",
        ],
        "echo mine >/new/deep/place/written; cat /data/in/file; cat /home/user/written",
    );
    assert_eq!(outcome.stdout, "the site's\nmine\n", "{outcome}");
    assert_eq!(outcome.code, Some(0));
    let written = fs::metadata(site.path("home/user/written")).expect("the file");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&written), 1234);
    let record = site.script(&["-V/home/user:/mnt"], "cat /var/shifterConfig.json");
    record.says(r#""volMap":"/home/user:/mnt""#);
}

#[test]
fn a_read_only_volume_is_and_the_images_directories_can_be_one() {
    let site = Site::new("");
    let outcome = site.script(
        &["-V/home/user:/mnt:ro;/link:/again;/etc:/configuration"],
        "touch /mnt/x && echo WRITTEN; ls /again; cat /configuration/nsswitch.conf",
    );
    assert_eq!(outcome.stdout, "in\npasswd: files\n", "{outcome}");
}

/// Root does the mounting, and the user's rights decide.
#[test]
fn what_the_user_may_not_enter_is_no_volume() {
    let site = Site::new("siteFs=@/closed:/site/closed");
    site.bench.directory("closed/below/open");
    let below = site.path("closed/below");
    fs::set_permissions(&below, fs::Permissions::from_mode(0o700)).expect("chmod");
    symlink("/site/closed/below/open", site.path("home/user/link")).expect("a link");
    // The second is a directory that the user can look at, and Shifter mounts.
    for from in [
        "/closed/open",
        "/closed",
        "/site/closed/below/open",
        "/home/user/link",
    ] {
        let outcome = site
            .shifter()
            .args(["-V", &format!("{from}:/mnt"), "true"])
            .expect(125);
        let line = outcome.one_line();
        assert!(line.contains("Permission denied"), "{line}");
        site.assert_nothing_left(&outcome);
    }
    // The control: what may be entered.
    fs::set_permissions(&below, fs::Permissions::from_mode(0o755)).expect("chmod");
    site.script(&["-V/site/closed/below/open:/mnt"], "ls /mnt");
}

/// A link of the user's on a shared file system leads where it does inside, not on the host.
#[test]
fn a_users_link_leads_nowhere_but_in_the_container() {
    let site = Site::new("");
    for (number, target) in ["/root", "/etc/shadow", "../../../../../../../root"]
        .iter()
        .enumerate()
    {
        let name = format!("link{number}");
        symlink(target, site.path("home/user").join(&name)).expect("a link");
        let outcome = site
            .shifter()
            .args(["-V", &format!("/home/user/{name}:/mnt/x"), "cat", "/mnt/x"])
            .run();
        // The container's own /etc/shadow is empty, and it has no /root.
        assert_eq!(outcome.stdout, "", "{outcome}");
        assert_eq!(
            outcome.code,
            Some(if *target == "/etc/shadow" { 0 } else { 125 }),
            "{outcome}"
        );
        site.assert_nothing_left(&outcome);
    }
}

#[test]
fn a_volume_of_the_environment_counts_until_one_is_given() {
    let site = Site::new("");
    let run = |options: &[&str]| {
        let tool = site.shifter().args(options);
        let tool = tool.args(["cat", "/var/shifterConfig.json"]);
        tool.env("SLURM_SPANK_SHIFTER_VOLUME", "/home/user:/mnt")
            .expect(0)
    };
    run(&[]).says(r#""volMap":"/home/user:/mnt""#);
    run(&["-V/site/data:/x"]).says(r#""volMap":"/site/data:/x""#);
}

/// In Shifter a user's volume of what the site shows read-only can be written to.
#[test]
fn what_the_site_shows_read_only_stays_so_in_a_volume() {
    let site = Site::new("");
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(site.path("data"), everybody).expect("chmod");
    let outcome = site.script(
        &["-V/site/data:/mnt;/mnt:/again"],
        "for place in /site/data /mnt /again; do touch $place/x 2>/dev/null && echo WRITTEN; done; cat /again/file",
    );
    assert_eq!(outcome.stdout, "the site's\n", "{outcome}");
}

/// Nor does a bind mount keep by itself what the host doesn't do with its source.
#[test]
fn what_the_host_does_not_write_to_or_run_is_not_in_the_container_either() {
    let site = Site::new("siteFs=@/shut:/shut;@/deep:/deep:rec");
    for name in ["shut", "deep/below"] {
        site.bench.directory(name);
    }
    let [shut, below] = ["shut", "deep/below"].map(|name| site.path(name).display().to_string());
    let prepare = format!(
        "for place in '{shut}' '{below}'; do
            mount -t tmpfs -o mode=1777 none \"$place\" || exit
            printf '#!/bin/sh\\necho RUN\\n' >\"$place/program\" && chmod 755 \"$place/program\" || exit
            mount -o remount,bind,ro,noexec \"$place\" || exit
        done; exec \"$@\""
    );
    let script = "for place in /shut /deep/below /mnt /other; do
            touch $place/x 2>/dev/null && echo WRITTEN; $place/program 2>/dev/null; ls $place; done";
    let outcome = site
        .shifter()
        .args(["-V/shut:/mnt;/deep/below:/other", "sh", "-c", script])
        .within("unshare", &["-m", "sh", "-c", &prepare, "sh"])
        .run();
    assert_eq!(outcome.stdout, "program\n".repeat(4), "{outcome}");
}

#[test]
fn a_volume_comes_from_another_of_the_same_request() {
    let site = Site::new("");
    site.file("home/user/work/mine", "");
    let outcome = site.script(
        &["-V/home/user:/a", "-V/a/work:/b;/data:/c;/c/in:/d"],
        "ls /b /c; test -d /d && echo there",
    );
    assert_eq!(outcome.stdout, "/b:\nmine\n\n/c:\nin\nthere\n", "{outcome}");
}
