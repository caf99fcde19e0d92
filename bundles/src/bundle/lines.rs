//! JSON for people: a line each, indented. The bytes are those of serde_json's own, which asks the writer for every two blanks.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

const BLANKS: &[u8] = &[b' '; 64];

/// How deep, and whether anything was written in the list or object.
#[derive(Debug, Default)]
struct Lines {
    depth: usize,
    has_value: bool,
}

/// A value as text, with a line feed at its end.
pub(super) fn to_lines(value: &Value) -> serde_json::Result<String> {
    let mut text = Vec::with_capacity(32 << 10);
    value.serialize(&mut Serializer::with_formatter(&mut text, Lines::default()))?;
    text.push(b'\n');
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}

impl Lines {
    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.has_value {
            self.line(writer, b"\n")?;
        }
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&self, writer: &mut W, is_first: bool) -> io::Result<()> {
        self.line(writer, if is_first { b"\n" } else { b",\n" })
    }

    fn line<W: ?Sized + Write>(&self, writer: &mut W, end: &[u8]) -> io::Result<()> {
        writer.write_all(end)?;
        let mut left = 2 * self.depth;
        while left > 0 {
            let now = left.min(BLANKS.len());
            writer.write_all(&BLANKS[..now])?;
            left -= now;
        }
        Ok(())
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

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
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
        self.item(writer, is_first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_serde_json() {
        let mut deep = json!("\u{1}");
        for _ in 0..40 {
            deep = json!([deep]);
        }
        let values = [
            json!(null),
            json!([]),
            json!({}),
            json!({ "a": [], "b": {}, "c": [1, "\"x\\", [2.5, {}], { "d": false }], "e": { "f": [[]] } }),
            deep,
        ];
        for value in values {
            let wanted = format!("{value:#}\n");
            assert_eq!(to_lines(&value).unwrap(), wanted);
        }
    }
}
