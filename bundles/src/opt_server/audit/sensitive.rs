//! Paths of a host that tell about it, its users and its services.

use std::fs;
use std::path::{Path, PathBuf};

use super::Level;

/// Directories, with how much it matters that they or something in them is mounted, and what they hold.
const SENSITIVE: [(&str, Level, &str); 24] = [
    (
        "/boot",
        Level::Warning,
        "the host's kernels and boot settings",
    ),
    ("/etc", Level::Warning, "the host's settings"),
    ("/home", Level::Error, "users' homes"),
    (
        "/lost+found",
        Level::Warning,
        "what a file system check found",
    ),
    ("/media", Level::Warning, "removable disks"),
    ("/root", Level::Error, "root's home"),
    (
        "/run",
        Level::Error,
        "the host's services, with their sockets",
    ),
    ("/sys", Level::Error, "the host's hardware and kernel"),
    (
        "/var/backups",
        Level::Error,
        "copies of the host's settings, passwords among them",
    ),
    (
        "/var/cache",
        Level::Warning,
        "caches of the host's services",
    ),
    (
        "/var/crash",
        Level::Error,
        "memory of programs that crashed",
    ),
    ("/var/lib/containerd", Level::Error, "other containers"),
    ("/var/lib/containers", Level::Error, "other containers"),
    ("/var/lib/docker", Level::Error, "other containers"),
    (
        "/var/lib/kubelet",
        Level::Error,
        "other containers and their secrets",
    ),
    ("/var/lib/mysql", Level::Error, "a database"),
    ("/var/lib/postgresql", Level::Error, "a database"),
    (
        "/var/lib/systemd",
        Level::Error,
        "the host's own state, its random seed and core dumps",
    ),
    (
        "/var/lib",
        Level::Warning,
        "the state of the host's services",
    ),
    ("/var/log", Level::Error, "the host's logs"),
    ("/var/mail", Level::Error, "users' mail"),
    (
        "/var/run",
        Level::Error,
        "the host's services, with their sockets",
    ),
    ("/var/spool", Level::Error, "users' jobs and mail"),
    ("/var/www", Level::Warning, "web sites with their settings"),
];

/// Of /etc, what programs need and everybody may know.
const HARMLESS: [&str; 22] = [
    "/etc/R",
    "/etc/alternatives",
    "/etc/ca-certificates.conf",
    "/etc/default/locale",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/timezone",
];

/// What is sensitive about `path`, canonical, to follow its name: it is, is in or holds what had better stay
/// unseen.
pub(super) fn sensitive(path: &Path) -> Option<(Level, String)> {
    if HARMLESS.iter().any(|harmless| path.starts_with(harmless)) {
        return None;
    }
    if let Some(home) = homes().into_iter().find(|home| touches(path, home)) {
        return Some((Level::Error, relation(path, &home, "somebody's home")));
    }
    let known = SENSITIVE
        .iter()
        .filter(|(known, ..)| touches(path, Path::new(known)));
    // The closest one tells most; of those inside, the worst.
    let (known, level, what) =
        known.max_by_key(|(known, level, _)| (path.starts_with(known), known.len(), *level))?;
    let is_below = path.starts_with(known) && path != Path::new(known);
    let level = if is_below { *level } else { Level::Error };
    Some((level, relation(path, Path::new(known), what)))
}

fn relation(path: &Path, known: &Path, what: &str) -> String {
    let shown = known.display();
    if path == known {
        format!("holds {what}")
    } else if path.starts_with(known) {
        format!("is in {shown}, which holds {what}")
    } else {
        format!("holds {shown}, which holds {what}")
    }
}

fn touches(path: &Path, known: &Path) -> bool {
    path.starts_with(known) || known.starts_with(path)
}

/// Homes of the host's people, from its list of users. System users' homes are programs' directories.
fn homes() -> Vec<PathBuf> {
    const FIRST_PERSON: u32 = 1000;
    const NOBODY: u32 = 65_534;
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    users
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let uid: u32 = fields.get(2)?.parse().ok()?;
            let is_person = (FIRST_PERSON..NOBODY).contains(&uid);
            let home = Path::new(*fields.get(5)?);
            let is_real = home.components().count() > 1 && home != Path::new("/nonexistent");
            (is_person && is_real).then(|| home.canonicalize().unwrap_or_else(|_| home.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_above_or_at_a_sensitive_path_is_found() {
        for (path, level) in [
            ("/etc", Some(Level::Error)),
            ("/", Some(Level::Error)),
            ("/etc/cups", Some(Level::Warning)),
            ("/etc/ssl/certs", None),
            ("/etc/ssl", Some(Level::Warning)),
            ("/root/models", Some(Level::Error)),
            ("/home", Some(Level::Error)),
            ("/var", Some(Level::Error)),
            ("/var/lib/docker/overlay2", Some(Level::Error)),
            ("/var/lib/solver", Some(Level::Warning)),
            ("/run/docker.sock", Some(Level::Error)),
            ("/opt/gams", None),
            ("/usr/lib/python3.11", None),
            ("/etcetera", None),
        ] {
            assert_eq!(
                sensitive(Path::new(path)).map(|(level, _)| level),
                level,
                "{path}"
            );
        }
    }
}
