//! What is refused, in one line that says what and why, with nothing left.

use crate::site::Site;

#[test]
fn what_cannot_be_is_told_in_one_line_and_leaves_nothing() {
    let site = Site::new("module_gpu_siteEnv=GPU=1\nmodule_mpi_conflict=gpu");
    site.describe("kept", "FORMAT: VFS\nUSERACL: 77\n");
    site.describe("formless", "ENV: A=1\n");
    site.describe("gone", "FORMAT: squashfs\n");
    site.describe("link", "FORMAT: squashfs\n");
    std::os::unix::fs::symlink("gone.squashfs", site.path("images/link.squashfs")).expect("a link");
    for (arguments, says) in [
        (&["--image=x/../etc/passwd"][..], "can't have '/' in it"),
        (
            &["--image=../../etc/passwd", "true"],
            "keeps users' files from the kernel",
        ),
        (&["--image=id:..", "true"], "is no identifier of an image"),
        (&["--image=nosuch", "true"], "there is no image nosuch"),
        (&["--image=gone", "true"], "gone.squashfs is not there"),
        (
            &["--image=link", "true"],
            "link.squashfs is a symbolic link",
        ),
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
        (
            &["--env-file=/nosuch", "true"],
            "--env-file: /nosuch is neither in the container nor outside",
        ),
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

/// What isn't there that a key names: with the key's line, of several the right one.
#[test]
fn what_a_key_names_is_told_with_the_file_and_the_line() {
    for (lines, says) in [
        ("udiMount=@/nosuch", "8: udiMount: "),
        ("imagePath=@/nosuch", "8: imagePath: "),
        ("system=x\netcPath=@/nosuch", "9: etcPath: "),
        ("optUdiImage=/nosuch", "8: optUdiImage: "),
        ("siteFs=/nosuch:/x\nsiteFs=/usr:/y", "8: siteFs: /nosuch"),
        ("siteFs=/usr:/y\nsiteFs=/nosuch:/x", "9: siteFs: /nosuch"),
        ("sitePostMountHook=/nosuch", "8: sitePostMountHook: /nosuch"),
        (
            "module_m_copyPath=/nosuch\ndefaultModules=m",
            "8: module_m_copyPath: ",
        ),
    ] {
        let site = Site::new(lines);
        let outcome = site.shifter().arg("true").expect(125);
        let line = outcome.one_line();
        let says = format!("udiRoot.conf:{says}");
        assert!(line.contains(&says), "no {says}: {line}");
        site.assert_nothing_left(&outcome);
    }
}

/// What the site's client says is told: a gateway that isn't reached doesn't mean that there is no image.
#[test]
fn why_the_gateway_names_no_image_is_told() {
    for (client, says) in [
        (
            "exit 1",
            "image docker:one:1: the gateway doesn't know it; hint: shifterimg pull docker:one:1",
        ),
        (
            "echo hello; echo 'shifterimg: https://gateway.example: refused' >&2; exit 1",
            "image docker:one:1: shifterimg: https://gateway.example: refused; hint: ",
        ),
    ] {
        let site = Site::new("udiRootPath=@/shifter");
        site.bench.directory("shifter/bin");
        let client = site.file("shifter/bin/shifterimg", &format!("#!/bin/sh\n{client}\n"));
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(client, everybody).expect("chmod");
        let outcome = site
            .tool("", "1234:1234")
            .args(["--image=docker:one:1", "true"])
            .expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "no {says}: {line}");
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
