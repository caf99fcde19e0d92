//! What is refused, in one line that says what and why, with nothing left.

use crate::site::Site;

#[test]
fn what_cannot_be_is_told_in_one_line_and_leaves_nothing() {
    let site = Site::new("module_gpu_siteEnv=GPU=1\nmodule_mpi_conflict=gpu");
    site.describe("kept", "FORMAT: VFS\nUSERACL: 77\n");
    site.describe("formless", "ENV: A=1\n");
    site.describe("gone", "FORMAT: squashfs\n");
    for (arguments, says) in [
        (&["--image=x/../etc/passwd"][..], "can't have '/' in it"),
        (
            &["--image=../../etc/passwd", "true"],
            "keeps users' files from the kernel",
        ),
        (&["--image=id:..", "true"], "is no identifier of an image"),
        (&["--image=nosuch", "true"], "there is no image nosuch"),
        (&["--image=gone", "true"], "there is no image gone"),
        (
            &["--image=kept", "true"],
            "you are not among those who may use it",
        ),
        (&["--image=formless", "true"], "FORMAT is missing"),
        (&["--image=docker:x", "true"], "udiRootPath is missing"),
        (
            &["--image=local:/", "true"],
            "the site allows no local images",
        ),
        (
            &["-V/home/user:/etc", "true"],
            "nothing can be mounted on /etc",
        ),
        (
            &["-V/home/user:/proc", "true"],
            "nothing can be mounted on /proc",
        ),
        (
            &["-V/home/user:/dev/x", "true"],
            "nothing can be mounted on /dev/x",
        ),
        (
            &["-V/home/user:/site/data", "true"],
            "is the site's and doesn't belong to you",
        ),
        (&["-V/nosuch:/x", "true"], "/nosuch is not there"),
        (
            &["-V/home/user:/x:rec", "true"],
            "the flag rec is the site's to give",
        ),
        (
            &["-V/home/user:/x:perNodeCache=size=1G", "true"],
            "the site has no perNodeCachePath",
        ),
        (
            &["--module=nosuch", "true"],
            "there is no module \"nosuch\"",
        ),
        (&["--module=mpi,gpu", "true"], "exclude each other"),
        (&["--env=A", "true"], "must be NAME=VALUE"),
        (&["--env-file=/nosuch", "true"], "read /nosuch"),
    ] {
        let tool = if arguments[0].starts_with("--image") {
            site.tool("", "1234:1234")
        } else {
            site.shifter()
        };
        let outcome = tool.args(arguments).expect(125);
        let line = outcome.one_line();
        assert!(
            line.starts_with("shifter: ") && line.contains(says),
            "{line}"
        );
        site.assert_nothing_left(&outcome);
    }
}

#[test]
fn a_configuration_that_others_could_have_written_is_not_read() {
    let site = Site::new("");
    let config = site.path("udiRoot.conf");
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(config, everybody).expect("chmod");
    let outcome = site.shifter().arg("true").expect(125);
    let line = outcome.one_line();
    assert!(
        line.contains("udiRoot.conf may be written by others"),
        "{line}"
    );
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_cannot_run_126() {
    let site = Site::new("");
    let outcome = site.shifter().arg("nosuch").expect(127);
    site.assert_nothing_left(&outcome);
    site.shifter().arg("/etc/passwd").expect(126);
}
