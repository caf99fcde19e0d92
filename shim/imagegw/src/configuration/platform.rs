//! The systems that images are for.

use std::path::PathBuf;

use serde_json::Value;

use super::section::Section;

/// A system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Users who may do everything.
    pub admins: Vec<String>,
    /// Where munged listens that its users' credentials are of.
    pub munge_socket: PathBuf,
    /// How its images get there.
    pub access: Access,
}

/// How a system's images get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Into a directory of this host's, shared with the system or not.
    Local(PathBuf),
    /// Over ssh.
    Remote(Remote),
}

/// A host that images are copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name.
    pub host: String,
    /// Who to be there.
    pub user: String,
    /// The private key that opens it.
    pub key: Option<PathBuf>,
    /// The directory there.
    pub directory: PathBuf,
    /// More options of ssh.
    pub ssh_options: Vec<String>,
    /// More options of scp.
    pub scp_options: Vec<String>,
}

impl Platform {
    pub(super) fn read(name: &str, mut section: Section) -> Option<Self> {
        if name.is_empty() || !name.bytes().all(is_plain) || name.starts_with('.') {
            section.fault(
                "",
                format!("{name:?}: a system's name is of letters, digits, _ . and -"),
            );
        }
        section.dead("usergroupService", "Shifter ignores it too");
        section.dead("mountCommand", "nothing is mounted");
        section.dead("use_external", "there is one way to pull");
        if section.any("policy_file").is_some() {
            section.fault(
                "policy_file",
                "isn't read here, so it would protect nobody; say SignaturePolicy instead",
            );
        }
        let admins = section.names("admins");
        let munge_socket = section.path("mungeSocketPath");
        let access = match section.word("accesstype", &["local", "remote"]) {
            Some("local") => {
                section.dead("host", "accesstype is local");
                section.dead("ssh", "accesstype is local");
                local(&mut section)
            }
            Some(_) => {
                section.dead("local", "accesstype is remote");
                remote(&mut section)
            }
            None => {
                section.fault("accesstype", "must be local or remote");
                section.any("local");
                section.any("host");
                section.any("ssh");
                None
            }
        };
        section.finish();
        Some(Self {
            admins,
            munge_socket: munge_socket.unwrap_or_else(|| munge::USUAL_SOCKET.into()),
            access: access?,
        })
    }
}

fn local(section: &mut Section) -> Option<Access> {
    let Some(mut local) = section.section("local") else {
        section.fault("local", "is missing: {\"imageDir\": \"/where/images/are\"}");
        return None;
    };
    let directory = image_directory(&mut local);
    local.finish();
    Some(Access::Local(directory?))
}

fn remote(section: &mut Section) -> Option<Access> {
    let host = host(section);
    let Some(mut ssh) = section.section("ssh") else {
        section.fault("ssh", "is missing: {\"username\": …, \"imageDir\": …}");
        return None;
    };
    let user = ssh.text("username");
    if user.is_none() {
        ssh.fault("username", "is missing");
    }
    let user = user.filter(|user| {
        let is_plain = user.bytes().all(is_plain) && !user.starts_with('-');
        if !is_plain {
            ssh.fault("username", format!("{user:?} isn't a user's name"));
        }
        is_plain
    });
    let key = ssh.path("key");
    let directory = image_directory(&mut ssh);
    let ssh_options = ssh.names("sshCmdOptions");
    let scp_options = ssh.names("scpCmdOptions");
    ssh.finish();
    Some(Access::Remote(Remote {
        host: host?,
        user: user?,
        key,
        directory: directory?,
        ssh_options,
        scp_options,
    }))
}

/// The first of a list, as Shifter does, or the one that is named.
fn host(section: &mut Section) -> Option<String> {
    let names = match section.any("host") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => vec![],
    };
    if names.len() > 1 {
        section.warn("host", "only the first is copied to, as Shifter has it");
    }
    let name = names.into_iter().next();
    let is_one =
        |name: &String| !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain);
    let name = name.filter(is_one);
    if name.is_none() {
        section.fault("host", "must be a host's name, or a list of one");
    }
    name
}

/// Of plain characters only: programs on other hosts take it apart by rules of theirs.
fn image_directory(section: &mut Section) -> Option<PathBuf> {
    let path = section.path("imageDir");
    let Some(path) = path else {
        section.fault("imageDir", "is missing: the directory of the images");
        return None;
    };
    let text = path.to_str().unwrap_or("\u{fffd}");
    if !text.bytes().all(|byte| is_plain(byte) || byte == b'/') {
        section.fault(
            "imageDir",
            format!("{text:?}: must be of letters, digits, _ . - and /"),
        );
        return None;
    }
    Some(path)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}
