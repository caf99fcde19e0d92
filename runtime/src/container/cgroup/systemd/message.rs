//! D-Bus messages, as far as talking with systemd needs them (D-Bus specification 0.41, "Message Protocol").

use std::io;

/// A value in a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `b`
    Bool(bool),
    /// `i`
    Int32(i32),
    /// `u`
    Uint32(u32),
    /// `x`
    Int64(i64),
    /// `t`
    Uint64(u64),
    /// `s`
    Text(String),
    /// `au`
    Numbers(Vec<u32>),
    /// `ay`
    Bytes(Vec<u8>),
    /// `a(ss)`
    Pairs(Vec<(String, String)>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Bool(_) => "b",
            Self::Int32(_) => "i",
            Self::Uint32(_) => "u",
            Self::Int64(_) => "x",
            Self::Uint64(_) => "t",
            Self::Text(_) => "s",
            Self::Numbers(_) => "au",
            Self::Bytes(_) => "ay",
            Self::Pairs(_) => "a(ss)",
        }
    }
}

/// What a message consists of: everything is aligned to its own size, counted from the beginning.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        let length = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(length, 0);
    }

    pub(super) fn uint32(&mut self, value: u32) -> &mut Self {
        self.align(4);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    fn uint64(&mut self, value: u64) -> &mut Self {
        self.align(8);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// A string or an object's path.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        // No text of ours comes near 4 GiB.
        self.uint32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self
    }

    fn signature(&mut self, signature: &str) -> &mut Self {
        self.bytes
            .push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.bytes.extend(signature.as_bytes());
        self.bytes.push(0);
        self
    }

    /// An array, whose length is that of its elements without the padding before the first.
    pub(super) fn array(
        &mut self,
        alignment: usize,
        elements: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.uint32(0);
        let length_at = self.bytes.len() - 4;
        self.align(alignment);
        let begin = self.bytes.len();
        elements(self);
        let length = u32::try_from(self.bytes.len() - begin).unwrap_or(u32::MAX);
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        self
    }

    /// An array of names with variants, `a(sv)`.
    pub(super) fn properties(&mut self, properties: &[(String, Value)]) -> &mut Self {
        self.array(8, |writer| {
            for (name, value) in properties {
                writer.align(8);
                writer.text(name).variant(value);
            }
        })
    }

    fn variant(&mut self, value: &Value) -> &mut Self {
        self.signature(value.signature());
        match value {
            Value::Bool(value) => self.uint32((*value).into()),
            Value::Int32(value) => self.uint32(value.cast_unsigned()),
            Value::Uint32(value) => self.uint32(*value),
            Value::Int64(value) => self.uint64(value.cast_unsigned()),
            Value::Uint64(value) => self.uint64(*value),
            Value::Text(text) => self.text(text),
            Value::Numbers(numbers) => self.array(4, |writer| {
                for number in numbers {
                    writer.uint32(*number);
                }
            }),
            Value::Bytes(bytes) => self.array(1, |writer| writer.bytes.extend(bytes)),
            Value::Pairs(pairs) => self.array(8, |writer| {
                for (first, second) in pairs {
                    writer.align(8);
                    writer.text(first).text(second);
                }
            }),
        }
    }

    fn field(&mut self, code: u8, signature: &str, value: &str) {
        self.align(8);
        self.bytes.push(code);
        self.signature(signature);
        if signature == "g" {
            self.signature(value);
        } else {
            self.text(value);
        }
    }
}

/// A call of a method.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
    /// The types in the body.
    pub signature: &'a str,
    pub body: Writer,
}

const METHOD_CALL: u8 = 1;

impl Call<'_> {
    /// The message, as it goes over the socket.
    pub(super) fn message(&self, serial: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        // Little endian, no flags, version 1 of the protocol.
        writer.bytes.extend([b'l', METHOD_CALL, 0, 1]);
        writer.uint32(u32::try_from(self.body.bytes.len()).unwrap_or(u32::MAX));
        writer.uint32(serial);
        writer.array(8, |writer| {
            writer.field(1, "o", self.path);
            writer.field(2, "s", self.interface);
            writer.field(3, "s", self.member);
            writer.field(6, "s", self.destination);
            if !self.signature.is_empty() {
                writer.field(8, "g", self.signature);
            }
        });
        writer.align(8);
        writer.bytes.extend(&self.body.bytes);
        writer.bytes
    }
}

/// What kind of message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reply,
    Error,
    Signal,
    Other,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Incoming {
    pub kind: Kind,
    /// The call that it answers.
    pub answers: Option<u32>,
    /// The method or signal.
    pub member: Option<String>,
    /// The error's name.
    pub error: Option<String>,
    body: Vec<u8>,
}

/// The length of the part of a message that says how long the message is.
pub(super) const PREFIX: usize = 16;

/// How long the whole message is that begins with `prefix`.
pub(super) fn total_length(prefix: &[u8; PREFIX]) -> io::Result<usize> {
    // The specification's own limit: 128 MiB. Ours is far less than systemd ever sends us.
    const MOST: usize = 1 << 20;
    let mut reader = Reader::new(prefix);
    if prefix[0] != b'l' {
        return Err(malformed());
    }
    reader.at = 4;
    let body = reader.uint32()? as usize;
    reader.at = 12;
    let fields = reader.uint32()? as usize;
    let total = (PREFIX + fields).next_multiple_of(8) + body;
    if fields > MOST || body > MOST {
        Err(malformed())
    } else {
        Ok(total)
    }
}

impl Incoming {
    /// Reads a whole message.
    ///
    /// # Errors
    /// Where it breaks off, or has a field of a type that no field has.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let mut reader = Reader::new(bytes);
        let mut incoming = Self {
            kind: match bytes.get(1) {
                Some(2) => Kind::Reply,
                Some(3) => Kind::Error,
                Some(4) => Kind::Signal,
                _ => Kind::Other,
            },
            answers: None,
            member: None,
            error: None,
            body: vec![],
        };
        reader.at = 12;
        let end = PREFIX + reader.uint32()? as usize;
        while reader.at < end {
            reader.align(8);
            let code = reader.byte()?;
            match reader.signature()?.as_str() {
                "u" => {
                    let value = reader.uint32()?;
                    if code == 5 {
                        incoming.answers = Some(value);
                    }
                }
                "g" => drop(reader.signature()?),
                "s" | "o" => {
                    let value = reader.text()?;
                    match code {
                        3 => incoming.member = Some(value),
                        4 => incoming.error = Some(value),
                        _ => {}
                    }
                }
                _ => return Err(malformed()),
            }
        }
        reader.align(8);
        incoming.body = bytes.get(reader.at..).ok_or_else(malformed)?.to_vec();
        Ok(incoming)
    }

    /// Its arguments, to be read in order.
    pub(super) fn body(&self) -> Reader<'_> {
        Reader::new(&self.body)
    }
}

/// Reads values in order.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let end = self.at.checked_add(length).ok_or_else(malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn uint32(&mut self) -> io::Result<u32> {
        self.align(4);
        let bytes = self.take(4)?.try_into().map_err(io::Error::other)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// A string or an object's path.
    pub(super) fn text(&mut self) -> io::Result<String> {
        let length = self.uint32()? as usize;
        let bytes = self.take(length)?.to_vec();
        self.take(1)?;
        String::from_utf8(bytes).map_err(|_| malformed())
    }

    fn signature(&mut self) -> io::Result<String> {
        let length = self.byte()?.into();
        let bytes = self.take(length)?.to_vec();
        self.take(1)?;
        String::from_utf8(bytes).map_err(|_| malformed())
    }

    /// A variant that must hold a string.
    pub(super) fn text_variant(&mut self) -> io::Result<String> {
        match self.signature()?.as_str() {
            "s" | "o" => self.text(),
            _ => Err(malformed()),
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a message as D-Bus has it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(signature: &str, body: Writer) -> Vec<u8> {
        Call {
            destination: "org.example",
            path: "/a",
            interface: "org.example.I",
            member: "M",
            signature,
            body,
        }
        .message(7)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut body = Writer::default();
        body.text("unit").uint32(9).text("/job/1");
        let message = call("suo", body);
        let prefix = message[..PREFIX].try_into().unwrap();
        assert_eq!(total_length(&prefix).unwrap(), message.len());
        let incoming = Incoming::parse(&message).unwrap();
        assert_eq!(incoming.member.as_deref(), Some("M"));
        let mut read = incoming.body();
        assert_eq!(read.text().unwrap(), "unit");
        assert_eq!(read.uint32().unwrap(), 9);
        assert_eq!(read.text().unwrap(), "/job/1");
        assert!(read.uint32().is_err());
    }

    /// Bytes written by hand from the specification: an array of one structure `(sv)`.
    #[test]
    fn properties_are_laid_out_as_the_specification_has_it() {
        let mut writer = Writer::default();
        writer.properties(&[("Ab".to_owned(), Value::Uint64(5))]);
        let expected = [
            &[24, 0, 0, 0, 0, 0, 0, 0][..],
            &[2, 0, 0, 0, b'A', b'b', 0],
            &[1, b't', 0],
            &[0; 6],
            &[5, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(writer.bytes, expected);
    }

    #[test]
    fn what_breaks_off_is_no_message() {
        let mut body = Writer::default();
        body.text("unit");
        let message = call("s", body);
        for length in 0..message.len() - 10 {
            assert!(Incoming::parse(&message[..length]).is_err(), "{length}");
        }
        assert!(total_length(&[b'B'; PREFIX]).is_err());
        assert!(total_length(&[0xff; PREFIX]).is_err());
    }
}
