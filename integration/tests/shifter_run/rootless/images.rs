//! Images: of the store, and the user's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use integration::Tool;

use super::Home;
use crate::digests::settle;
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

#[test]
fn what_stands_beside_a_file_of_the_users_own_counts() {
    let (home, file) = with_own();
    let image = file.to_str().expect("a path");
    let sum = Tool::new("sha256sum").arg(&file).expect(0).stdout;
    let digest = sum.split(' ').next().expect("a digest");
    let describe = |format: &str| {
        let text = format!(
            "FORMAT: {format}\nENV: PATH=/bin\nENTRY: ['echo', 'entered']\nCMD: ['alone']\n\
             WORKDIR: /data\n#DIGEST: sha256:{digest}\n"
        );
        let path = home.site.file("home/user/own.meta", &text);
        chown(&path, Some(USER), Some(USER)).expect("chown");
    };
    describe("squashfs");
    let outcome = home.shifter(image).args(["-w", "--entrypoint"]).expect(0);
    assert_eq!(outcome.stdout, "entered alone\n", "{outcome}");
    let outcome = home.shifter(image).args(["-w", "pwd"]).expect(0);
    assert_eq!(outcome.stdout, "/data\n", "{outcome}");

    let text = "[shifter]\nverify-images = \"once\"\n";
    let policy = home.site.file("once.toml", text);
    let policy = format!("--policy={}", policy.display());
    let run = || home.shifter(image).args([&*policy, "pwd"]).run();
    assert_eq!(run().code, Some(0), "{}", run());
    let mut bytes = fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("write");
    let outcome = run();
    assert_eq!(outcome.code, Some(125), "{outcome}");
    let line = outcome.one_line();
    assert!(line.contains("is not the file that was made"), "{line}");

    describe("erofs");
    let line = home
        .shifter(image)
        .arg("pwd")
        .expect(125)
        .one_line()
        .to_owned();
    assert!(
        line.contains("holds squashfs, its .meta file says another"),
        "{line}"
    );
    home.assert_no_server(&file);
}

#[test]
fn a_user_reads_an_image_once_in_a_session() {
    let home = Home::new("");
    home.site.image("packed", "squashfs");
    let file = home.site.path("images/packed.squashfs");
    mode(&file, 0o644);
    let sum = Tool::new("sha256sum").arg(&file).expect(0).stdout;
    let digest = sum.split(' ').next().expect("a digest");
    let text = format!("FORMAT: squashfs\nENV: PATH=/bin\n#DIGEST: sha256:{digest}\n");
    home.site.describe("packed", &text);
    let text = "[shifter]\nverify-images = \"once\"\n";
    let policy = home.site.file("once.toml", text);
    let policy = format!("--policy={}", policy.display());
    settle(&file);
    let session = home.site.path("home/user/session");
    fs::create_dir(&session).expect("a directory");
    chown(&session, Some(USER), Some(USER)).expect("chown");
    let is_known = || {
        let tool = home.shifter("packed").args([&*policy, "--dry-run", "true"]);
        let session = session.to_str().expect("a path");
        let outcome = tool.env("XDG_RUNTIME_DIR", session).expect(0);
        let was_read = outcome.stdout.contains("read before and not changed since");
        assert!(
            was_read || outcome.stdout.contains("all of it was read now"),
            "{outcome}"
        );
        was_read
    };
    // A directory that others get into is no session's.
    mode(&session, 0o755);
    assert!(!is_known() && !is_known());
    mode(&session, 0o700);
    assert!(!is_known() && is_known());
    home.assert_no_server(&file);
}
