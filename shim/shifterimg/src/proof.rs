//! How a request proves who makes it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use munge::Munge;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::files::{own_directory, read_secret};
use crate::site::Options;

/// The credential's lifetime in seconds: a request is made at once.
const LIFETIME: u32 = 60;

/// What requests are proved with.
#[derive(Debug)]
pub enum Prover {
    /// A token of the gateway's.
    Token(String),
    /// Credentials, each for one request.
    Munge(Munge),
}

/// A request that is to be proved.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// The body; none where it is a file's content, whose digest is in the query.
    pub body: &'a [u8],
    /// Credentials for registries, by location.
    pub registries: &'a BTreeMap<String, String>,
    /// The only user who can read it, where he is known.
    pub only_for: Option<u32>,
}

impl Prover {
    /// As the user says, or has it.
    pub fn find(options: &Options) -> Result<Self> {
        let own = || own_directory().map(|directory| directory.join("token"));
        let (path, must_be) = match &options.token_file {
            Some(path) => (Ok(path.clone()), true),
            None => (own(), false),
        };
        let token = match path {
            Ok(path) => read_secret(&path)?,
            Err(error) if must_be => return Err(error),
            Err(_) => None,
        };
        match token {
            Some(token) => Ok(Self::Token(token.trim().to_owned())),
            None if must_be => anyhow::bail!("the token file isn't there"),
            None => Ok(Self::Munge(Munge::at(&options.munge_socket))),
        }
    }

    /// The header that proves a request: its name and value.
    pub fn header(&self, request: &Request<'_>) -> Result<(&'static str, String)> {
        match self {
            Self::Token(token) => Ok(("authorization", format!("Bearer {token}"))),
            Self::Munge(munge) => {
                let mut payload = json!({ "request": bound(request) });
                if !request.registries.is_empty() {
                    payload["authorized_locations"] = json!(request.registries);
                }
                let options = munge::Options {
                    lifetime: Some(LIFETIME),
                    only_for: request.only_for,
                };
                let credential = munge
                    .encode(payload.to_string().as_bytes(), options)
                    .context("prove who you are")?;
                Ok(("authentication", credential))
            }
        }
    }
}

/// What the gateway holds a request against: `docs/shifter-imagegw-openapi.json` describes it.
fn bound(request: &Request<'_>) -> String {
    let body = hex(request.body);
    let text = format!("{} {}\n{body}", request.method, request.target);
    format!("sha256:{}", hex(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}
