//! What a site says about pulling.

use std::collections::BTreeMap;
use std::path::PathBuf;

use image_files::convert::WriteOptions;

use crate::layers::Bounds;
use crate::signature::Policy;

/// What a site says about pulling.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where blobs of registries are kept for the next pull. This user's.
    pub cache: PathBuf,
    /// Where images are unpacked. This user's.
    pub expand: PathBuf,
    /// Registries, by what references call them; others are asked by https at the host that the reference names.
    pub registries: BTreeMap<String, Registry>,
    /// How registries are reached.
    pub proxies: Proxies,
    /// Whose signatures images need; nobody's where there is none.
    pub policy: Option<Policy>,
    /// How image files are written.
    pub written: WriteOptions,
    /// What an image may hold, unpacked.
    pub bounds: Bounds,
    /// What all blobs of an image may hold together, as registries have them; bytes.
    pub most_bytes: u64,
    /// What is kept of blobs and layers for later pulls; bytes.
    pub most_cached: u64,
}

impl Settings {
    /// The usual limits, none for what is kept, proxies of the environment, no policy, and no registry that is special.
    pub fn new(cache: PathBuf, expand: PathBuf) -> Self {
        Self {
            cache,
            expand,
            registries: BTreeMap::new(),
            proxies: Proxies::of_environment(),
            policy: None,
            written: WriteOptions::default(),
            bounds: Bounds::default(),
            most_bytes: 32 << 30,
            most_cached: u64::MAX,
        }
    }
}

/// How a registry is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// `https://HOST[:PORT][/PREFIX]`, or `http:` for one that shall be asked in plain text.
    pub url: String,
    /// Certificates of the authorities that it is believed by, PEM; the system's where there is none.
    pub authorities: Option<PathBuf>,
    /// Addresses of others that have what it has. They are asked first, in this order and without credentials, and what
    /// they say a tag means is believed.
    pub mirrors: Vec<String>,
}

/// HTTP proxies, by the rules of the environment's variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For plain HTTP, as `http://proxy.example:3128`.
    pub http: Option<String>,
    /// For HTTPS.
    pub https: Option<String>,
    /// For which hosts there is none: names with all that end in them, addresses, IPv4 networks (`10.0.0.0/8`), or `*`;
    /// with a port, only for that one.
    pub none_for: Vec<String>,
}

impl Proxies {
    /// What `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` say, in small or capital letters.
    pub fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| {
            variable(name)
                .or_else(|| variable(&name.to_ascii_uppercase()))
                .filter(|value| !value.is_empty())
        };
        let none_for = variable("no_proxy").unwrap_or_default();
        let none_for = none_for.split(',').map(|entry| entry.trim().to_owned());
        Self {
            http: variable("http_proxy").or_else(|| variable("all_proxy")),
            https: variable("https_proxy").or_else(|| variable("all_proxy")),
            none_for: none_for.filter(|entry| !entry.is_empty()).collect(),
        }
    }

    /// The one for a host.
    pub fn for_host(&self, is_https: bool, host: &str, port: u16) -> Option<&str> {
        let host = host.trim_matches(['[', ']']);
        let is_excepted = |entry: &String| excepts(entry, host, port);
        match self.none_for.iter().any(is_excepted) {
            true => None,
            false if is_https => self.https.as_deref(),
            false => self.http.as_deref(),
        }
    }
}

fn excepts(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let entry = match entry.rsplit_once(':') {
        Some((name, number)) if !name.contains(':') => match number.parse::<u16>() {
            Ok(number) if port == number => name,
            _ => return false,
        },
        _ => entry,
    };
    if let Some((network, bits)) = entry.split_once('/') {
        return is_in_network(host, network, bits);
    }
    let (entry, host) = (entry.trim_start_matches('.'), host.trim_end_matches('.'));
    let is_name_below = host
        .len()
        .checked_sub(entry.len())
        .and_then(|length| host.split_at_checked(length))
        .is_some_and(|(above, end)| {
            end.eq_ignore_ascii_case(entry) && (above.is_empty() || above.ends_with('.'))
        });
    !entry.is_empty() && is_name_below
}

fn is_in_network(host: &str, network: &str, bits: &str) -> bool {
    let number = |text: &str| text.parse::<std::net::Ipv4Addr>().map(u32::from).ok();
    let (Some(host), Some(network), Ok(bits)) = (number(host), number(network), bits.parse())
    else {
        return false;
    };
    let shift = 32_u32.checked_sub(bits);
    shift.is_some_and(|shift| host.checked_shr(shift) == network.checked_shr(shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_others_read_it() {
        let found = Proxies::of(|name| match name {
            "http_proxy" => Some("http://small".to_owned()),
            "HTTP_PROXY" => Some("http://large".to_owned()),
            "ALL_PROXY" => Some("http://all".to_owned()),
            "no_proxy" => Some(" a, ,b ".to_owned()),
            _ => None,
        });
        assert_eq!(found.http.as_deref(), Some("http://small"));
        assert_eq!(found.https.as_deref(), Some("http://all"));
        assert_eq!(found.none_for, ["a", "b"]);
        assert_eq!(Proxies::of(|_| Some(String::new())), Proxies::default());
    }

    #[test]
    fn hosts_are_excepted_by_the_end_of_their_names() {
        let proxies = Proxies {
            http: Some("plain".to_owned()),
            https: Some("tls".to_owned()),
            none_for: [
                "blah.com",
                "blah2.com",
                ".dot.org",
                "10.0.0.0/8",
                "192.168.1.1",
                "port.net:5000",
                "[::1]",
                "::1",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        for (host, port, is_proxied) in [
            ("proxy.blah3.com", 443, true),
            ("proxy.blah.com", 443, false),
            ("blah.com", 443, false),
            ("BLAH.COM.", 443, false),
            ("notblah.com", 443, true),
            ("a.b.blah2.com", 443, false),
            ("dot.org", 443, false),
            ("a.dot.org", 443, false),
            ("10.1.2.3", 443, false),
            ("11.1.2.3", 443, true),
            ("192.168.1.1", 443, false),
            ("192.168.1.11", 443, true),
            ("port.net", 5000, false),
            ("port.net", 443, true),
            ("[::1]", 443, false),
            ("[::2]", 443, true),
        ] {
            let found = proxies.for_host(true, host, port);
            assert_eq!(found, is_proxied.then_some("tls"), "{host}:{port}");
        }
        assert_eq!(proxies.for_host(false, "x", 80), Some("plain"));
        let none = Proxies {
            none_for: vec!["*".to_owned()],
            ..proxies
        };
        assert_eq!(none.for_host(true, "proxy.blah3.com", 443), None);
    }
}
