//! What an image in a registry is called.

use std::fmt;

use crate::blobs::Digest;

/// The longest repository name that registries take, bytes.
const LONGEST_REPOSITORY: usize = 255;
/// The longest tag, bytes.
const LONGEST_TAG: usize = 128;

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    version: Version,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// What this tag means now.
    Tag(String),
    /// This one for ever.
    Digest(Digest),
}

/// A name that isn't one. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {reason}")]
pub struct BadReference {
    /// The name.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub reason: &'static str,
}

impl Reference {
    /// `repository` at `registry`, a host with a port or without.
    ///
    /// # Errors
    /// [`BadReference`], where a part isn't as the OCI distribution specification wants it.
    pub fn new(registry: &str, repository: &str, version: Version) -> Result<Self, BadReference> {
        if !is_host(registry) {
            return Err(bad(registry, "is no registry: one is HOST or HOST:PORT"));
        }
        if repository.len() > LONGEST_REPOSITORY || !repository.split('/').all(is_component) {
            let reason =
                "is no repository: a-z, 0-9, single . _ - between them, and / between parts";
            return Err(bad(repository, reason));
        }
        if let Version::Tag(tag) = &version
            && !is_tag(tag)
        {
            return Err(bad(tag, "is no tag: up to 128 letters, digits, . _ -"));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            version,
        })
    }

    /// A name as Shifter's users write it, `[LOCATION/]REPOSITORY:TAG` or `[LOCATION/]REPOSITORY@DIGEST`: the first
    /// part is a location where `is_location` knows it, and a registry's host where it has a port; else the image is
    /// at `default`.
    ///
    /// # Errors
    /// [`BadReference`]; also where neither tag nor digest is there.
    pub fn parse(
        text: &str,
        default: &str,
        is_location: impl Fn(&str) -> bool,
    ) -> Result<Self, BadReference> {
        let (registry, rest) = match text.split_once('/') {
            Some((first, rest)) if is_location(first) => (first, rest),
            _ => (default, text),
        };
        let (repository, version) = match rest.split_once('@') {
            Some((repository, digest)) => {
                // With both, the digest decides.
                let repository = repository
                    .split_once(':')
                    .map_or(repository, |(name, _)| name);
                let digest = digest.parse().map_err(|_| {
                    bad(text, "has no digest behind the @: sha256: and 64 of 0-9a-f")
                })?;
                (repository, Version::Digest(digest))
            }
            None => match rest.split_once(':') {
                Some((repository, tag)) => (repository, Version::Tag(tag.to_owned())),
                None => return Err(bad(text, "has no tag: REPOSITORY:TAG or REPOSITORY@DIGEST")),
            },
        };
        Self::new(registry, repository, version)
    }

    /// The host, with its port if it isn't the usual one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path at that host.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Which image there.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// That one of the same repository which has this digest.
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            version: Version::Digest(digest),
            ..self.clone()
        }
    }

    /// What it has in a URL: the tag or the digest.
    pub fn version_text(&self) -> &str {
        match &self.version {
            Version::Tag(tag) => tag,
            Version::Digest(digest) => digest.as_str(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self.version {
            Version::Tag(_) => ':',
            Version::Digest(_) => '@',
        };
        let (registry, repository) = (&self.registry, &self.repository);
        write!(
            to,
            "{registry}/{repository}{separator}{}",
            self.version_text()
        )
    }
}

fn bad(text: &str, reason: &'static str) -> BadReference {
    BadReference {
        text: text.to_owned(),
        reason,
    }
}

/// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`: nothing that would mean more in a URL.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else {
                return false;
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (
                "v6",
                port.strip_prefix(':').or(port.is_empty().then_some("1")),
            )
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("1")),
        },
    };
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && !label.starts_with('-') && label.bytes().all(is_inner)
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').all(is_label)
        && port
            .is_some_and(|port| is_number(port) && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for character in part.chars() {
        if character.is_ascii() && is_plain(character as u8) {
            separator.clear();
            continue;
        }
        separator.push(character);
        let is_separator = matches!(separator.as_str(), "." | "_" | "__")
            || separator.bytes().all(|byte| byte == b'-');
        if !is_separator {
            return false;
        }
    }
    let is_plain_at = |byte: Option<&u8>| byte.is_some_and(|byte| is_plain(*byte));
    is_plain_at(part.as_bytes().first()) && is_plain_at(part.as_bytes().last())
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag
            .bytes()
            .all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, &'static str> {
        let is_location = |name: &str| ["reg.io", "reg.io:5000"].contains(&name);
        match Reference::parse(text, "reg.io", is_location) {
            Ok(found) => Ok(format!(
                "{} {} {}",
                found.registry(),
                found.repository(),
                found.version_text()
            )),
            Err(error) => Err(error.reason),
        }
    }

    #[test]
    fn names_are_split_as_shifter_splits_them_and_ports_and_digests_beside_it() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, meant) in [
            ("ubuntu:latest", "reg.io ubuntu latest"),
            ("reg.io/a/b:1", "reg.io a/b 1"),
            ("other.io/a/b:1", "reg.io other.io/a/b 1"),
            ("reg.io:5000/x:1", "reg.io:5000 x 1"),
            ("a__b/c-d.e--f:V1.2_-", "reg.io a__b/c-d.e--f V1.2_-"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(meant), "{text}");
        }
        for text in ["x", "x:1"] {
            let found = parsed(&format!("{text}@{digest}"));
            assert_eq!(found, Ok(format!("reg.io x {digest}")), "{text}");
        }
    }

    #[test]
    fn what_would_mean_something_else_in_a_url_is_refused() {
        for (text, part) in [
            ("ubuntu", "tag"),
            ("a:b:c", "tag"),
            ("other.io:5000/x:1", "tag"),
            ("a:", "tag"),
            ("a:-b", "tag"),
            ("a:b/../c", "tag"),
            ("a:b?c", "tag"),
            ("x@sha256:abc", "digest"),
            (":1", "repository"),
            ("../a:1", "repository"),
            ("a//b:1", "repository"),
            ("/a:1", "repository"),
            ("A:1", "repository"),
            ("a.:1", "repository"),
            ("a..b:1", "repository"),
            ("a___b:1", "repository"),
            ("a%2fb:1", "repository"),
            ("a b:1", "repository"),
            ("é:1", "repository"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let long = format!("{}:1", "a".repeat(256));
        parsed(&long).expect_err("too long");
    }

    #[test]
    fn registries_are_hosts() {
        let tag = || Version::Tag("1".to_owned());
        for host in [
            "a.io",
            "localhost:5000",
            "127.0.0.1:1",
            "[::1]:5000",
            "[::1]",
        ] {
            Reference::new(host, "x", tag()).expect(host);
        }
        for host in [
            "",
            "a/b",
            "a@b",
            "user:secret@a",
            "a:0",
            "a:65536",
            "a:",
            "a:+1",
            "a?b",
            "a#b",
            "[::1",
            "[x]",
            "[::1]x",
            "a b",
            "a\n",
            ".a",
            "-a",
            "a:1:2",
        ] {
            Reference::new(host, "x", tag()).expect_err(host);
        }
    }
}
