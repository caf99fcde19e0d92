//! A user, as `user-groups` of `config.json` names one: an e-mail address will do.

use bundles::opt_server::config::bad_name;
use serde::{Deserialize, Serialize};

/// More characters than any address has.
const LONGEST: usize = 320;

/// A user's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct User(String);

impl User {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for User {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(format!("must have 1 to {LONGEST} characters"));
        }
        match bad_name(&text) {
            None => Ok(Self(text)),
            Some(what) => Err(format!("must not contain {what}")),
        }
    }
}

impl From<User> for String {
    fn from(user: User) -> Self {
        user.0
    }
}
