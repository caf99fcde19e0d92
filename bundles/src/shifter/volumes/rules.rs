//! Where nothing may be mounted.

use super::{Asker, VolumeProblem};

/// Users may mount here, though it is below `/var`.
const ALLOWED_TO_USERS: &str = "/var/tmp";

const FILES_OF_SITE: &str = "the site's own files are there";
const VIEW_OF_KERNEL: &str = "the container's own is there";
const WHOLE_ROOT: &str = "it would cover the whole container";

/// For users, these and everything that begins with the same letters, as Shifter has it: `/etcetera` too.
const BEGINNINGS: [(&str, &str); 3] = [
    ("/etc", FILES_OF_SITE),
    ("/var", FILES_OF_SITE),
    ("/opt/udiImage", FILES_OF_SITE),
];

/// For users, these and what is below them. Shifter's own check against them never worked.
const TREES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// For the site, just these: what is below them may be mounted on.
const OF_SITE: [&str; 6] = [
    "/opt",
    "/etc",
    "/var",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
];

/// Whether `asker` may mount something on `target`, a normal path inside. It holds for what was written and, once
/// links are followed, for where that leads.
///
/// # Errors
/// [`VolumeProblem::Reserved`], with the reason.
pub fn check_target(target: &str, asker: Asker) -> Result<(), VolumeProblem> {
    let refuse = |reason| {
        Err(VolumeProblem::Reserved {
            target: target.to_owned(),
            reason,
        })
    };
    let is_in = |tree: &str| target == tree || target.starts_with(&format!("{tree}/"));
    if target == "/" {
        return refuse(WHOLE_ROOT);
    }
    match asker {
        Asker::Site if OF_SITE.contains(&target) => refuse(FILES_OF_SITE),
        Asker::Site if is_in("/proc") => refuse(VIEW_OF_KERNEL),
        Asker::Site => Ok(()),
        Asker::User if target == ALLOWED_TO_USERS => Ok(()),
        Asker::User if target == "/opt" => refuse(FILES_OF_SITE),
        Asker::User if TREES.into_iter().any(is_in) => refuse(VIEW_OF_KERNEL),
        Asker::User => {
            let mut beginnings = BEGINNINGS.into_iter();
            match beginnings.find(|(beginning, _)| target.starts_with(beginning)) {
                Some((_, reason)) => refuse(reason),
                None => Ok(()),
            }
        }
    }
}
