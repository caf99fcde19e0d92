//! A row of the table of system calls.

/// As long as the longest name is, in bytes.
const LONGEST: usize = 28;

/// A call's name, and its number on each [`Architecture`](super::table::Architecture), in their order.
///
/// The name is in the row: a pointer to it, as to five hundred others, would have to be relocated whenever a program starts.
#[derive(Debug)]
pub(super) struct Row {
    letters: [u8; LONGEST],
    length: usize,
    /// `u32::MAX` where there is none.
    pub numbers: [u32; 5],
}

/// The row of the call `name`, which isn't longer than the longest.
pub(super) const fn row(name: &str, numbers: [u32; 5]) -> Row {
    let mut letters = [0; LONGEST];
    let (place, _) = letters.split_at_mut(name.len());
    place.copy_from_slice(name.as_bytes());
    Row {
        letters,
        length: name.len(),
        numbers,
    }
}

impl Row {
    /// The call's name.
    pub fn name(&self) -> &str {
        // It was one.
        str::from_utf8(self.letters()).unwrap_or_default()
    }

    /// The name's bytes, by which rows are in order.
    pub fn letters(&self) -> &[u8] {
        self.letters.get(..self.length).unwrap_or_default()
    }
}
