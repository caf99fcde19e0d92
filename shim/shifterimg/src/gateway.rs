//! Asking gateways: one of the site's after the other, in an order made by chance, until one answers well.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

use crate::certificate::why_not;
use crate::proof::{self, Prover};
use crate::site::{Options, Site};

/// No answer is nearly as long.
const MAX_ANSWER: u64 = 256 << 20;

/// A connection that isn't there by then is none.
const CONNECT: Duration = Duration::from_secs(10);

/// The site's gateways.
#[derive(Debug)]
pub struct Gateways {
    addresses: Vec<String>,
    agent: Agent,
    prover: Prover,
    verbose: bool,
    registries: BTreeMap<String, String>,
}

/// A gateway's answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
    /// The address of the gateway that answered.
    pub gateway: String,
}

impl Answer {
    /// Why it says no.
    pub fn refusal(&self) -> String {
        let told = self.body["error"].as_str();
        match told {
            Some(told) => told.to_owned(),
            None => format!("status {}", self.status),
        }
    }

    /// Itself, if it is a good one.
    pub fn good(self) -> Result<Self> {
        match self.is_good() {
            true => Ok(self),
            false => bail!("the gateway says: {}", self.refusal()),
        }
    }

    fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Gateways {
    /// Those of the site, in an order made by chance.
    pub fn of(site: &Site, options: &Options) -> Result<Self> {
        let mut addresses = site.gateways.clone();
        shuffle(&mut addresses);
        Ok(Self {
            addresses,
            agent: agent(site, options)?,
            prover: Prover::find(options)?,
            verbose: options.verbose,
            registries: BTreeMap::new(),
        })
    }

    /// What requests are proved with.
    pub fn prover(&self) -> &Prover {
        &self.prover
    }

    /// Sends credentials for registries along from now on.
    pub fn with_registries(mut self, registries: BTreeMap<String, String>) -> Self {
        self.registries = registries;
        self
    }

    /// Asks, and wants a good answer.
    pub fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value> {
        Ok(self.try_ask(method, target, body)?.good()?.body)
    }

    /// Asks one after the other until one answers well; else what the last said that answered.
    pub fn try_ask(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.each(|address| {
            let request = self.request(address, method, target, body.as_bytes())?;
            let request = request.header("content-type", "application/json");
            let sent = match body.is_empty() {
                true => self.agent.run(request.body(())?),
                false => self.agent.run(request.body(body.as_bytes())?),
            };
            read(sent.map_err(told)?)
        })
    }

    /// Sends a file, whose digest is in `target`.
    pub fn send(&self, target: &str, file: &File) -> Result<Value> {
        let length = file.metadata()?.len();
        let answer = self.each(|address| {
            let mut file = file;
            std::io::Seek::rewind(&mut file)?;
            let request = self.request(address, "POST", target, b"")?;
            let request = request
                .header("content-type", "application/octet-stream")
                .header("content-length", length.to_string());
            let sent = self
                .agent
                .run(request.body(SendBody::from_reader(&mut file))?);
            read(sent.map_err(told)?)
        })?;
        Ok(answer.good()?.body)
    }

    fn each(&self, mut ask: impl FnMut(&str) -> Result<Answer>) -> Result<Answer> {
        let mut last: Option<Result<Answer>> = None;
        for address in &self.addresses {
            let mut outcome = ask(address).with_context(|| format!("ask {address}"));
            if let Ok(answer) = &mut outcome {
                answer.gateway.clone_from(address);
            }
            if self.verbose {
                match &outcome {
                    Ok(answer) => eprintln!("shifterimg: {address}: status {}", answer.status),
                    Err(error) => eprintln!("shifterimg: {error:#}"),
                }
            }
            match (&outcome, &last) {
                (Ok(answer), _) if answer.is_good() => return outcome,
                // What a gateway said tells more than that another isn't there.
                (Err(_), Some(Ok(_))) => {}
                _ => last = Some(outcome),
            }
        }
        last.unwrap_or_else(|| Err(anyhow!("there is no gateway to ask")))
    }

    fn request(
        &self,
        address: &str,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<ureq::http::request::Builder> {
        let url = format!("{}{target}", address.trim_end_matches('/'));
        let (name, value) = self.prover.header(&proof::Request {
            method,
            target,
            body,
            registries: &self.registries,
            only_for: self.reader(address),
        })?;
        Ok(Request::builder()
            .method(method)
            .uri(url)
            .header(name, value))
    }

    /// The gateway's own user, who alone shall be able to read a credential. Only one that is sure to be the gateway is
    /// believed, and only ours tells.
    fn reader(&self, address: &str) -> Option<u32> {
        let is_sure = address.starts_with("https://") && matches!(self.prover, Prover::Munge(_));
        if !is_sure {
            return None;
        }
        let url = format!("{}/v2/status", address.trim_end_matches('/'));
        let answer = read(self.agent.get(url).call().ok()?).ok()?;
        answer.body["uid"].as_u64()?.try_into().ok()
    }
}

/// What is to be put right is said in its own words.
fn told(error: ureq::Error) -> anyhow::Error {
    match why_not(&error) {
        Some(why) => anyhow!(why),
        None => error.into(),
    }
}

fn agent(site: &Site, options: &Options) -> Result<Agent> {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(authorities(options)?)))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_global(site.timeout.map(Duration::from_secs))
        // A gateway is the site's own.
        .proxy(None)
        .build();
    Ok(host_names::agent(config))
}

/// The system's, and those that the user or the site adds.
fn authorities(options: &Options) -> Result<Vec<Certificate<'static>>> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut all: Vec<Certificate<'static>> = system
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    let beside = options.config.with_file_name("gateway.pem");
    let path = match &options.authority {
        Some(path) => path.clone(),
        None if beside.exists() => beside,
        None => return Ok(all),
    };
    let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let before = all.len();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) =
            item.with_context(|| format!("read {}", path.display()))?
        {
            all.push(certificate);
        }
    }
    match all.len() > before {
        true => Ok(all),
        false => bail!("{}: no certificate in it", path.display()),
    }
}

fn read(mut response: Response<Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    let mut text = vec![];
    response
        .body_mut()
        .as_reader()
        .take(MAX_ANSWER)
        .read_to_end(&mut text)?;
    let body = match text.trim_ascii() {
        [] => Value::Null,
        text => serde_json::from_slice(text).unwrap_or(Value::Null),
    };
    Ok(Answer {
        status,
        body,
        gateway: String::new(),
    })
}

fn shuffle(list: &mut [String]) {
    let random = SystemRandom::new();
    for last in (1..list.len()).rev() {
        let mut bytes = [0; 8];
        // Without random bytes the order is the file's.
        if random.fill(&mut bytes).is_err() {
            return;
        }
        let chosen = u64::from_ne_bytes(bytes) % (last as u64 + 1);
        list.swap(last, usize::try_from(chosen).unwrap_or(0));
    }
}
