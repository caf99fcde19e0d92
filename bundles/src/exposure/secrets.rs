//! What looks like a secret: by its name, and for keys by a look at the content.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Names of files that are secrets wherever they lie, and what they are.
const NAMES: [(&str, &str); 25] = [
    (".bash_history", "a shell's history"),
    (".dockercfg", "registry credentials"),
    (".env", "settings of a service, often with passwords"),
    (".git-credentials", "git passwords"),
    (".htpasswd", "password hashes"),
    (".my.cnf", "MySQL passwords"),
    (".netrc", "passwords for network services"),
    (".npmrc", "registry tokens"),
    (".pgpass", "PostgreSQL passwords"),
    (".pypirc", "registry tokens"),
    (".vault-token", "a Vault token"),
    ("credentials", "cloud credentials"),
    ("gshadow", "group password hashes"),
    ("gshadow-", "group password hashes"),
    ("id_dsa", "an SSH private key"),
    ("id_ecdsa", "an SSH private key"),
    ("id_ed25519", "an SSH private key"),
    ("id_rsa", "an SSH private key"),
    ("krb5.keytab", "Kerberos keys"),
    ("master.key", "an encryption key"),
    ("shadow", "password hashes"),
    ("shadow-", "password hashes"),
    ("sudoers", "who may become root"),
    ("opasswd", "old password hashes"),
    ("wpa_supplicant.conf", "network passwords"),
];

/// Endings likewise.
const ENDINGS: [(&str, &str); 7] = [
    (".jks", "a Java key store"),
    (".kdbx", "a password safe"),
    (".keytab", "Kerberos keys"),
    (".ovpn", "a VPN's keys"),
    (".p12", "keys and certificates"),
    (".pfx", "keys and certificates"),
    (".ppk", "an SSH private key"),
];

/// Words in the names of files that hold settings.
const WORDS: [&str; 6] = [
    "apikey",
    "api_key",
    "credential",
    "passwd",
    "password",
    "secret",
];

/// Of which words a file is taken for a secret: a program's source or a translation is none.
const SETTINGS: [&str; 11] = [
    "",
    "cfg",
    "conf",
    "env",
    "ini",
    "json",
    "key",
    "properties",
    "toml",
    "txt",
    "yaml",
];

/// As much of a file as is looked at for a private key.
const HEAD: u64 = 16 << 10;

/// What the regular file `path` looks like, if like a secret.
pub fn looks_like_secret(path: &Path, metadata: &Metadata) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy();
    if let Some((_, what)) = NAMES.iter().find(|(known, _)| name == *known) {
        return Some(what);
    }
    let lower = name.to_lowercase();
    if let Some((_, what)) = ENDINGS.iter().find(|(ending, _)| lower.ends_with(ending)) {
        return Some(what);
    }
    if lower.starts_with("ssh_host_") && lower.ends_with("_key") {
        return Some("an SSH host key");
    }
    let is_docker = path
        .parent()
        .is_some_and(|parent| parent.ends_with(".docker"));
    if is_docker && name == "config.json" {
        return Some("registry credentials");
    }
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    let ending = ending.unwrap_or_default();
    if ["pem", "key"].contains(&&*ending) && holds_private_key(path) {
        return Some("a private key");
    }
    let is_program = metadata.mode() & 0o111 != 0;
    // The headers of C++ have no ending, and one of them is "stop_token".
    let is_header = ending.is_empty() && path.iter().any(|component| component == "include");
    let is_settings =
        SETTINGS.contains(&&*ending) && metadata.len() > 0 && !is_program && !is_header;
    let stem = lower.strip_suffix(&format!(".{ending}")).unwrap_or(&lower);
    let is_token = stem == "token" || stem.ends_with("_token") || stem.ends_with("-token");
    // "passwd" itself holds no password any more.
    let has_word =
        !["passwd", "passwd-"].contains(&&*name) && WORDS.iter().any(|word| stem.contains(word));
    (is_settings && (has_word || is_token)).then_some("by its name, a password or token")
}

fn holds_private_key(path: &Path) -> bool {
    let mut head = vec![];
    // Looked at before: a regular file. One that is put in its place now would be the administrator's own doing.
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let text = String::from_utf8_lossy(&head);
    read.is_ok() && text.contains("PRIVATE KEY-----")
}

/// Whether the name of a variable or an option says that its value is a secret.
pub fn names_a_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let parts: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    WORDS.iter().any(|word| lower.contains(word))
        || parts
            .iter()
            .any(|part| ["token", "pwd", "passphrase", "pw", "auth"].contains(part))
        || lower.ends_with("_key") && !lower.ends_with("public_key")
}
