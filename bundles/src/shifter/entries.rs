//! The lines that `udiRoot.conf` and an image's `.meta` are made of.

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it begins, from 1.
    pub line: usize,
    pub key: String,
    pub value: String,
}

/// A file's entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entries {
    pub all: Vec<Entry>,
    /// Lines without a delimiter, which mean nothing, from 1.
    pub without_key: Vec<usize>,
}

/// Reads `text`: a key, `delimiter`, a value. A line that begins with `#` is a comment, one that ends with `\` goes on
/// in the next that is no comment, and what is around a key and a value is blank. There are no quotes.
pub(super) fn read(text: &str, delimiter: char) -> Entries {
    let mut entries = Entries::default();
    let lines = (1..).zip(text.lines());
    let mut lines = lines.filter(|(_, line)| !line.starts_with('#'));
    while let Some((line, first)) = lines.next() {
        let mut whole = String::new();
        let mut piece = trimmed(first);
        while let Some(begun) = piece.strip_suffix('\\') {
            whole.push_str(trimmed(begun));
            whole.push(' ');
            piece = lines.next().map_or("", |(_, next)| trimmed(next));
        }
        whole.push_str(piece);
        match whole.split_once(delimiter) {
            Some((key, value)) => entries.all.push(Entry {
                line,
                key: trimmed(key).to_owned(),
                value: trimmed(value).to_owned(),
            }),
            None if trimmed(&whole).is_empty() => {}
            None => entries.without_key.push(line),
        }
    }
    entries
}

/// Without what C calls white space at the ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Wrong, vectors};

    #[test]
    fn lines_are_read_as_shifter_reads_them() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/entries.tsv") {
            let [delimiter, text, wanted] = &vector[..] else {
                panic!("{vector:?}");
            };
            let entries = read(text, delimiter.chars().next().unwrap());
            let pairs = entries.all.iter();
            let pairs = pairs.map(|entry| format!("{} {}={}", entry.line, entry.key, entry.value));
            let ignored = entries.without_key.iter().map(|line| format!("{line} -"));
            let found: Vec<String> = pairs.chain(ignored).collect();
            wrong.unless(&vector, &found.join("|"), wanted);
        }
        wrong.none();
    }
}
