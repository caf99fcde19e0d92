//! What content is called by: a hash of its bytes.

use std::fmt;
use std::fmt::Write as _;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The hash of some content, `sha256:` or `sha512:` with its hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A text that is no digest. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no digest; one is sha256: with 64 of 0-9a-f, or sha512: with 128")]
pub struct NotADigest(String);

/// A hash that the OCI image specification registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, which every registry uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Its name in digests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn of_ring(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha512 => &ring::digest::SHA512,
        }
    }
}

impl Digest {
    /// The SHA-256 of `content`.
    pub fn of(content: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(content);
        hasher.finish()
    }

    /// Its hash function.
    pub fn algorithm(&self) -> Algorithm {
        match self.0.starts_with("sha512:") {
            true => Algorithm::Sha512,
            false => Algorithm::Sha256,
        }
    }

    /// Its hexadecimal digits.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The whole of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_digest = text.split_once(':').is_some_and(|(name, hex)| {
            let algorithm = Algorithm::ALL
                .into_iter()
                .find(|known| known.name() == name);
            algorithm.is_some_and(|known| hex.len() == known.of_ring().output_len() * 2)
                && hex.bytes().all(is_hex)
        });
        match is_digest {
            true => Ok(Self(text.to_owned())),
            false => Err(NotADigest(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

/// Makes a digest of content as it comes.
#[derive(Clone)]
pub struct Hasher {
    algorithm: Algorithm,
    context: ring::digest::Context,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Hasher").field(&self.algorithm).finish()
    }
}

impl Hasher {
    /// Of no content yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let context = ring::digest::Context::new(algorithm.of_ring());
        Self { algorithm, context }
    }

    /// Adds some.
    pub fn update(&mut self, content: &[u8]) {
        self.context.update(content);
    }

    /// Of all of it.
    pub fn finish(self) -> Digest {
        let hash = self.context.finish();
        let mut text = format!("{}:", self.algorithm.name());
        for byte in hash.as_ref() {
            // Writing to a string never fails.
            let _ = write!(text, "{byte:02x}");
        }
        Digest(text)
    }
}

impl io::Write for Hasher {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.update(content);
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn content_has_the_digest_that_everybody_else_gives_it() {
        assert_eq!(Digest::of(b"").as_str(), EMPTY);
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"a");
        hasher.update(b"bc");
        let digest = hasher.finish();
        assert!(digest.hex().starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(digest.as_str().parse(), Ok(digest.clone()));
    }

    #[test]
    fn what_could_name_another_file_is_no_digest() {
        for text in [
            "",
            "sha256:",
            "sha256:e3b0",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:../../../../../../../../../../../../../../../../../../../../../e",
            &EMPTY.to_uppercase(),
            &EMPTY.replace("sha256", "sha512"),
            &format!("{EMPTY}0"),
            &format!("{EMPTY}\n"),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
