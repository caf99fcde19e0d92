//! Public keys that signatures are checked with.

use std::fmt;

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use crate::blobs::Digest;

/// How the SubjectPublicKeyInfo of every key on the curve P-256 begins; the point follows, not compressed.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const POINT: usize = 65;

/// An ECDSA key on the curve P-256, as `cosign generate-key-pair` makes them.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    point: Vec<u8>,
    fingerprint: Digest,
}

/// A text that is no such key. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no public key as cosign makes them: PEM, ECDSA on the curve P-256")]
pub struct BadKey;

impl Key {
    /// Reads a PEM text.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn parse(pem: &[u8]) -> Result<Self, BadKey> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| BadKey)?;
        let point = info.strip_prefix(&P256[..]).ok_or(BadKey)?;
        if point.len() != POINT || point.first() != Some(&4) {
            return Err(BadKey);
        }
        Ok(Self {
            point: point.to_vec(),
            fingerprint: Digest::of(&info),
        })
    }

    /// The SHA-256 of its DER form.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// Whether its owner has signed this.
    pub fn has_signed(&self, content: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point)
            .verify(content, signature)
            .is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Key").field(&self.fingerprint).finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    /// A private key of our own making.
    pub(in crate::signature) struct Private(EcdsaKeyPair);

    impl Private {
        pub(in crate::signature) fn new() -> Self {
            let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
        }

        pub(in crate::signature) fn sign(&self, content: &[u8]) -> Vec<u8> {
            let signature = self.0.sign(&SystemRandom::new(), content).unwrap();
            signature.as_ref().to_vec()
        }

        pub(in crate::signature) fn public(&self) -> String {
            pem(&[&P256[..], self.0.public_key().as_ref()].concat())
        }
    }

    fn pem(der: &[u8]) -> String {
        let text = BASE64_STANDARD.encode(der);
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    #[test]
    fn what_the_owner_has_signed_is_told_from_everything_else() {
        let private = Private::new();
        let key = Key::parse(private.public().as_bytes()).unwrap();
        let signature = private.sign(b"content");
        assert!(key.has_signed(b"content", &signature));
        assert!(!key.has_signed(b"Content", &signature));
        assert!(!key.has_signed(b"content", &signature[..signature.len() - 1]));
        assert!(!key.has_signed(b"content", b""));
        let other = Key::parse(Private::new().public().as_bytes()).unwrap();
        assert!(!other.has_signed(b"content", &signature));
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        let ed25519 = [
            &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..],
            &[7; 32],
        ]
        .concat();
        let compressed = [&P256[..], &[2; 65]].concat();
        let short = [&P256[..], &[4; 64]].concat();
        for der in [&ed25519[..], &compressed, &short, b""] {
            assert_eq!(Key::parse(pem(der).as_bytes()), Err(BadKey));
        }
        assert_eq!(Key::parse(b"no key"), Err(BadKey));
    }
}
