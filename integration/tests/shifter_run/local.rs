//! `local:/DIRECTORY`: a directory of the host's as an image, where the site allows it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use integration::{Tool, host};

use crate::site::Site;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

/// The user's own copy of the plain image's tree.
fn own_tree(site: &Site) -> std::path::PathBuf {
    let own = site.path("home/user/tree");
    Tool::new("cp")
        .arg("-a")
        .arg(site.path("images/plain."))
        .arg(&own)
        .expect(0);
    Tool::new("chown")
        .args(["-R", "1234:1234"])
        .arg(&own)
        .expect(0);
    own
}

fn image(path: &Path) -> String {
    format!("--image=local:{}", path.display())
}

#[test]
fn a_directory_of_the_users_is_an_image_where_the_site_says_so() {
    let site = Site::new("allowLocalChroot=1");
    let own = own_tree(&site);
    // Whatever it was outside, it is nosuid and nodev inside, and what is mounted below it isn't there.
    chown(own.join("bin/busybox"), Some(0), None).expect("chown");
    mode(&own.join("bin/busybox"), 0o4755);
    fs::create_dir(own.join("below")).expect("mkdir");
    let prepare = format!(
        "mount -t tmpfs none '{0}/below'; touch '{0}/below/mounted'",
        own.display()
    );
    let outcome = site
        .tool("", "1234:1234")
        .arg(image(&own))
        .args(["/bin/sh", "-c"])
        .arg(
            "id -u; cat /etc/passwd /var/shifterConfig.json; echo; ls /below; touch /data/x /bin/x
             grep -e ' / ' /proc/self/mountinfo; echo $SHIFTER_IMAGE",
        )
        .env("PATH", "/bin")
        .after(&prepare)
        .expect(0);
    outcome
        .says("1234\n")
        .says("user:x:1234:1234:A User:/home/user:/bin/sh\n")
        .says(&format!("{{\"identifier\":\"{}\"", own.display()));
    assert!(!outcome.stdout.contains("mounted\n"), "{outcome}");
    assert!(!own.join("data/x").exists() && !own.join("bin/x").exists());
    let root = outcome.stdout.lines().find(|line| line.contains(" / "));
    assert!(
        root.is_some_and(|line| line.contains("nosuid,nodev")),
        "{outcome}"
    );
    site.assert_nothing_left(&outcome);
}

#[test]
fn what_the_user_could_not_open_is_no_image_and_without_the_key_nothing_is() {
    let site = Site::new("allowLocalChroot=1");
    let own = own_tree(&site);
    let foreign = site.path("foreign");
    site.bench.directory("foreign");
    chown(&foreign, Some(77), None).expect("chown");
    site.bench.directory("shut/tree");
    mode(&site.path("shut"), 0o700);
    site.bench.directory("listless");
    mode(&site.path("listless"), 0o711);
    for (path, says) in [
        (foreign, "belongs to uid 77, neither to you nor to root"),
        (site.path("shut/tree"), "Permission denied"),
        (site.path("listless"), "Permission denied"),
        (site.path("nosuch"), "No such file"),
        (site.path("udiRoot.conf"), "is not a directory"),
        ("/proc/self".into(), "is the kernel's"),
    ] {
        let outcome = site
            .tool("", "1234:1234")
            .arg(image(&path))
            .arg("true")
            .expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
        site.assert_nothing_left(&outcome);
    }
    site.configure("allowLocalChroot=0");
    let outcome = site
        .tool("", "1234:1234")
        .arg(image(&own))
        .arg("true")
        .expect(125);
    let line = outcome.one_line();
    assert!(line.contains("it would say allowLocalChroot=1"), "{line}");
}

/// W3: its links are followed inside, and a volume of it is what was opened, though its owner may exchange it.
#[test]
fn links_of_a_local_image_lead_nowhere_but_in_the_container() {
    let site = Site::new("allowLocalChroot=1");
    let own = own_tree(&site);
    site.bench.directory("secret/etc");
    site.file("secret/passwd", "SECRET\n");
    mode(&site.path("secret"), 0o700);
    fs::remove_dir_all(own.join("etc")).expect("remove");
    for (link, target) in [
        ("etc", site.path("secret")),
        ("var", site.path("secret")),
        ("usr/secret", "/root".into()),
    ] {
        symlink(target, own.join(link)).expect("a link");
    }
    let run = |volume: &str| {
        site.tool("", "1234:1234")
            .arg(image(&own))
            .args([
                "-V",
                volume,
                "/bin/sh",
                "-c",
                "cat /etc/passwd; ls /var /mnt",
            ])
            .env("PATH", "/bin")
            .run()
    };
    let outcome = run("/data:/mnt");
    outcome.says("user:x:1234").says("/mnt:\nin\n");
    assert!(!outcome.stdout.contains("SECRET"), "{outcome}");
    let outcome = run("/usr/secret:/mnt");
    let line = outcome.one_line();
    assert!(line.contains("is not there"), "{line}");
    // The mount is of the directory that was opened: read-only, as the image is.
    let explained = site
        .tool("explain", "1234:1234")
        .arg(image(&own))
        .args(["-V", "/data:/mnt", "true"])
        .expect(0);
    let volume = explained
        .stdout
        .lines()
        .find(|line| line.contains("  /mnt "));
    assert!(
        volume.is_some_and(|line| line.contains("/volumes/0")),
        "{explained}"
    );
    assert_eq!(host::names_in(&site.path("udi")), [""; 0]);
}

#[test]
fn users_to_import_are_in_a_passwd_that_is_made() {
    let site = Site::new("populateEtcDynamically=1\nusersToImport=daemon mail");
    let outcome = site
        .tool("", "games")
        .args(["--image=plain", "cat", "/etc/passwd", "/etc/group"])
        .expect(0);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(&names[..3], ["games", "daemon", "mail"], "{outcome}");
    for group in ["daemon", "mail"] {
        assert!(names[3..].contains(&group), "{outcome}");
    }
    assert!(!names.contains(&"root"), "{outcome}");
    site.configure("populateEtcDynamically=1\nusersToImport=nosuchuser");
    let outcome = site
        .tool("", "games")
        .args(["--image=plain", "true"])
        .expect(125);
    let line = outcome.one_line();
    assert!(line.contains("usersToImport: neither getent nor"), "{line}");
}
