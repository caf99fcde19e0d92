//! OpenSSH's forms of Ed25519 keys: RFC 4253 (section 6.6), RFC 8709, and OpenSSH's PROTOCOL.key.

use anyhow::{Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};

const KIND: &str = "ssh-ed25519";

/// Kinds of public keys that are let in.
const KINDS: [&str; 7] = [
    KIND,
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "ssh-rsa",
];

/// Characters in a line of a private key's file.
const WIDTH: usize = 70;

/// The block size of a private key that isn't encrypted.
const BLOCK: usize = 8;

/// A key pair.
pub(super) struct Pair {
    seed: [u8; 32],
    public: Vec<u8>,
}

impl Pair {
    pub(super) fn of_seed(seed: [u8; 32]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
        let pair = pair.map_err(|error| anyhow!("make a key: {error}"))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { seed, public })
    }

    /// `ssh-ed25519 BASE64`
    pub(super) fn public(&self) -> String {
        format!("{KIND} {}", STANDARD.encode(self.public_blob()))
    }

    fn public_blob(&self) -> Vec<u8> {
        [string(KIND.as_bytes()), string(&self.public)].concat()
    }

    /// The text of a file with the private key. It says the same whenever it is asked for.
    pub(super) fn private(&self) -> String {
        // Twice the same number, by which a wrong passphrase would show.
        let check = &self.public[..4];
        let secret = [self.seed.as_slice(), &self.public].concat();
        let mut private = [
            check,
            check,
            &self.public_blob(),
            &string(&secret),
            &string(b"shifter"),
        ]
        .concat();
        let padding = (1..).take((BLOCK - private.len() % BLOCK) % BLOCK);
        private.extend(padding);
        let whole = [
            b"openssh-key-v1\0".as_slice(),
            // Neither a cipher nor a key derivation.
            &string(b"none"),
            &string(b"none"),
            &string(b""),
            &1_u32.to_be_bytes(),
            &string(&self.public_blob()),
            &string(&private),
        ]
        .concat();
        let mut text = "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned();
        for line in STANDARD.encode(whole).as_bytes().chunks(WIDTH) {
            text.extend(line.iter().copied().map(char::from));
            text.push('\n');
        }
        text + "-----END OPENSSH PRIVATE KEY-----\n"
    }
}

/// A length and the bytes.
fn string(bytes: &[u8]) -> Vec<u8> {
    // Nothing here is so long.
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    [&length.to_be_bytes(), bytes].concat()
}

/// A public key, `KIND BASE64 [COMMENT]`, free of options, comment and line breaks.
///
/// # Errors
/// Where it is none.
pub(crate) fn public_key(text: &str) -> Result<String> {
    let line = text.trim();
    let mut words = line.split_ascii_whitespace();
    let (kind, key) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let blob = STANDARD.decode(key).unwrap_or_default();
    let begins_right = blob.starts_with(&string(kind.as_bytes()));
    if line.contains('\n') || !KINDS.contains(&kind) || !begins_right {
        bail!("{text:?} is no public key: KIND BASE64, as in a file that ssh-keygen makes");
    }
    Ok(format!("{kind} {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first vector of RFC 8032, section 7.1.
    #[test]
    fn a_key_is_written_as_openssh_reads_it() {
        const SEED: [u8; 32] = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec,
            0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03,
            0x1c, 0xae, 0x7f, 0x60,
        ];
        let pair = Pair::of_seed(SEED).unwrap();
        assert_eq!(
            pair.public(),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
        );
        let text = pair.private();
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        let lines: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let whole = STANDARD.decode(lines).unwrap();
        // ssh-keygen -y tells the public key of it.
        assert_eq!(whole.len(), 242);
        assert!(whole.ends_with(b"\0\0\0\x07shifter\x01\x02\x03\x04\x05\x06"));
        assert_eq!(public_key(&pair.public()).unwrap(), pair.public());
    }
}
