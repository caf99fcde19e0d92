//! Tokens: the Docker registry token authentication, which every registry speaks.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::super::credentials::Credentials;
use super::super::error::PullError;
use super::challenge::Challenge;
use super::http::{Get, Http, failed};

/// The most bytes of an answer with a token.
const MOST: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The header `Authorization` that meets `challenge`; none where it can't be met with these credentials.
///
/// # Errors
/// [`PullError::Registry`].
pub(super) fn authorization(
    http: &Http,
    challenge: &Challenge,
    credentials: &Credentials,
    repository: &str,
    is_plain: bool,
) -> Result<Option<String>, PullError> {
    match (challenge, credentials) {
        (_, Credentials::Bearer(token)) => Ok(Some(format!("Bearer {}", token.reveal()))),
        (Challenge::Basic, Credentials::Anonymous) => Ok(None),
        (Challenge::Basic, Credentials::Password { .. }) => Ok(basic(credentials)),
        (
            Challenge::Bearer {
                realm,
                service,
                scope,
            },
            _,
        ) => {
            if realm.starts_with("http://") && !is_plain {
                return Err(failed(realm, "its registry sends us there in plain text"));
            }
            let pull = format!("repository:{repository}:pull");
            let scope = scope.as_deref().unwrap_or(&pull);
            let url = question(realm, service.as_deref(), scope);
            issued(http, &url, basic(credentials).as_deref())
        }
    }
}

fn issued(
    http: &Http,
    url: &str,
    authorization: Option<&str>,
) -> Result<Option<String>, PullError> {
    let mut response = http.get(Get {
        url,
        authorization,
        ..Get::default()
    })?;
    match response.status().as_u16() {
        200 => {}
        401 | 403 => return Ok(None),
        other => return Err(failed(url, &format!("it answers {other}"))),
    }
    let body = response.body_mut().with_config().limit(MOST).read_to_vec();
    let body = body.map_err(|error| failed(url, &error.to_string()))?;
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|_| failed(url, "its answer is no token"))?;
    let token = answer.token.or(answer.access_token);
    let is_clean =
        |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    match token.filter(is_clean) {
        Some(token) => Ok(Some(format!("Bearer {token}"))),
        None => Err(failed(url, "its answer is no token")),
    }
}

fn basic(credentials: &Credentials) -> Option<String> {
    let Credentials::Password { user, password } = credentials else {
        return None;
    };
    let text = format!("{user}:{}", password.reveal());
    Some(format!("Basic {}", BASE64_STANDARD.encode(text)))
}

fn question(realm: &str, service: Option<&str>, scope: &str) -> String {
    let separator = if realm.contains('?') { '&' } else { '?' };
    let service = service.map(|service| format!("service={}&", escaped(service)));
    let service = service.unwrap_or_default();
    format!("{realm}{separator}{service}scope={}", escaped(scope))
}

/// As in a URL's query.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_comes_out_whole_in_a_query() {
        assert_eq!(
            question("https://a/t", Some("a&b=c"), "repository:x/y:pull"),
            "https://a/t?service=a%26b%3Dc&scope=repository:x/y:pull"
        );
        assert_eq!(
            question("https://a/t?k=v", None, "a b"),
            "https://a/t?k=v&scope=a%20b"
        );
    }
}
