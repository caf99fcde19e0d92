//! Reading what others may have made as long as they like.

use std::io::{self, Read};

/// As long as most files are, in bytes: one call reads such a one, another finds its end.
const USUAL: usize = 8192;

/// All of `source`; `None` where that is more than `most` bytes.
///
/// # Errors
/// Those of reading it.
pub(crate) fn read_at_most(source: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::with_capacity(USUAL);
    source.take(most + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= most).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_than_it_may_be_is_read_whole() {
        for length in [0, 1, USUAL - 1, USUAL, USUAL + 1, 3 * USUAL] {
            let content = vec![7; length];
            let read = |most| read_at_most(&content[..], most).unwrap();
            assert_eq!(read(length as u64).as_ref(), Some(&content), "{length}");
            if length > 0 {
                assert_eq!(read(length as u64 - 1), None, "{length}");
            }
        }
    }
}
