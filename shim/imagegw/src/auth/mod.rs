//! Who asks: by a munge credential or by a token of the gateway's. Nobody is anybody without either.

mod accounts;
mod page;
mod payload;
mod rate;
mod session;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;

use daemon::NoRandom;
use munge::Munge;

pub use accounts::Accounts;
pub use page::GOOD_FOR as PAGE_PASSWORD_GOOD_FOR;
pub use payload::{PayloadError, bound};
pub use rate::Rates;
pub use session::{Scope, Session};
pub use tokens::{NewToken, Token, Tokens, TokensError};

use crate::configuration::Configuration;

/// What a request proves its caller with.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The header `authentication`, as Shifter's client sends it.
    Munge(String),
    /// The header `authorization`.
    Bearer(String),
    /// The same header, as browsers fill it in: a user's name and a password for the queue's page.
    Page {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
}

/// Why nobody was recognised.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Neither header.
    #[error("nobody is named: a munge credential or a token is needed")]
    Nobody,
    /// The site has it otherwise.
    #[error("{0} aren't taken by this gateway")]
    NotTaken(&'static str),
    /// munged says no, or isn't there.
    #[error(transparent)]
    Munge(#[from] munge::Error),
    /// What came with a credential.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// None that is known.
    #[error("this token is not known")]
    Token,
    /// Likewise.
    #[error(
        "this password is not known, or was good for another system, or no longer; hint: shifterimg queue --page"
    )]
    PagePassword,
    /// The tokens can't be read.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

/// Recognises callers.
#[derive(Debug)]
pub struct Authenticator {
    munge: Option<BTreeMap<String, Munge>>,
    bound_only: bool,
    tokens: Option<Tokens>,
    accounts: Accounts,
    pages: page::PagePasswords,
}

impl Authenticator {
    /// As the site has it.
    pub fn new(configuration: &Configuration) -> Self {
        let sockets = configuration.platforms.iter().map(|(system, platform)| {
            let socket: PathBuf = platform.munge_socket.clone();
            (system.clone(), Munge::at(socket))
        });
        let wanted = &configuration.authentication;
        Self {
            munge: wanted.munge.then(|| sockets.collect()),
            bound_only: wanted.bound_only,
            tokens: wanted.tokens.then(|| Tokens::of(&configuration.state)),
            accounts: Accounts::default(),
            pages: page::PagePasswords::default(),
        }
    }

    /// Who proves himself with `proof` for a request of `system` with this [`bound`].
    ///
    /// # Errors
    /// [`AuthError`].
    pub fn session(
        &self,
        proof: Option<&Proof>,
        system: Option<&str>,
        bound: &str,
    ) -> Result<Session, AuthError> {
        match proof.ok_or(AuthError::Nobody)? {
            Proof::Munge(credential) => self.by_munge(credential, system, bound),
            Proof::Bearer(secret) => {
                let tokens = self.tokens.as_ref();
                let tokens = tokens.ok_or(AuthError::NotTaken("tokens"))?;
                tokens.session(secret)?.ok_or(AuthError::Token)
            }
            Proof::Page { user, password } => {
                let system = system.unwrap_or_default();
                let session = self.pages.session(user, password, system);
                self.still(session.ok_or(AuthError::PagePassword)?)
            }
        }
    }

    /// A password that was made with a token ends with it.
    fn still(&self, session: Session) -> Result<Session, AuthError> {
        if let Some(digest) = &session.token {
            let tokens = self.tokens.as_ref().ok_or(AuthError::PagePassword)?;
            tokens.session_of(digest)?.ok_or(AuthError::PagePassword)?;
        }
        Ok(session)
    }

    /// A password with which a browser sees the queue of `system` as `session` does.
    ///
    /// # Errors
    /// Where the kernel gives no random bytes.
    pub fn page_password(&self, session: &Session, system: &str) -> Result<String, NoRandom> {
        self.pages.make(session, system)
    }

    /// The name of the user with this uid, or its digits.
    pub fn user_name(&self, uid: u32) -> String {
        self.accounts.of(uid).name
    }

    fn by_munge(
        &self,
        credential: &str,
        system: Option<&str>,
        bound: &str,
    ) -> Result<Session, AuthError> {
        let sockets = self.munge.as_ref();
        let sockets = sockets.ok_or(AuthError::NotTaken("munge credentials"))?;
        let munge = match system {
            Some(system) => sockets.get(system),
            None => sockets.values().next(),
        };
        let decoded = munge.ok_or(AuthError::Nobody)?.decode(credential)?;
        let payload = payload::parse(&decoded.payload)?;
        payload.is_for(bound, self.bound_only)?;
        let account = self.accounts.of(decoded.uid);
        Ok(Session {
            user: account.name,
            uid: decoded.uid,
            gid: decoded.gid,
            groups: account.groups,
            registries: payload.registries,
            ..Session::default()
        })
    }
}
