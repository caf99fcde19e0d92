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
