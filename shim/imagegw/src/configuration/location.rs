//! Registries.

use std::path::PathBuf;

use super::section::Section;

/// A registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Its address, as `https://registry.example`.
    pub url: String,
    /// Certificates of authorities that it is believed by, PEM; the system's where there is none.
    pub authorities: Option<PathBuf>,
    /// Registries that are asked first, in this order.
    pub mirrors: Vec<Mirror>,
}

/// The address of a registry that has what another has.
pub type Mirror = String;

impl Location {
    pub(super) fn read(name: &str, mut section: Section) -> Option<Self> {
        if name.is_empty() || name.contains('/') {
            section.fault("", format!("{name:?} can't be the beginning of a tag"));
        }
        section.dead("authentication", "Shifter ignores it too");
        section.word("remotetype", &["dockerv2"]);
        // Registries say themselves which of them they want.
        section.word("authMethod", &["token", "basic"]);
        let url = address(&mut section, name);
        let authorities = section.path("sslcacert");
        let mirrors = section.names("mirrors");
        for mirror in &mirrors {
            if !is_address(mirror) {
                section.fault("mirrors", wrong_address(mirror));
            }
        }
        section.finish();
        Some(Self {
            url: url?,
            authorities,
            mirrors,
        })
    }
}

/// Shifter takes a host's name alone, and the location's own name where there is none.
fn address(section: &mut Section, name: &str) -> Option<String> {
    let key = "url";
    let url = section.text(key).unwrap_or_else(|| name.to_owned());
    let url = match url.contains("://") {
        true => url,
        false => format!("https://{url}"),
    };
    if !is_address(&url) {
        section.fault(key, wrong_address(&url));
        return None;
    }
    if url.starts_with("http://") && !is_loopback(&url) {
        section.warn(
            key,
            "is in plain text: whoever is on the way can exchange images, and read credentials",
        );
    }
    Some(url.trim_end_matches('/').to_owned())
}

fn is_address(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"".contains(&byte))
    })
}

fn wrong_address(url: &str) -> String {
    format!("{url:?} isn't an address, as https://registry.example:5000")
}

fn is_loopback(url: &str) -> bool {
    let host = url.trim_start_matches("http://");
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|own| host.starts_with(own))
}
