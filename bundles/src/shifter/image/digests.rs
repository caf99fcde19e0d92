//! What an image's file should be, as the gateway writes it down beside it.
//!
//! These lines of a `.meta` file are comments to Shifter: it tells of a key that it doesn't know on the command's
//! standard output.

use super::meta::MetaProblem;

/// Digests, where they are known: `sha256:` with 64 hexadecimal digits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    /// `#DIGEST:`, the SHA-256 of the image's file.
    pub content: Option<String>,
    /// `#FSVERITY:`, what fs-verity calls the file: SHA-256, blocks of 4096 bytes, no salt.
    pub verity: Option<String>,
    /// `#MANIFEST:`, that of the manifest which the image was made of; it may be `sha512:` with 128.
    pub manifest: Option<String>,
}

impl Digests {
    /// Takes them from the text of a `.meta` file.
    ///
    /// # Errors
    /// The line, from 1, and what is wrong with it: each digest stands there once, or not.
    pub(super) fn read(text: &str) -> Result<Self, (usize, MetaProblem)> {
        let mut digests = Self::default();
        let mut first_lines = [0; 3];
        for (number, line) in (1..).zip(text.lines()) {
            let entry = line.strip_prefix('#').and_then(|line| line.split_once(':'));
            let Some((key, value)) = entry else { continue };
            let (place, first) = match key {
                "DIGEST" => (&mut digests.content, &mut first_lines[0]),
                "FSVERITY" => (&mut digests.verity, &mut first_lines[1]),
                "MANIFEST" => (&mut digests.manifest, &mut first_lines[2]),
                _ => continue,
            };
            if place.is_some() {
                let (key, first) = (format!("#{key}"), *first);
                return Err((number, MetaProblem::Twice { key, first }));
            }
            *place = Some(digest(key, value.trim()).map_err(|problem| (number, problem))?);
            *first = number;
        }
        Ok(digests)
    }
}

fn digest(key: &str, value: &str) -> Result<String, MetaProblem> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let (name, digits) = value.split_once(':').unwrap_or_default();
    let length = match name {
        "sha256" => 64,
        // Registries may call manifests so.
        "sha512" if key == "MANIFEST" => 128,
        _ => 0,
    };
    match length > 0 && digits.len() == length && digits.bytes().all(is_hex) {
        true => Ok(value.to_owned()),
        false => Err(MetaProblem::NotADigest {
            key: key.to_owned(),
            found: value.to_owned(),
        }),
    }
}
