//! What the C library and others look for, and do without.

use std::path::Path;

/// A path, or all below it, and what it is.
const OPTIONAL: &[(&str, &str)] = &[
    ("/etc/gai.conf", "the order of network addresses"),
    ("/etc/host.conf", "how host names are looked up"),
    ("/etc/hosts", "names of hosts"),
    (
        "/etc/ld.so.cache",
        "the dynamic loader's index: it finds libraries in their usual places without",
    ),
    (
        "/etc/ld.so.preload",
        "libraries for every program of the host",
    ),
    ("/etc/locale.alias", "other names of languages"),
    (
        "/etc/localtime",
        "the host's time zone: without it, times are UTC",
    ),
    (
        "/etc/nsswitch.conf",
        "where names of users and hosts are looked up",
    ),
    (
        "/etc/passwd",
        "the host's users: inside there is one, without a name",
    ),
    ("/etc/group", "the host's groups"),
    (
        "/etc/resolv.conf",
        "name servers, for a network that isn't there",
    ),
    ("/etc/os-release", "what the distribution is called"),
    ("/usr/lib/os-release", "what the distribution is called"),
    ("/etc/ssl/openssl.cnf", "OpenSSL's settings: it has its own"),
    (
        "/usr/lib/locale",
        "languages: messages are English without, and text is UTF-8 anyway",
    ),
    ("/usr/share/locale", "translated messages"),
    ("/usr/share/locale-langpack", "translated messages"),
    ("/usr/share/zoneinfo", "time zones"),
];

/// What `path` is, where a command looks for it and does without.
pub fn optional(path: &Path) -> Option<&'static str> {
    if path.ends_with("gconv/gconv-modules.cache") {
        return Some("how texts in other character sets are read: UTF-8 needs none of it");
    }
    let found = OPTIONAL.iter().find(|(known, _)| path.starts_with(known));
    found.map(|(_, what)| *what)
}
