//! The site's policy about digests, in containers that a job's prolog makes: of `setupRoot` and of `prolog`.

use integration::{Outcome, Tool, program, shifter};

use crate::digests::{assert_none_made, tamper, with_digest};
use crate::site::{Site, USER};

/// What makes a job's container.
const MAKERS: [&str; 2] = ["setupRoot", "prolog"];

/// Has `maker` make a job's container of the image `image`, on a node whose policy says `verify`, runs a step in it and
/// takes it away. The policy is where a node has it: in an `/etc` of the test's own.
fn job(site: &Site, maker: &str, verify: &str, image: &str) -> Outcome {
    let program = site.path("shifter");
    if !program.exists() {
        // The build directory need not be open to everybody.
        program::copy([shifter()], &program);
    }
    site.bench.directory("node-etc/opt-runtime");
    let policy = format!("[shifter]\nverify-images = \"{verify}\"\n");
    site.file("node-etc/opt-runtime/config.toml", &policy);
    let place = site.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let of_root = format!("--config '{place}/udiRoot.conf' --state '{place}/node'");
    let make = match maker {
        "prolog" => format!(
            "SLURM_JOB_UID={USER} SLURM_JOB_GID={USER} SLURM_JOB_COMMENT='shifter --image={image}' \
             '{place}/shifter' prolog {of_root}"
        ),
        _ => format!("'{place}/shifter' setupRoot {of_root} -U {USER} -G {USER} id {image}"),
    };
    let step = format!(
        "setpriv --reuid={USER} --regid={USER} --clear-groups '{place}/shifter' --config '{place}/udiRoot.conf'"
    );
    let text = format!(
        "mount -t overlay -o lowerdir='{place}/node-etc:/etc' overlay /etc || exit 98\nexport SLURM_JOB_ID=77\n\
         {make} || exit\n{step} /bin/sh -c 'echo ran'\ncode=$?\n\
         '{place}/shifter' unsetupRoot {of_root} || exit\n! grep '{place}/udi' /proc/self/mountinfo || exit 99\nexit $code"
    );
    let private = ["--mount", "--propagation", "private", "sh", "-c", &text];
    let outcome = Tool::new("unshare")
        .args(private)
        .current_dir(&site.path(""))
        .run();
    site.assert_nothing_left(&outcome);
    outcome
}

#[test]
fn the_file_that_was_made_is_used() {
    let (site, _) = with_digest();
    for maker in MAKERS {
        for verify in ["never", "fs-verity", "once", "required"] {
            let outcome = job(&site, maker, verify, "it");
            assert_eq!(
                (outcome.code, &*outcome.stdout),
                (Some(0), "ran\n"),
                "{maker} {verify}: {outcome}"
            );
        }
    }
}

/// The prolog says it for its log, and the step to the user.
#[test]
fn another_file_makes_no_container() {
    for maker in MAKERS {
        let (site, file) = with_digest();
        tamper(&file);
        for verify in ["once", "required"] {
            let outcome = job(&site, maker, verify, "it");
            assert_none_made(&outcome, "is not the file that was made: its SHA-256 is");
        }
    }
}

#[test]
fn an_image_without_a_digest_is_used_unless_one_is_required() {
    let site = Site::new("");
    for maker in MAKERS {
        let outcome = job(&site, maker, "once", "plain");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let outcome = job(&site, maker, "required", "plain");
        assert_none_made(&outcome, "no digest of it is known");
    }
}
