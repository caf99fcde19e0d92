//! munge credentials: text that says who made it, and that only hosts with the same key can make or read.
//!
//! munged does all of that. libmunge only carries a request over munged's socket, and this crate does so by itself: it
//! needs no library at run time, so it works in static programs, and it starts no process for each request.
//!
//! Who asks for a credential, munged learns from the kernel (SO_PEERCRED), not from the request.
#![forbid(unsafe_code)]

mod error;
mod exchange;
mod message;
mod wire;

use std::path::{Path, PathBuf};

pub use error::{Error, Refusal};
use exchange::exchange;
use message::{DecodeRequest, EncodeRequest};

/// Where munged listens unless its site says otherwise.
pub const USUAL_SOCKET: &str = "/run/munge/munge.socket.2";

/// munged takes no longer text.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// A munged.
#[derive(Debug, Clone)]
pub struct Munge {
    socket: PathBuf,
}

/// How a credential is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Seconds that it is good for; munged's default where there is none.
    pub lifetime: Option<u32>,
    /// The only user who can decode it.
    pub only_for: Option<u32>,
}

/// What a credential said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Who made it.
    pub uid: u32,
    /// The maker's primary group.
    pub gid: u32,
    /// What came with it.
    pub payload: Vec<u8>,
    /// When it was made, seconds since 1970 by the clock of the host that made it.
    pub made: u32,
    /// Seconds that it is good for.
    pub lifetime: u32,
}

impl Munge {
    /// The one at `socket`. Nothing is connected yet.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// Where it is.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A credential of this process's user with `payload` in it.
    ///
    /// # Errors
    /// [`Error`]: munged isn't there, or refuses.
    pub fn encode(&self, payload: &[u8], options: Options) -> Result<String, Error> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Error::TooLarge(payload.len()));
        }
        let request = EncodeRequest { payload, options };
        let answer = exchange(&self.socket, &request.packed())?;
        message::encoded(&answer).map_err(|fault| self.judge(fault))
    }

    /// What `credential` says. It can be decoded once on each host.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Refused`] where it is expired, replayed, tampered with or for somebody else.
    pub fn decode(&self, credential: &str) -> Result<Decoded, Error> {
        if credential.len() > 2 * MAX_PAYLOAD {
            return Err(Error::TooLarge(credential.len()));
        }
        let answer = exchange(&self.socket, &DecodeRequest { credential }.packed())?;
        message::decoded(&answer).map_err(|fault| self.judge(fault))
    }

    /// What is kept in `credential`, however old: a secret that lies on a disk so that only this site's munged can read
    /// it. It proves nothing.
    ///
    /// # Errors
    /// As [`Munge::decode`], but not for its age or because it was read before.
    pub fn read_kept(&self, credential: &str) -> Result<Vec<u8>, Error> {
        let answer = exchange(&self.socket, &DecodeRequest { credential }.packed())?;
        match message::decoded(&answer) {
            Ok(decoded) => Ok(decoded.payload),
            Err(message::Fault::Stale(_, decoded)) => Ok(decoded.payload),
            Err(fault) => Err(self.judge(fault)),
        }
    }

    fn judge(&self, fault: message::Fault) -> Error {
        match fault {
            message::Fault::Refused(refusal) | message::Fault::Stale(refusal, _) => {
                Error::Refused(refusal)
            }
            message::Fault::Garbled => Error::Garbled(self.socket.clone()),
        }
    }
}
