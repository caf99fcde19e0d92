//! JSON for people: a line each, indented, the members of every object sorted. The bytes are those of serde_json's `Value`,
//! without making one, which takes as long as the text itself.

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::{Formatter, Serializer};

/// What ends a line, and blanks for the next one.
const BLANKS: &[u8] = b",\n                                                                ";

/// A value as text, with a line feed at its end: equal values, equal bytes, for a hash map's order doesn't show.
pub(super) fn to_lines(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Text::default();
    text.0.borrow_mut().reserve(64 << 10);
    let lines = Lines {
        text: text.clone(),
        open: vec![],
    };
    value.serialize(&mut Serializer::with_formatter(&mut text, lines))?;
    let mut text = text.0.take();
    text.push(b'\n');
    String::from_utf8(text).map_err(serde_json::Error::custom)
}

/// What is written so far: the serializer adds to it, the formatter sorts in it.
#[derive(Debug, Clone, Default)]
struct Text(Rc<RefCell<Vec<u8>>>);

impl Text {
    fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Puts an object's members, which are its end so far, in the order of their keys.
    fn sort(&self, mut members: Vec<Member>) {
        let mut text = self.0.borrow_mut();
        let key = |member: &Member| member.key.clone();
        if members.is_sorted_by(|one, next| text[key(one)] <= text[key(next)]) {
            return;
        }
        // There are two at least, with the same between all of them.
        let begin = members[0].whole.start;
        let between = members[0].whole.end - begin..members[1].whole.start - begin;
        members.sort_unstable_by(|one, other| text[key(one)].cmp(&text[key(other)]));
        let unsorted = text.split_off(begin);
        for (index, Member { whole, .. }) in members.iter().enumerate() {
            if index > 0 {
                text.extend_from_slice(&unsorted[between.clone()]);
            }
            text.extend_from_slice(&unsorted[whole.start - begin..whole.end - begin]);
        }
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A key with its value, and the key without its quotes, as places in the text.
#[derive(Debug)]
struct Member {
    whole: Range<usize>,
    key: Range<usize>,
}

/// A list or object that isn't complete.
#[derive(Debug)]
struct Open {
    /// Where the text is that follows its bracket.
    begin: usize,
    members: Vec<Member>,
}

/// Lays out what is written to `text`.
#[derive(Debug)]
struct Lines {
    text: Text,
    /// From the outermost to the innermost.
    open: Vec<Open>,
}

impl Lines {
    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        writer.write_all(bracket)?;
        self.open.push(Open {
            begin: self.text.len(),
            members: vec![],
        });
        Ok(())
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if let Some(complete) = self.open.pop()
            && complete.begin != self.text.len()
        {
            self.text.sort(complete.members);
            self.line(writer, 1)?;
        }
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&self, writer: &mut W, is_first: bool) -> io::Result<()> {
        self.line(writer, usize::from(is_first))
    }

    /// Begins a line; without the comma where the first byte of [`BLANKS`] is left out.
    fn line<W: ?Sized + Write>(&self, writer: &mut W, mut first: usize) -> io::Result<()> {
        let mut left = 2 * self.open.len();
        loop {
            let now = left.min(BLANKS.len() - 2);
            writer.write_all(&BLANKS[first..2 + now])?;
            left -= now;
            if left == 0 {
                return Ok(());
            }
            first = 2;
        }
    }

    /// The member that is being written.
    fn member(&mut self) -> Option<&mut Member> {
        self.open.last_mut()?.members.last_mut()
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        self.item(writer, is_first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        self.item(writer, is_first)?;
        let begin = self.text.len();
        if let Some(object) = self.open.last_mut() {
            object.members.push(Member {
                whole: begin..begin,
                key: begin + 1..begin + 1,
            });
        }
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.text.len();
        if let Some(member) = self.member() {
            member.key.end = end - 1;
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.text.len();
        if let Some(member) = self.member() {
            member.whole.end = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;

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
