//! JSON for people: a line each, indented, the members of every object sorted. The bytes are those of serde_json's `Value`,
//! without making one, which takes as long as the text itself.

mod serializer;

use std::io::{self, BufWriter, Write};
use std::iter;
use std::ops::Range;

use serde::Serialize;

/// What is between two items, and blanks for the second one's line.
const BLANKS: &str = ",\n                                                                ";

/// More than the text of most bundles.
const CAPACITY: usize = 64 << 10;

/// What is written at once: there are hundreds of parts, of some bytes each.
const BUFFER: usize = 16 << 10;

/// A value as text, with a line feed at its end: equal values, equal bytes, for a hash map's order doesn't show.
///
/// Sorting moves parts of the text, which stays where it is: there is no second one of this size.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// In the order in which it was told.
    text: String,
    /// The text's parts in the order in which they are to be read; what follows them is in none yet.
    parts: Vec<Range<usize>>,
    /// Where that begins.
    rest: usize,
    /// Those of all objects that aren't complete; an outer object's come first.
    members: Vec<Member>,
    /// How many lists and objects aren't complete.
    depth: usize,
}

/// A key with its value.
#[derive(Debug)]
struct Member {
    /// The key's place in the text, without its quotes.
    key: Range<usize>,
    /// Which of the parts it has. The first one begins with the comma before the member.
    parts: Range<usize>,
}

impl Lines {
    pub(super) fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut lines = Self::default();
        lines.text.reserve(CAPACITY);
        lines.parts.reserve(CAPACITY / 64);
        value.serialize(&mut lines)?;
        lines.text.push('\n');
        lines.cut();
        Ok(lines)
    }

    pub(super) fn write_to(&self, to: impl Write) -> io::Result<()> {
        let mut to = BufWriter::with_capacity(BUFFER, to);
        for part in &self.parts {
            to.write_all(&self.text.as_bytes()[part.clone()])?;
        }
        to.flush()
    }

    /// Ends the part that is being told; which one comes next.
    fn cut(&mut self) -> usize {
        if self.rest < self.text.len() {
            self.parts.push(self.rest..self.text.len());
            self.rest = self.text.len();
        }
        self.parts.len()
    }

    /// Begins a line; without the comma where the first byte of [`BLANKS`] is left out.
    fn line(&mut self, first: usize) {
        let blanks = 2 * self.depth;
        if let Some(line) = BLANKS.get(first..2 + blanks) {
            self.text.push_str(line);
        } else {
            self.text.push_str(&BLANKS[first..2]);
            self.text.extend(iter::repeat_n(' ', blanks));
        }
    }

    fn string(&mut self, text: &str) -> serde_json::Result<()> {
        if has_escaped(text) {
            self.text.push_str(&serde_json::to_string(text)?);
            return Ok(());
        }
        self.text.push('"');
        self.text.push_str(text);
        self.text.push('"');
        Ok(())
    }

    /// Puts the members since `first`, which are the end of what is told so far, in the order of their keys, and takes them
    /// off the list.
    fn sort(&mut self, first: usize) {
        let text = self.text.as_bytes();
        let key = |member: &Member| &text[member.key.clone()];
        let members = &mut self.members[first..];
        let Some(begin) = members.first().map(|member| member.parts.start) else {
            return;
        };
        if !members.is_sorted_by(|one, next| key(one) <= key(next)) {
            members.sort_unstable_by(|one, other| key(one).cmp(key(other)));
            let unsorted = self.parts.len();
            for member in members.iter() {
                self.parts.extend_from_within(member.parts.clone());
            }
            self.parts.drain(begin..unsorted);
        }
        self.members.truncate(first);
        // There is no comma before the first one.
        self.parts[begin].start += 1;
    }
}

/// Whether JSON has another spelling for something in `text`.
fn has_escaped(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks();
    let is_escaped = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    words.iter().any(|word| word_has_escaped(*word)) || rest.iter().any(is_escaped)
}

/// Looks at eight bytes at once: that of each which is below a limit borrows from its own highest bit, which it hadn't set.
fn word_has_escaped(word: [u8; 8]) -> bool {
    let word = u64::from_le_bytes(word);
    let all = |byte: u8| u64::from_le_bytes([byte; 8]);
    let has_below = |word: u64, limit: u8| word.wrapping_sub(all(limit)) & !word & all(0x80) != 0;
    has_below(word, b' ') || has_below(word ^ all(b'"'), 1) || has_below(word ^ all(b'\\'), 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;

    fn to_lines(value: &impl Serialize) -> serde_json::Result<String> {
        let mut text = vec![];
        Lines::of(value)?.write_to(&mut text).unwrap();
        Ok(String::from_utf8(text).unwrap())
    }

    /// What serde_json writes, which holds an object's members sorted.
    fn wanted(value: &impl Serialize) -> String {
        format!("{:#}\n", serde_json::to_value(value).unwrap())
    }

    #[test]
    fn the_bytes_are_those_of_serde_json() {
        let mut deep = json!("\u{1}");
        for _ in 0..40 {
            deep = json!([deep]);
        }
        let values: [Value; 5] = [
            json!(null),
            json!([]),
            json!({}),
            json!({ "a": [], "b": {}, "c": [1, "\"x\\", [2.5, {}], { "d": false }], "e": { "f": [[]] } }),
            deep,
        ];
        for value in values {
            assert_eq!(to_lines(&value).unwrap(), wanted(&value));
        }
    }

    #[test]
    fn what_is_escaped_is_found_wherever_it_is() {
        let told = |text: &str| serde_json::to_string(text).unwrap();
        for character in (0..0x180).filter_map(char::from_u32) {
            for (before, after) in [(0, 0), (0, 7), (7, 0), (3, 4), (8, 0), (9, 7), (0, 16)] {
                let text = format!("{}{character}{}", "~".repeat(before), "é!".repeat(after));
                let is_escaped = told(&text) != format!("\"{text}\"");
                assert_eq!(has_escaped(&text), is_escaped, "{text:?}");
            }
        }
    }

    /// Every kind of value that serde knows.
    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(f64),
        Tuple(u8, [bool; 0]),
        Struct { b: char, a: () },
        Numbers(i64, u64, f32, i8, f64),
        Keys(HashMap<i32, Unit>),
        Text(Option<&'static str>, (u8, &'static str)),
    }

    #[derive(Serialize)]
    struct Unit;

    #[test]
    fn every_kind_of_value_is_told_as_serde_json_tells_it() {
        let kinds = [
            Kind::Unit,
            Kind::New(0.1),
            Kind::Tuple(1, []),
            Kind::Struct { b: '"', a: () },
            Kind::Numbers(i64::MIN, u64::MAX, 1.5, -1, f64::NAN),
            Kind::Keys([(-1, Unit), (10, Unit), (9, Unit)].into()),
            Kind::Text(None, (0, "tab\t, \\ and \u{7f}\u{1f}é")),
        ];
        assert_eq!(to_lines(&kinds).unwrap(), wanted(&kinds));
        let no_key = HashMap::from([([1, 2], 3)]);
        assert!(to_lines(&no_key).is_err());
    }

    #[derive(Serialize)]
    struct Inner {
        zeta: [u8; 2],
        alpha: HashMap<String, Option<HashMap<String, u8>>>,
    }

    #[derive(Serialize)]
    struct Outer {
        second: Inner,
        first: Vec<Inner>,
        empty: HashMap<String, u8>,
    }

    #[test]
    fn members_are_sorted_at_every_depth_whatever_order_they_are_written_in() {
        let inner = |names: &[&str]| {
            let deepest = HashMap::from_iter(names.iter().map(|name| ((*name).to_owned(), 1)));
            let alpha = names.iter().zip([None, Some(deepest)].into_iter().cycle());
            Inner {
                zeta: [1, 2],
                alpha: alpha
                    .map(|(name, value)| ((*name).to_owned(), value))
                    .collect(),
            }
        };
        for names in [
            &["only"][..],
            &["b", "a"],
            &["a", "a!", "a\"", "a ", "", "é", "B", "z", "y", "x"],
        ] {
            let value = Outer {
                second: inner(names),
                first: vec![inner(names), inner(&[])],
                empty: HashMap::new(),
            };
            assert_eq!(to_lines(&value).unwrap(), wanted(&value), "{names:?}");
        }
    }
}
