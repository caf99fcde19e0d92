//! [`addresses`] for ureq.

use std::io::ErrorKind;
use std::net::SocketAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use crate::{PATIENCE, addresses};

/// As many as ureq takes.
const MOST: usize = 16;

/// Finds hosts by the site's name service.
#[derive(Debug)]
pub struct NameService;

/// An agent that finds hosts by the site's name service.
pub fn agent(config: Config) -> Agent {
    Agent::with_parts(config, DefaultConnector::default(), NameService)
}

impl Resolver for NameService {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            // A SOCKS proxy of whatever version.
            _ => 1080,
        };
        let port = uri.port_u16().unwrap_or(usual);
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let patience = match timeout.after.is_not_happening() {
            true => PATIENCE,
            false => *timeout.after,
        };
        let found = addresses(host, patience).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            _ => Error::Io(error),
        })?;
        let found = found.into_iter();
        let found = found.map(|address| SocketAddr::new(address, port));
        let mut result = self.empty();
        for address in config.ip_family().keep_wanted(found).take(MOST) {
            result.push(address);
        }
        match result.is_empty() {
            true => Err(Error::HostNotFound),
            false => Ok(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ureq::Timeout;
    use ureq::config::IpFamily;
    use ureq::unversioned::transport::time;

    use super::*;

    fn resolve(uri: &str, family: IpFamily, after: time::Duration) -> Result<Vec<String>, Error> {
        let config = Agent::config_builder().ip_family(family).build();
        let timeout = NextTimeout {
            after,
            reason: Timeout::Resolve,
            per_read: None,
            per_write: None,
        };
        let uri: Uri = uri.parse().unwrap();
        let found = NameService.resolve(&uri, &config, timeout)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_port_is_the_schemes_unless_the_address_says_another() {
        for (uri, meant) in [
            ("http://127.0.0.1/", "127.0.0.1:80"),
            ("https://127.0.0.1/", "127.0.0.1:443"),
            ("socks5://127.0.0.1/", "127.0.0.1:1080"),
            ("https://127.0.0.1:8000/", "127.0.0.1:8000"),
        ] {
            let found = resolve(uri, IpFamily::Any, time::Duration::NotHappening);
            assert_eq!(found.unwrap(), [meant], "{uri}");
        }
    }

    #[test]
    fn only_addresses_of_the_wanted_kind_are_tried() {
        let found = |family| {
            let found = resolve("http://localhost/", family, time::Duration::NotHappening);
            found.unwrap()
        };
        assert_eq!(found(IpFamily::Any), ["[::1]:80", "127.0.0.1:80"]);
        assert_eq!(found(IpFamily::Ipv4Only), ["127.0.0.1:80"]);
    }

    #[test]
    fn the_service_has_no_more_time_than_the_request() {
        let uri = format!("http://{}.invalid/", "a".repeat(64));
        let after = time::Duration::from(Duration::ZERO);
        let error = resolve(&uri, IpFamily::Any, after).unwrap_err();
        assert!(matches!(error, Error::Timeout(Timeout::Resolve)), "{error}");
        let error = resolve(&uri, IpFamily::Any, time::Duration::NotHappening).unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{error}");
    }
}
