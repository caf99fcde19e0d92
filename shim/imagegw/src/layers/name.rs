//! Names of entries, before anything is done with them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::error::LayerError;

/// The longest name of an entry, and the longest target of a link, bytes: the kernel's own limit.
pub(super) const LONGEST: usize = 4095;
/// The longest part of one, bytes.
pub(super) const LONGEST_PART: usize = 255;
/// The most parts.
pub(super) const DEEPEST: usize = 256;

/// Where an entry goes, from the image's root: its parts, none of which is empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// As the archive has it.
    pub(super) shown: Vec<u8>,
    parts: Vec<OsString>,
    is_directory: bool,
}

impl Name {
    /// Reads one. A leading slash means nothing, since the image's root is all that there is; `..` has no business in
    /// an archive.
    ///
    /// # Errors
    /// [`LayerError::Entry`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, LayerError> {
        let refuse = |reason| Err(LayerError::entry(bytes, reason));
        if bytes.len() > LONGEST {
            return refuse("has a name of more than 4095 bytes");
        }
        if bytes.contains(&0) {
            return refuse("has a zero byte in its name");
        }
        let parts = bytes.split(|byte| *byte == b'/');
        let parts: Vec<&[u8]> = parts
            .filter(|part| !part.is_empty() && *part != b".")
            .collect();
        if parts.contains(&&b".."[..]) {
            return refuse("has \"..\" in its name");
        }
        if parts.iter().any(|part| part.len() > LONGEST_PART) {
            return refuse("has a part of more than 255 bytes in its name");
        }
        if parts.len() > DEEPEST {
            return refuse("is more than 256 directories deep");
        }
        let owned = |part: &&[u8]| OsStr::from_bytes(part).to_owned();
        Ok(Self {
            shown: bytes.to_vec(),
            parts: parts.iter().map(owned).collect(),
            is_directory: bytes.ends_with(b"/"),
        })
    }

    /// The directories above it and its own name; none for the root.
    pub(super) fn split(&self) -> Option<(&[OsString], &OsStr)> {
        let (last, above) = self.parts.split_last()?;
        Some((above, last))
    }

    /// Whether it ends with a slash: a directory for archivers that know no type for it.
    pub(super) fn is_directory(&self) -> bool {
        self.is_directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_below_the_root_or_refused() {
        for (bytes, meant) in [
            (&b"a/b"[..], Some("a b")),
            (b"./a//b/.", Some("a b")),
            (b"/etc/passwd", Some("etc passwd")),
            (b"///", Some("")),
            (b"", Some("")),
            (b".", Some("")),
            (b"a/..b/...", Some("a ..b ...")),
            (b"..", None),
            (b"../a", None),
            (b"a/../b", None),
            (b"a/..", None),
            (b"/..", None),
            (b"a\0b", None),
        ] {
            let name = Name::parse(bytes).ok();
            let parts = name.map(|name| name.parts.join(OsStr::new(" ")));
            assert_eq!(parts, meant.map(OsString::from), "{bytes:?}");
        }
        let long = |count: usize, text: &str| Name::parse(text.repeat(count).as_bytes());
        assert!(long(255, "a").is_ok() && long(256, "a").is_err());
        assert!(long(256, "a/").is_ok() && long(257, "a/").is_err());
        assert!(long(20, &("a".repeat(200) + "/")).is_ok());
        assert!(long(21, &("a".repeat(200) + "/")).is_err());
    }
}
