//! Registries: the OCI distribution protocol, as far as pulling goes.

mod challenge;
mod http;
mod token;

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use ureq::Body;
use ureq::http::Response;

use self::challenge::Challenge;
use self::http::{Get, Http, failed};
use super::credentials::Credentials;
use super::error::{PullError, malformed, too_much};
use super::manifest::{ACCEPT, Descriptor, MOST_MANIFEST};
use super::origin::Origin;
use super::reference::Reference;
use super::settings::Settings;
use crate::blobs::Digest;

/// How often one that is in trouble is asked.
const ATTEMPTS: u32 = 4;
const A_WHILE: Duration = Duration::from_millis(500);

/// An image in a registry, or in one of its mirrors.
pub(super) struct InRegistry<'a> {
    reference: &'a Reference,
    /// Mirrors first, the registry itself last.
    endpoints: Vec<Endpoint<'a>>,
    /// Which of them has shown the manifest.
    at: Cell<usize>,
}

/// An address where the image may be.
struct Endpoint<'a> {
    /// `https://HOST[:PORT][/PREFIX]`.
    url: String,
    repository: String,
    http: Http,
    credentials: &'a Credentials,
    /// How it wanted to be asked at first: some say so once.
    challenge: RefCell<Option<Challenge>>,
    shown: RefCell<Shown>,
    has_worked: Cell<bool>,
}

/// What it has been shown of us.
#[derive(Debug, Clone)]
enum Shown {
    Nothing,
    /// A token that anybody gets.
    Anonymous(String),
    /// What our credentials have got.
    Ours(String),
}

impl<'a> InRegistry<'a> {
    pub(super) fn new(
        settings: &Settings,
        reference: &'a Reference,
        credentials: &'a Credentials,
    ) -> Self {
        let name = reference.registry();
        let known = settings.registries.get(name);
        let url = known.map_or_else(|| default_url(name), |known| known.url.clone());
        let authorities = known.and_then(|known| known.authorities.clone());
        let mirrors = known.map_or(&[][..], |known| &known.mirrors);
        let endpoint = |url: &str, authorities, credentials| Endpoint {
            url: url.trim_end_matches('/').to_owned(),
            repository: repository_at(url, reference.repository()),
            http: Http::new(url, authorities, settings.proxies.clone()),
            credentials,
            challenge: RefCell::new(None),
            shown: RefCell::new(Shown::Nothing),
            has_worked: Cell::new(false),
        };
        // What a mirror vouches for by its certificate, the registry's own authorities may vouch for, too.
        let mut endpoints: Vec<_> = mirrors
            .iter()
            .map(|mirror| endpoint(mirror, authorities.clone(), &Credentials::Anonymous))
            .collect();
        endpoints.push(endpoint(&url, authorities, credentials));
        Self {
            reference,
            endpoints,
            at: Cell::new(0),
        }
    }

    /// `HOST[:PORT]/REPOSITORY`, as signatures have it: of the registry itself, whatever a site calls it.
    pub(super) fn canonical(&self) -> String {
        let own = self.endpoints.last();
        let (url, repository) = own.map_or(("", ""), |own| (&*own.url, &*own.repository));
        let host = url.split_once("://").map_or(url, |(_, host)| host);
        let is_hub = host.ends_with(&format!(".{HUB}"));
        format!("{}/{repository}", if is_hub { HUB } else { host })
    }

    /// The tag or digest that was asked for.
    pub(super) fn version(&self) -> &str {
        self.reference.version_text()
    }

    /// Another manifest of the same repository, by a tag; none where there is none.
    ///
    /// # Errors
    /// [`PullError`].
    pub(super) fn tagged(&self, tag: &str) -> Result<Option<Vec<u8>>, PullError> {
        match self.first(|endpoint| endpoint.manifest(tag, self.reference)) {
            Ok((_, (content, _))) => Ok(Some(content)),
            Err(PullError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first answer of the endpoints, from the one on that has shown the manifest, and its number; the last one's
    /// error counts.
    fn first<'s, T>(
        &'s self,
        ask: impl Fn(&'s Endpoint<'a>) -> Result<T, PullError>,
    ) -> Result<(usize, T), PullError> {
        let mut outcome = Err(PullError::NotFound {
            image: self.reference.to_string(),
        });
        for (number, endpoint) in self.endpoints.iter().enumerate().skip(self.at.get()) {
            outcome = ask(endpoint).map(|answer| (number, answer));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Origin for InRegistry<'_> {
    fn top(&self) -> Result<(Vec<u8>, Option<String>), PullError> {
        let version = self.version();
        let (number, found) = self.first(|endpoint| endpoint.manifest(version, self.reference))?;
        self.at.set(number);
        Ok(found)
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, PullError> {
        let digest = descriptor.digest.as_str();
        let found = self.first(|endpoint| endpoint.manifest(digest, self.reference));
        found.map(|(_, (content, _))| content)
    }

    fn blob(&self, descriptor: &Descriptor, from: u64) -> Result<Box<dyn Read + '_>, PullError> {
        // A mirror needn't have all blobs.
        let digest = &descriptor.digest;
        let found = self.first(|endpoint| endpoint.blob(digest, from, self.reference));
        found.map(|(_, reader)| reader)
    }

    fn registry(&self) -> Option<&str> {
        self.endpoints.last().map(|own| &*own.url)
    }

    fn shows(&self, digest: &Digest) -> bool {
        self.first(|endpoint| endpoint.shows(digest, self.reference))
            .is_ok()
    }

    fn is_private(&self) -> bool {
        let shown = self
            .endpoints
            .get(self.at.get())
            .map(|endpoint| endpoint.shown.borrow());
        shown.is_some_and(|shown| matches!(*shown, Shown::Ours(_)))
    }
}

impl Endpoint<'_> {
    fn manifest(
        &self,
        version: &str,
        reference: &Reference,
    ) -> Result<(Vec<u8>, Option<String>), PullError> {
        let url = format!("{}/v2/{}/manifests/{version}", self.url, self.repository);
        let get = Get {
            url: &url,
            accept: Some(ACCEPT),
            ..Get::default()
        };
        let mut response = self.get(get, reference)?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (media_type, digest) = (header("content-type"), header("docker-content-digest"));
        let body = response
            .body_mut()
            .with_config()
            .limit(MOST_MANIFEST)
            .read_to_vec();
        let content = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                too_much(&reference.to_string(), MOST_MANIFEST, "bytes of manifest")
            }
            error => failed(&url, &error.to_string()),
        })?;
        let found = Digest::of(&content);
        let is_told = digest.filter(|told| told.starts_with("sha256:"));
        if let Some(told) = is_told
            && told != found.as_str()
        {
            return Err(malformed(
                &url,
                &format!("it is said to be {told}, and is {found}"),
            ));
        }
        Ok((content, media_type))
    }

    fn blob(
        &self,
        digest: &Digest,
        from: u64,
        reference: &Reference,
    ) -> Result<Box<dyn Read + '_>, PullError> {
        let url = self.blob_url(digest);
        let get = Get {
            url: &url,
            from,
            ..Get::default()
        };
        let response = self.get(get, reference)?;
        let is_part = response.status().as_u16() == 206;
        // Its size is bounded by who reads it: by what the manifest says.
        let body = response.into_body().into_with_config().limit(u64::MAX);
        let mut reader = body.reader();
        if from > 0 && !is_part {
            let skipped = io::copy(&mut (&mut reader).take(from), &mut io::sink());
            skipped.map_err(|error| failed(&url, &error.to_string()))?;
        }
        Ok(Box::new(reader))
    }

    fn shows(&self, digest: &Digest, reference: &Reference) -> Result<(), PullError> {
        let url = self.blob_url(digest);
        let get = Get {
            url: &url,
            is_head: true,
            ..Get::default()
        };
        self.get(get, reference).map(drop)
    }

    fn blob_url(&self, digest: &Digest) -> String {
        format!("{}/v2/{}/blobs/{digest}", self.url, self.repository)
    }

    /// Asks, showing what is wanted and no more.
    fn get(&self, get: Get<'_>, reference: &Reference) -> Result<Response<Body>, PullError> {
        let url = get.url;
        let mut is_renewed = false;
        let mut attempt = 1;
        loop {
            let shown = self.shown.borrow().clone();
            let authorization = match &shown {
                Shown::Nothing => None,
                Shown::Anonymous(header) | Shown::Ours(header) => Some(header.as_str()),
            };
            let response = self.http.get(Get {
                authorization,
                ..get
            })?;
            match response.status().as_u16() {
                200 | 206 => {
                    self.has_worked.set(true);
                    return Ok(response);
                }
                401 | 403 | 404 => {
                    // A token may have run out that was good.
                    let may_renew = self.has_worked.get() && !is_renewed;
                    is_renewed |= may_renew;
                    let next = self.next(&response, &shown, may_renew)?;
                    let Some(next) = next else {
                        return Err(refusal(response.status().as_u16(), url, reference));
                    };
                    self.shown.replace(next);
                }
                429 | 500..=599 if attempt < ATTEMPTS => {
                    thread::sleep(A_WHILE * attempt);
                    attempt += 1;
                }
                other => return Err(failed(url, &format!("it answers {other}"))),
            }
        }
    }

    /// What to show after a refusal; none where nothing is left.
    fn next(
        &self,
        response: &Response<Body>,
        shown: &Shown,
        may_renew: bool,
    ) -> Result<Option<Shown>, PullError> {
        let headers = response.headers().get_all("www-authenticate");
        let challenge = Challenge::parse(headers.iter().filter_map(|value| value.to_str().ok()));
        if challenge.is_some() {
            self.challenge.replace(challenge);
        }
        let challenge = self.challenge.borrow();
        let Some(challenge) = challenge.as_ref() else {
            return Ok(None);
        };
        let is_plain = self.url.starts_with("http://");
        let authorization = |credentials| {
            token::authorization(
                &self.http,
                challenge,
                credentials,
                &self.repository,
                is_plain,
            )
        };
        let has_credentials = !matches!(self.credentials, Credentials::Anonymous);
        if let Shown::Nothing = shown
            && let Some(header) = authorization(&Credentials::Anonymous)?
        {
            return Ok(Some(Shown::Anonymous(header)));
        }
        match shown {
            Shown::Anonymous(_) if may_renew => {
                Ok(authorization(&Credentials::Anonymous)?.map(Shown::Anonymous))
            }
            Shown::Nothing | Shown::Anonymous(_) if has_credentials => {
                Ok(authorization(self.credentials)?.map(Shown::Ours))
            }
            Shown::Ours(_) if may_renew => Ok(authorization(self.credentials)?.map(Shown::Ours)),
            _ => Ok(None),
        }
    }
}

fn refusal(status: u16, url: &str, reference: &Reference) -> PullError {
    let image = reference.to_string();
    match status {
        404 => PullError::NotFound { image },
        _ => {
            let by = url.split("/v2/").next().unwrap_or_default().to_owned();
            PullError::Denied { image, by }
        }
    }
}

const HUB: &str = "docker.io";

fn default_url(host: &str) -> String {
    match host {
        // Its registry has another name than its images.
        HUB => format!("https://registry-1.{HUB}"),
        host => format!("https://{host}"),
    }
}

/// Docker's own registry has images of one part in a directory, whose name nobody writes.
fn repository_at(url: &str, repository: &str) -> String {
    let host = url.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let is_hub = host == HUB || host.ends_with(&format!(".{HUB}"));
    match is_hub && !repository.contains('/') {
        true => format!("library/{repository}"),
        false => repository.to_owned(),
    }
}
