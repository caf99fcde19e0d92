//! Image files: what the kernel mounts, and what serves users their own.

use std::path::Path;

use super::file_systems::has;
use super::{Asked, Finding, program};

pub(super) fn images(_: &Asked) -> Finding {
    judge_images(
        has("erofs"),
        has("squashfs"),
        Path::new("/dev/loop-control").exists(),
    )
}

fn judge_images(erofs: bool, squashfs: bool, has_loop: bool) -> Finding {
    const NAME: &str = "image files";
    let remedy = "a kernel built with CONFIG_EROFS_FS, CONFIG_SQUASHFS and CONFIG_BLK_DEV_LOOP";
    match (erofs, squashfs && has_loop) {
        (true, true) => Finding::ok(NAME, "EROFS, and squashfs by loop devices"),
        (true, false) => Finding::limited(
            NAME,
            "EROFS; no squashfs, or no loop devices for it",
            remedy,
        ),
        (false, true) => Finding::limited(NAME, "squashfs; no EROFS", remedy),
        (false, false) => Finding::missing(NAME, "neither EROFS nor squashfs", remedy),
    }
}

/// Formats that older sites' stores have; each is mounted through a loop device.
pub(super) fn older_images(_: &Asked) -> Finding {
    judge_older_images(["ext4", "xfs", "cramfs"].map(|name| (name, has(name))))
}

fn judge_older_images(formats: [(&str, bool); 3]) -> Finding {
    const NAME: &str = "older image files";
    let of = |known: bool| -> Vec<&str> {
        let formats = formats.iter().filter(|(_, is_known)| *is_known == known);
        formats.map(|(name, _)| *name).collect()
    };
    let (known, unknown) = (of(true).join(", "), of(false).join(", "));
    match (&*known, &*unknown) {
        ("", _) => {
            let found = format!("none of {unknown}: stores that have such images can't be used");
            Finding::limited(
                NAME,
                found,
                "modprobe ext4, or a store of EROFS or squashfs",
            )
        }
        (_, "") => Finding::ok(NAME, known),
        _ => Finding::ok(NAME, format!("{known}; no {unknown}")),
    }
}

/// Programs that serve images to users without root.
pub(super) fn users_images(_: &Asked) -> Finding {
    judge_users_images(
        program("squashfuse_ll").is_some(),
        program("erofsfuse").is_some(),
    )
}

fn judge_users_images(squashfs: bool, erofs: bool) -> Finding {
    const NAME: &str = "users' image files";
    match (squashfs, erofs) {
        (true, true) => Finding::ok(NAME, "squashfuse_ll, erofsfuse"),
        (true, false) => Finding::ok(NAME, "squashfuse_ll; no erofsfuse: squashfs only"),
        (false, true) => Finding::limited(
            NAME,
            "erofsfuse; no squashfuse_ll: EROFS only",
            "apt-get install squashfuse",
        ),
        (false, false) => Finding::limited(
            NAME,
            "no squashfuse_ll: without root, images are directories",
            "apt-get install squashfuse",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn squashfs_needs_loop_devices() {
        for (erofs, squashfs, has_loop, verdict) in [
            (true, true, true, Verdict::Ok),
            (true, true, false, Verdict::Limited),
            (false, true, true, Verdict::Limited),
            (false, true, false, Verdict::Missing),
        ] {
            assert_eq!(judge_images(erofs, squashfs, has_loop).verdict, verdict);
        }
    }

    #[test]
    fn formats_that_are_not_known_are_named() {
        let judge = |ext4, xfs, cramfs| {
            let formats = [("ext4", ext4), ("xfs", xfs), ("cramfs", cramfs)];
            let finding = judge_older_images(formats);
            (finding.verdict, finding.found)
        };
        let all = "ext4, xfs, cramfs".to_owned();
        assert_eq!(judge(true, true, true), (Verdict::Ok, all.clone()));
        let found = "xfs; no ext4, cramfs".to_owned();
        assert_eq!(judge(false, true, false), (Verdict::Ok, found));
        let (verdict, found) = judge(false, false, false);
        assert_eq!(verdict, Verdict::Limited);
        assert!(found.starts_with(&format!("none of {all}: ")), "{found}");
    }

    #[test]
    fn without_squashfuse_ll_users_have_directories() {
        for (squashfs, erofs, verdict) in [
            (true, true, Verdict::Ok),
            (true, false, Verdict::Ok),
            (false, true, Verdict::Limited),
            (false, false, Verdict::Limited),
        ] {
            assert_eq!(judge_users_images(squashfs, erofs).verdict, verdict);
        }
    }
}
