//! HTTP as registries are asked: without surprises. Redirects are followed by us, one by one, since each may need
//! another proxy, and mustn't see what was for another host or come down to plain text.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::super::error::PullError;
use super::super::settings::Proxies;

const MOST_REDIRECTS: usize = 5;
/// How long a server may take to be found and to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client for one registry's sake.
#[derive(Debug)]
pub(super) struct Http {
    proxies: Proxies,
    /// The registry's own host and port, and who vouches for it; others are vouched for by whom the system believes.
    own: (String, Option<PathBuf>),
    /// By whether it is for the registry itself, and the proxy.
    agents: RefCell<HashMap<(bool, Option<String>), Agent>>,
}

/// A request: a GET, or what one would be told first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Get<'a> {
    pub(super) url: &'a str,
    pub(super) accept: Option<&'a str>,
    pub(super) authorization: Option<&'a str>,
    /// From which byte on.
    pub(super) from: u64,
    /// Nothing but what the answer begins with is wanted: a HEAD.
    pub(super) is_head: bool,
}

impl Http {
    pub(super) fn new(url: &str, authorities: Option<PathBuf>, proxies: Proxies) -> Self {
        let authority = url.parse::<Uri>().ok().map(|uri| authority(&uri));
        Self {
            proxies,
            own: (authority.unwrap_or_default(), authorities),
            agents: RefCell::default(),
        }
    }

    /// Asks, and follows where the answer is elsewhere.
    ///
    /// # Errors
    /// [`PullError::Registry`] where no answer comes; any status is one.
    pub(super) fn get(&self, get: Get<'_>) -> Result<Response<Body>, PullError> {
        let mut url = get.url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let uri = parsed(&url)?;
            let is_same = parsed(get.url).is_ok_and(|first| origin(&first) == origin(&uri));
            let response = self.ask(&uri, &get, is_same)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            url = location(&uri, response.headers())?;
        }
        Err(failed(get.url, "it redirects too often"))
    }

    fn ask(&self, uri: &Uri, get: &Get<'_>, is_same: bool) -> Result<Response<Body>, PullError> {
        let url = uri.to_string();
        let agent = self.agent(uri)?;
        let mut request = match get.is_head {
            true => agent.head(&url),
            false => agent.get(&url),
        };
        if let Some(accept) = get.accept {
            request = request.header("accept", accept);
        }
        if let Some(authorization) = get.authorization
            && is_same
        {
            request = request.header("authorization", authorization);
        }
        if get.from > 0 {
            request = request.header("range", format!("bytes={}-", get.from));
        }
        request
            .call()
            .map_err(|error| failed(&url, &error.to_string()))
    }

    fn agent(&self, uri: &Uri) -> Result<Agent, PullError> {
        let is_https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let proxy = self.proxies.for_host(is_https, host, port(uri));
        let is_own = authority(uri) == self.own.0;
        let key = (is_own, proxy.map(str::to_owned));
        if let Some(agent) = self.agents.borrow().get(&key) {
            return Ok(agent.clone());
        }
        let proxy = match proxy {
            None => None,
            Some(address) => {
                let refused = |_| {
                    failed(
                        &uri.to_string(),
                        &format!("{address:?} is no proxy's address"),
                    )
                };
                Some(Proxy::new(address).map_err(refused)?)
            }
        };
        let agent = host_names::agent(self.configuration(is_own, proxy)?);
        self.agents.borrow_mut().insert(key, agent.clone());
        Ok(agent)
    }

    fn configuration(&self, is_own: bool, proxy: Option<Proxy>) -> Result<Config, PullError> {
        let roots = match &self.own.1 {
            Some(path) if is_own => authorities(path)?,
            _ => RootCerts::from(system_authorities()),
        };
        let tls = TlsConfig::builder().root_certs(roots).build();
        let builder = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("shifter-imagegw/", env!("CARGO_PKG_VERSION")));
        Ok(builder.build())
    }
}

fn authorities(path: &PathBuf) -> Result<RootCerts, PullError> {
    let text = fs::read(path).map_err(PullError::io("read", path))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(PullError::Malformed {
            what: path.display().to_string(),
            reason: "there is no certificate in it; it has to be PEM".to_owned(),
        });
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn system_authorities() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    let certificates = found.certs.iter();
    certificates
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

fn parsed(url: &str) -> Result<Uri, PullError> {
    let refused = || failed(url, "it is no address of a registry's");
    let uri: Uri = url.parse().map_err(|_| refused())?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some() => Ok(uri),
        _ => Err(refused()),
    }
}

fn port(uri: &Uri) -> u16 {
    let usual = match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    };
    uri.port_u16().unwrap_or(usual)
}

fn authority(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    format!("{host}:{}", port(uri))
}

/// Scheme, host and port: what was for one is for no other.
fn origin(uri: &Uri) -> (Option<&str>, String) {
    (uri.scheme_str(), authority(uri))
}

/// Where a redirect leads.
fn location(from: &Uri, headers: &HeaderMap) -> Result<String, PullError> {
    let refused = |reason: &str| Err(failed(&from.to_string(), reason));
    let Some(to) = headers.get("location").and_then(|to| to.to_str().ok()) else {
        return refused("it redirects to nowhere");
    };
    let scheme = from.scheme_str().unwrap_or_default();
    let to = match (to.starts_with("//"), to.starts_with('/')) {
        (true, _) => format!("{scheme}:{to}"),
        (_, true) => {
            let authority = from.authority().map(ToString::to_string);
            format!("{scheme}://{}{to}", authority.unwrap_or_default())
        }
        _ => to.to_owned(),
    };
    match (scheme, parsed(&to)?.scheme_str()) {
        ("https", Some("http")) => refused("it redirects to plain text"),
        _ => Ok(to),
    }
}

pub(super) fn failed(url: &str, reason: &str) -> PullError {
    // Signed addresses of stores have secrets behind the question mark.
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    PullError::Registry {
        operation: "get",
        url: url.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_on_but_not_down_to_plain_text() {
        let from = "https://a.io:5000/v2/x?y=z".parse().unwrap();
        let to = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("location", value.parse().unwrap());
            location(&from, &headers).map_err(|error| error.to_string())
        };
        for (value, meant) in [
            ("https://b.io/blob?sig=1", "https://b.io/blob?sig=1"),
            ("/blob", "https://a.io:5000/blob"),
            ("//c.io/blob", "https://c.io/blob"),
        ] {
            assert_eq!(to(value).as_deref(), Ok(meant));
        }
        for value in [
            "http://b.io/blob",
            "file:///etc/passwd",
            "ftp://b.io/x",
            "blob",
            "https://",
        ] {
            to(value).expect_err(value);
        }
        assert!(location(&from, &HeaderMap::new()).is_err());
        assert!(
            !failed("https://a/b?secret", "x")
                .to_string()
                .contains("secret")
        );
    }
}
