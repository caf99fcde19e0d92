//! The secret of a key: made here, told once, and kept only as its digest.

use std::fmt;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Letters and digits of a secret: 48 of them hold 285 bits, so a plain digest of it can't be searched.
const LENGTH: usize = 48;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A fresh secret that begins with `prefix`.
///
/// # Errors
/// Where the kernel gives no random bytes.
pub fn fresh(prefix: &str) -> Result<String, NoRandom> {
    Ok(format!("{prefix}{}", random_text(LENGTH)?))
}

/// `length` random letters and digits.
///
/// # Errors
/// Where the kernel gives no random bytes.
pub fn random_text(length: usize) -> Result<String, NoRandom> {
    let random = SystemRandom::new();
    let mut text = String::new();
    while text.len() < length {
        let mut byte = [0];
        random.fill(&mut byte).map_err(|_| NoRandom)?;
        // Two of the 64 numbers have no letter; to map them onto others would make those likelier.
        let index = usize::from(byte[0] & 63);
        text.extend(ALPHABET.get(index).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

/// No random bytes were to be had.
#[derive(Debug, thiserror::Error)]
#[error("the kernel gives no random bytes")]
pub struct NoRandom;

/// A secret's SHA-256.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a secret.
    pub fn of(secret: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Whether both are the same, in a time that doesn't tell how far they agree.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        let hex: String = digest.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "must be \"sha256:\" and 64 hexadecimal digits";
        let hex = text.strip_prefix("sha256:").ok_or(WRONG)?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = hex.get(2 * index..2 * index + 2).ok_or(WRONG)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "key_";

    #[test]
    fn secrets_are_long_and_differ() {
        let (one, other) = (fresh(PREFIX).unwrap(), fresh(PREFIX).unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + LENGTH);
        assert!(
            one.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        );
    }

    #[test]
    fn a_digest_goes_through_text_and_knows_its_secret() {
        let digest = Digest::of("abc");
        let text = String::from(digest.clone());
        // FIPS 180-2, appendix B.1.
        let wanted = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(text, wanted);
        let back = Digest::try_from(text).unwrap();
        assert!(back.is(&digest) && !back.is(&Digest::of("abd")));
        for wrong in ["", "sha256:", "md5:00", "sha256:ä"] {
            assert!(Digest::try_from(wrong.to_owned()).is_err());
        }
        assert!(!format!("{digest:?}").contains("ba78"));
    }
}
