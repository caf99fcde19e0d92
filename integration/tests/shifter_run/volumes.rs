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
    for from in ["/closed/open", "/site/closed/below/open", "/home/user/link"] {
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
