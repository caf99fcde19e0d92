//! What comes with a munge credential: nothing, or credentials for registries, and the request that it is for.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::pull::{Credentials, Secret};

/// A payload that isn't one.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not the JSON that it should be.
    #[error(
        "the credential's payload isn't {{\"authorized_locations\": {{LOCATION: \"USER:PASSWORD\"}}}}"
    )]
    Malformed,
    /// It was made for something else.
    #[error("the credential is for another request")]
    Unbound,
    /// It doesn't say what it was made for, and has to.
    #[error("the credential doesn't say which request it is for, and this gateway wants it to")]
    Unsaid,
}

/// What came with a credential.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pub registries: BTreeMap<String, Credentials>,
    request: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    authorized_locations: BTreeMap<String, String>,
    request: Option<String>,
}

/// What a credential of our own client names its request by: the method, the path with its query, and the body.
pub fn bound(method: &str, target: &str, body: &[u8]) -> String {
    let hex = |bytes: &[u8]| -> String {
        let digest = digest(&SHA256, bytes);
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let text = format!("{method} {target}\n{}", hex(body));
    format!("sha256:{}", hex(text.as_bytes()))
}

pub(super) fn parse(payload: &[u8]) -> Result<Payload, PayloadError> {
    // Shifter's gateway takes no notice of a payload that it doesn't know, and its own imagecli.py sends one: "test".
    if !payload.trim_ascii().starts_with(b"{") {
        return Ok(Payload::default());
    }
    // Shifter's own client pads with nothing, others with the byte that ends a C string.
    let payload = payload.strip_suffix(b"\0").unwrap_or(payload);
    let text: Text = serde_json::from_slice(payload).map_err(|_| PayloadError::Malformed)?;
    let mut registries = BTreeMap::new();
    for (location, pair) in text.authorized_locations {
        let (user, password) = pair.split_once(':').ok_or(PayloadError::Malformed)?;
        let credentials = Credentials::Password {
            user: user.to_owned(),
            password: Secret::new(password),
        };
        registries.insert(location, credentials);
    }
    Ok(Payload {
        registries,
        request: text.request,
    })
}

impl Payload {
    /// Refuses what was made for another request than that with this [`bound`].
    pub(super) fn is_for(&self, bound: &str, must_say: bool) -> Result<(), PayloadError> {
        match &self.request {
            Some(request) if request == bound => Ok(()),
            Some(_) => Err(PayloadError::Unbound),
            None if must_say => Err(PayloadError::Unsaid),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_empty_or_says_who_to_be_where() {
        for empty in ["", "\0", "\n", "test", "[]"] {
            assert!(parse(empty.as_bytes()).unwrap().registries.is_empty());
        }
        let text = r#"{"authorized_locations":{"default":"ann:a:b","reg.io":"bob:c"}}"#;
        let payload = parse(text.as_bytes()).unwrap();
        let Credentials::Password { user, password } = &payload.registries["default"] else {
            panic!("no password");
        };
        assert_eq!((user.as_str(), password.reveal()), ("ann", "a:b"));
        for wrong in ["{", "{]", r#"{"authorized_locations":{"default":"ann"}}"#] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_for_one_request_is_for_no_other() {
        let own = bound("GET", "/api/list/c/", b"");
        let text = format!(r#"{{"request":"{own}"}}"#);
        let payload = parse(text.as_bytes()).unwrap();
        payload.is_for(&own, true).unwrap();
        for other in [
            bound("POST", "/api/list/c/", b""),
            bound("GET", "/api/list/d/", b""),
            bound("GET", "/api/list/c/", b"{}"),
        ] {
            assert!(matches!(
                payload.is_for(&other, false),
                Err(PayloadError::Unbound)
            ));
        }
        let said_nothing = parse(b"").unwrap();
        said_nothing.is_for(&own, false).unwrap();
        assert!(said_nothing.is_for(&own, true).is_err());
    }
}
