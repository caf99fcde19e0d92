//! Reading as much as there is room for.

use std::io::{self, Read};

/// Fills `buffer` as far as there is something: how much, and whether reading it went well.
pub(super) fn fill(from: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}
