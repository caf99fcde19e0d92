//! `$ORIGIN`, `$LIB` and `$PLATFORM` in search paths and library names.
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What the tokens stand for in one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// The directory of the object that holds the string.
    pub(super) origin: &'a Path,
    pub(super) lib: &'a str,
    pub(super) platform: &'a str,
}

/// Replaces tokens as glibc does: with or without braces, and anything else after `$` stays as it is.
pub(super) fn expand(text: &[u8], tokens: Tokens<'_>) -> Vec<u8> {
    let values: [(&[u8], &[u8]); 3] = [
        (b"ORIGIN", tokens.origin.as_os_str().as_bytes()),
        (b"PLATFORM", tokens.platform.as_bytes()),
        (b"LIB", tokens.lib.as_bytes()),
    ];
    let mut expanded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let replace = |(name, value)| Some((after_token(after, name)?, value));
        match values.into_iter().find_map(replace) {
            Some((after, value)) if first == b'$' => {
                expanded.extend_from_slice(value);
                rest = after;
            }
            _ => {
                expanded.push(first);
                rest = after;
            }
        }
    }
    expanded
}

/// What follows the token `name` or `{name}` at the start of `text`.
fn after_token<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match text.strip_prefix(b"{") {
        Some(inner) => inner.strip_prefix(name)?.strip_prefix(b"}"),
        None => text.strip_prefix(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced_as_glibc_does() {
        let tokens = Tokens {
            origin: Path::new("/opt/x/bin"),
            lib: "lib64",
            platform: "x86_64",
        };
        for (text, expected) in [
            ("$ORIGIN/../lib", "/opt/x/bin/../lib"),
            ("${ORIGIN}/../lib", "/opt/x/bin/../lib"),
            ("/opt/$LIB/$PLATFORM", "/opt/lib64/x86_64"),
            ("$ORIGIN$LIB", "/opt/x/binlib64"),
            ("$ORIGINAL", "/opt/x/binAL"),
            ("${ORIGIN", "${ORIGIN"),
            ("${ORIGINAL}", "${ORIGINAL}"),
            ("$HOME/$", "$HOME/$"),
            ("", ""),
        ] {
            let expanded = expand(text.as_bytes(), tokens);
            assert_eq!(String::from_utf8_lossy(&expanded), expected, "{text}");
        }
    }
}
