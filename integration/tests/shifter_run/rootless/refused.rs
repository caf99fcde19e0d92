//! What is refused, in one line that says what and why, with nothing left.

use integration::Tool;

use super::Home;
use crate::site::USER;

#[test]
fn what_takes_root_is_told_in_one_line_and_leaves_nothing() {
    for (lines, groups, arguments, says) in [
        (
            "",
            "1234",
            &["--user=nobody"][..],
            "only root makes containers for others",
        ),
        (
            "",
            "1234",
            &["--user=1235:1234"],
            "only root makes containers for others",
        ),
        ("", "1234,0", &[], "you are in root's group"),
        (
            "sitePreMountHook=/bin/true",
            "1234",
            &[],
            "sitePreMountHook: /bin/true: is root's to run",
        ),
        (
            "sitePostMountHook=/bin/true",
            "1234",
            &[],
            "sitePostMountHook: /bin/true: is root's to run",
        ),
        (
            "module_m_roothook=/bin/true\ndefaultModules=m",
            "1234",
            &[],
            "module_m_roothook: /bin/true: is root's to run",
        ),
        (
            "perNodeCachePath=@/\nmkfsXfsPath=/usr/sbin/mkfs.xfs",
            "1234",
            &["-V/none:/cache:perNodeCache=size=350M"],
            "perNodeCache is mounted by root",
        ),
        (
            "siteFs=/none:/cache:perNodeCache=size=350M\nperNodeCachePath=@/\nmkfsXfsPath=/usr/sbin/mkfs.xfs",
            "1234",
            &[],
            "perNodeCache is mounted by root",
        ),
        (
            "",
            "1234",
            &["-V/site/data:/etc"],
            "nothing can be mounted on /etc",
        ),
        ("", "1234", &["-V/closed/open:/x"], "Permission denied"),
    ] {
        let home = Home::new(lines);
        let tool = home.user(groups, "").arg("--image=plain");
        let outcome = tool.args(arguments).arg("true").expect(125);
        let line = outcome.one_line();
        assert!(
            line.starts_with("shifter: ") && line.contains(says),
            "{line}"
        );
        home.assert_nothing_left(&outcome);
    }
    let home = Home::new("");
    let tool = home.user("1234", "").arg("--image=plain");
    tool.args(["--user=1234:1234", "true"]).expect(0);
}

/// Root's word counts here as well, though nothing of root's is at stake.
#[test]
fn a_configuration_that_others_could_have_written_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    for (name, mode) in [
        ("udiRoot.conf", 0o666),
        ("etc/passwd", 0o666),
        ("images", 0o777),
    ] {
        let home = Home::new("");
        let path = home.site.path(name);
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("chmod");
        let outcome = home.shifter("plain").arg("true").expect(125);
        let line = outcome.one_line();
        assert!(line.contains("may be written by others"), "{name}: {line}");
        home.assert_nothing_left(&outcome);
    }
}

#[test]
fn a_configuration_of_anothers_is_not_read() {
    for name in ["udiRoot.conf", "etc/passwd", "etc", "images/plain.meta"] {
        let home = Home::new("");
        std::os::unix::fs::chown(home.site.path(name), Some(1235), None).expect("chown");
        let outcome = home.shifter("plain").arg("true").expect(125);
        let line = outcome.one_line();
        assert!(line.contains("belongs to uid 1235"), "{name}: {line}");
        home.assert_nothing_left(&outcome);
    }
}

/// In the user namespace, whoever makes the container could get into what is the user's.
#[test]
fn what_its_user_has_shut_is_no_volume() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new("");
    let shut = home.site.bench.directory("home/user/shut");
    home.site.bench.directory("home/user/shut/in");
    std::os::unix::fs::chown(&shut, Some(USER), Some(USER)).expect("chown");
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o0)).expect("chmod");
    let tool = home.shifter("plain").arg("-V/home/user/shut/in:/x");
    let outcome = tool.arg("true").expect(125);
    let line = outcome.one_line();
    assert!(line.contains("Permission denied"), "{line}");
    home.assert_nothing_left(&outcome);
}

/// Shifter is setuid root; this program never, for whoever's rights it would have.
#[test]
fn a_program_that_is_setuid_makes_no_container() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let home = Home::new("");
    for (uid, mode) in [(1235, 0o4755), (1235, 0o2755), (0, 0o4755), (0, 0o2755)] {
        chown(&home.program, Some(uid), Some(uid)).expect("chown");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&home.program, mode).expect("chmod");
        // What root may say of others is nobody else's to say.
        for user in ["1234:1234", "1236:1236"] {
            let tool = home.shifter("plain").args(["--user", user, "true"]);
            let outcome = tool.expect(125);
            let line = outcome.one_line();
            let remedy = format!("hint: chmod ug-s {}", home.program.display());
            assert!(line.contains("not meant to be setuid"), "{line}");
            assert!(line.ends_with(&remedy), "no {remedy}: {line}");
            home.assert_nothing_left(&outcome);
        }
    }
}

/// As above, for what root alone does besides.
#[test]
fn a_program_that_is_setuid_does_nothing_of_roots() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new("");
    let mode = std::fs::Permissions::from_mode(0o4755);
    std::fs::set_permissions(&home.program, mode).expect("chmod");
    for words in [
        &["image", "mount", "plain", "/mnt"][..],
        &["image", "list"],
        &["config", "check"],
        &["setupRoot", "-U", "1234", "-G", "1234", "id", "plain"],
        &["prolog"],
    ] {
        let ids = ["--reuid=1234", "--regid=1234", "--clear-groups"];
        let outcome = Tool::new("setpriv").args(ids).arg(&home.program);
        let outcome = outcome.args(words).expect(125);
        outcome.refused("not meant to be setuid");
        home.assert_nothing_left(&outcome);
    }
}
