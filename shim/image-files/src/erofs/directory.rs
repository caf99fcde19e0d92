//! What is in a directory: blocks of entries with fixed length, and their names behind them; sorted, for the kernel looks
//! names up by halves.

use super::format::{BLOCK, Kind};

/// Bytes of `struct erofs_dirent`.
const ENTRY: usize = 12;

/// A name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// At most 255 bytes.
    pub name: &'a [u8],
    /// What it names, by its [`super::Place::number`].
    pub number: u64,
    /// What that is.
    pub kind: Kind,
}

/// How many bytes a directory with these names has, in the order that [`encode`] is given them.
pub fn length<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (mut whole, mut used) = (0, 0);
    for name in names {
        let more = ENTRY + name.len();
        if used + more > BLOCK {
            whole += BLOCK as u64;
            used = 0;
        }
        used += more;
    }
    whole + used as u64
}

/// A directory's content. The entries are sorted by their names' bytes, `.` and `..` among them.
pub fn encode(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut content = vec![];
    let mut rest = entries;
    while !rest.is_empty() {
        let mut used = 0;
        let fitting = rest.iter().take_while(|entry| {
            used += ENTRY + entry.name.len();
            used <= BLOCK
        });
        let (block, behind) = rest.split_at(fitting.count());
        put_block(&mut content, block);
        rest = behind;
        if !rest.is_empty() {
            content.resize(content.len().next_multiple_of(BLOCK), 0);
        }
    }
    content
}

fn put_block(content: &mut Vec<u8>, block: &[Entry<'_>]) {
    let mut name_at = ENTRY * block.len();
    for entry in block {
        content.extend(entry.number.to_le_bytes());
        // Less than a block.
        content.extend(&name_at.to_le_bytes()[..2]);
        content.extend([entry.kind.number(), 0]);
        name_at += entry.name.len();
    }
    for entry in block {
        content.extend(entry.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_as_long_as_it_was_said_to_be() {
        for (count, long) in [(0, 1), (1, 1), (3, 255), (15, 255), (16, 255), (10_000, 7)] {
            let names: Vec<Vec<u8>> = (0..count)
                .map(|number| format!("{number:0long$}").into_bytes())
                .collect();
            let entry = |name| Entry {
                name,
                number: 7,
                kind: Kind::File,
            };
            let entries: Vec<_> = names.iter().map(|name| entry(&name[..])).collect();
            let said = length(names.iter().map(|name| &name[..]));
            assert_eq!(encode(&entries).len() as u64, said, "{count} of {long}");
        }
    }

    #[test]
    fn entries_that_fill_a_block_to_its_last_byte_are_in_it() {
        // 16 of 256 bytes.
        let names: Vec<Vec<u8>> = (0..17).map(|number| vec![number + 1; 244]).collect();
        assert_eq!(length(names[..16].iter().map(|name| &name[..])), 4096);
        assert_eq!(length(names.iter().map(|name| &name[..])), 4096 + 256);
    }
}
