//! Images: of the store, and the user's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use super::Home;
use crate::site::USER;

fn mode(path: &PathBuf, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn an_image_of_the_store_is_served_by_a_program_of_the_users() {
    let home = Home::new("");
    home.site.image("packed", "squashfs");
    let file = home.site.path("images/packed.squashfs");
    mode(&file, 0o644);
    let script =
        "id -u; grep ' / / ' /proc/self/mountinfo; ls /closed; cat /opt/udiImage/fake; exit 3";
    let outcome = home.shifter("packed").args(["sh", "-c", script]).expect(3);
    home.assert_nothing_left(&outcome);
    assert!(outcome.stdout.starts_with("1234\n"), "{outcome}");
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
    // Modes count, though the user's own program serves the image.
    assert!(
        outcome.stderr.contains("/closed': Permission denied"),
        "{outcome}"
    );
    let tool = home.shifter("packed").args(["-V/closed/open:/mnt", "true"]);
    let line = tool.expect(125).one_line().to_owned();
    assert!(line.contains("Permission denied"), "{line}");
    home.assert_no_server(&file);
}

#[test]
fn an_image_that_the_user_may_not_have_is_refused_in_a_line() {
    let home = Home::new("");
    home.site.image("kept", "squashfs");
    mode(&home.site.path("images/kept.squashfs"), 0o600);
    home.site
        .describe("others", "FORMAT: squashfs\nUSERACL: 77\n");
    for (image, says) in [
        ("kept", "hint: without root you have to be able to read it"),
        ("others", "you are not among those who may use it"),
        ("nosuch", "there is no image nosuch"),
    ] {
        let outcome = home.shifter(image).arg("true").expect(125);
        let line = outcome.one_line();
        assert!(
            line.starts_with("shifter: ") && line.contains(says),
            "{line}"
        );
        home.assert_nothing_left(&outcome);
    }
}

/// A home with an image of the user's own.
fn with_own() -> (Home, PathBuf) {
    let home = Home::new("");
    home.site.image("own", "squashfs");
    let file = home.site.path("home/user/own.squashfs");
    fs::rename(home.site.path("images/own.squashfs"), &file).expect("move");
    fs::remove_file(home.site.path("images/own.meta")).expect("remove");
    chown(&file, Some(USER), Some(USER)).expect("chown");
    mode(&file, 0o600);
    (home, file)
}

#[test]
fn a_file_of_the_users_own_is_an_image() {
    let (home, file) = with_own();
    let script = "id -u; echo $SHIFTER_IMAGE; cat /var/shifterConfig.json; ls /data";
    let absolute = home.shifter(file.to_str().expect("a path"));
    let absolute = absolute.args(["/bin/sh", "-c", script]).env("PATH", "/bin");
    let relative = home
        .shifter("./own.squashfs")
        .args(["/bin/sh", "-c", script]);
    let relative = relative.current_dir(&home.site.path("home/user"));
    for tool in [absolute, relative.env("PATH", "/bin:/usr/bin")] {
        let outcome = tool.expect(0);
        home.assert_nothing_left(&outcome);
        let path = file.display();
        let told = format!("1234\n{path}\n{{\"identifier\":\"{path}\"");
        assert!(outcome.stdout.starts_with(&told), "{outcome}");
        assert!(outcome.stdout.ends_with("in\n"), "{outcome}");
    }
    home.assert_no_server(&file);
}

#[test]
fn the_sites_policy_says_what_reads_a_users_own_file() {
    let (home, file) = with_own();
    let image = file.to_str().expect("a path");
    let policy = |reads: &str| {
        let text = format!("[shifter]\nusers-images = \"{reads}\"\n");
        let path = home.site.file(&format!("{reads}.toml"), &text);
        format!("--policy={}", path.display())
    };
    let outcome = home.shifter(image).args([&policy("none"), "true"]);
    let line = outcome.expect(125).one_line().to_owned();
    assert!(line.contains("no images but those of its store"), "{line}");
    let as_root = |reads: &str, user: &str| {
        let tool = home.site.tool("", user).arg(format!("--image={image}"));
        tool.args([&policy(reads), "/bin/id", "-u"]).run()
    };
    let outcome = as_root("fuse", "1234:1234");
    assert!(
        outcome
            .one_line()
            .contains("its user runs it, without root"),
        "{outcome}"
    );
    let outcome = as_root("kernel", "1235:1234");
    assert!(
        outcome
            .one_line()
            .contains("open as uid 1235: Permission denied"),
        "{outcome}"
    );
    let outcome = as_root("kernel", "1234:1234");
    assert_eq!(outcome.stdout, "1234\n", "{outcome}");
    home.assert_nothing_left(&outcome);
}

#[test]
fn an_own_file_that_is_no_image_or_anothers_is_refused_in_a_line() {
    let (home, file) = with_own();
    chown(&file, Some(0), Some(0)).expect("chown");
    let data = home.site.path("data/file");
    for (image, says) in [
        (&file, "Permission denied"),
        (&data, "holds no file system that is known here"),
        (&home.site.path("data"), "is not a regular file"),
        (&home.site.path("data/nosuch"), "No such file"),
    ] {
        let outcome = home.shifter(image.to_str().expect("a path")).arg("true");
        let outcome = outcome.expect(125);
        let line = outcome.one_line();
        assert!(
            line.starts_with("shifter: ") && line.contains(says),
            "{line}"
        );
        home.assert_nothing_left(&outcome);
    }
}

#[test]
fn without_fuse_the_remedy_is_told() {
    let home = Home::new("");
    home.site.image("packed", "squashfs");
    mode(&home.site.path("images/packed.squashfs"), 0o644);
    mode(&home.device, 0o600);
    let outcome = home.shifter("packed").arg("true").expect(125);
    let line = outcome.one_line();
    assert!(
        line.contains("/dev/fuse") && line.contains("hint: chmod 0666 /dev/fuse"),
        "{line}"
    );
    home.assert_nothing_left(&outcome);
    // A directory needs none.
    home.script(&[], "exit 0");
}
