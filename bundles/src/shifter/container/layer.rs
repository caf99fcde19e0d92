//! The site's layer: directories, `/etc`, and what scripts look for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ContainerError, Request};
use crate::bundle::Skeleton;
use crate::shifter::accounts::{NSSWITCH, User, filtered_groups};
use crate::shifter::image::Caller;
use crate::shifter::records::shifter_config;
use crate::shifter::sshd::without_terminals_group;

/// Directories that a container has whatever its image is.
const DIRECTORIES: [&str; 11] = [
    "/dev",
    "/etc",
    "/etc/ssh",
    "/etc/udiImage",
    "/opt",
    "/opt/udiImage",
    "/proc",
    "/sys",
    "/tmp",
    "/var",
    "/var/tmp",
];

/// Who the user is, by the site's word.
pub(super) fn user(request: &Request<'_>) -> Result<User, ContainerError> {
    let uid = request.caller.uid;
    if (request.config.allow_name_service || request.config.populate_etc)
        && let Some(user) = request.user.clone().filter(|user| user.uid == uid)
    {
        return Ok(user);
    }
    let text = request.site_files.text("passwd").unwrap_or_default();
    let passwd = request.site_files.path("passwd");
    User::find(&text, uid).ok_or(ContainerError::Unknown { uid, passwd })
}

/// The layer, without mount targets.
pub(super) fn make(
    request: &Request<'_>,
    identity: &Caller,
    user: &User,
) -> Result<Skeleton, ContainerError> {
    let mut layer = Skeleton::default();
    for directory in DIRECTORIES {
        layer.add_target(Path::new(directory), true);
    }
    layer.add_directory(Path::new("/var/empty"), 0o700);
    layer.add_link(Path::new("/etc/mtab"), Path::new("/proc/mounts"));
    for name in ["hosts", "resolv.conf"] {
        let path = request.places.etc.join(name);
        match fs::read(&path) {
            Ok(content) => layer.add_file(&Path::new("/etc").join(name), content),
            // A network may do without.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                let key = "the host's".to_owned();
                return Err(ContainerError::File { key, path, source });
            }
        }
    }
    let files = if request.config.populate_etc {
        made(request, identity, user)
    } else {
        copied(request, user)
    };
    for (name, mut content) in files {
        if name == "group" && request.sshd.is_some() {
            content = without_terminals_group(&content);
        }
        layer.add_file(&Path::new("/etc").join(name), content);
    }
    layer.add_file(Path::new("/etc/shadow"), vec![]);
    let modules: Vec<&str> = request.modules.iter().map(|module| &*module.name).collect();
    let record = shifter_config(&request.image.1, &user.name, &request.volumes, &modules).map_err(
        |error| ContainerError::File {
            key: "/var/shifterConfig.json".to_owned(),
            path: PathBuf::new(),
            source: error.into(),
        },
    )?;
    layer.add_file(Path::new("/var/shifterConfig.json"), record.into_bytes());
    if let Some(sshd) = &request.sshd {
        sshd.add_files(&mut layer, &user.name)?;
    }
    if let Some(hosts) = &request.hosts {
        layer.add_file(Path::new("/var/hostsfile"), hosts.clone().into_bytes());
    }
    Ok(layer)
}

/// Files of `/etc` from the name service.
fn made(request: &Request<'_>, identity: &Caller, user: &User) -> Vec<(String, Vec<u8>)> {
    let others = request
        .imported
        .iter()
        .filter(|other| other.uid != user.uid);
    let passwd: String = [user].into_iter().chain(others).map(User::line).collect();
    let mut group = String::new();
    let mut seen = vec![];
    for (name, gid) in &request.groups {
        if !seen.contains(gid) {
            seen.push(*gid);
            let is_users = *gid == identity.gid || identity.groups.contains(gid);
            let member = if is_users { &*user.name } else { "" };
            group.push_str(&format!("{name}:x:{gid}:{member}\n"));
        }
    }
    let filtered = filtered_groups(&group, &user.name, request.config.max_group_count);
    [
        ("passwd", passwd),
        ("group", filtered),
        ("group.orig", group),
        ("nsswitch.conf", NSSWITCH.to_owned()),
        ("host.conf", "order bind,hosts\nmulti on\n".to_owned()),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .to_vec()
}

/// Files of `/etc` from `etcPath`.
fn copied(request: &Request<'_>, user: &User) -> Vec<(String, Vec<u8>)> {
    let files = request.site_files.files().iter().cloned();
    let filtered = |(name, content): (String, Vec<u8>)| {
        if name != "group" {
            return vec![(name, content)];
        }
        let text = String::from_utf8_lossy(&content);
        let most = request.config.max_group_count;
        let text = filtered_groups(&text, &user.name, most);
        vec![
            (name, text.into_bytes()),
            ("group.orig".to_owned(), content),
        ]
    };
    files.flat_map(filtered).collect()
}
