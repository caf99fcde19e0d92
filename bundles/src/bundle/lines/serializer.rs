//! How each kind of value is told.

use std::fmt::{Display, Write};

use serde::ser::{self, Error as _, Serialize, Serializer};
use serde_json::{Error, Result};

use super::{Lines, Member};

/// A list, or an object from `first` on of [`Lines::members`], that isn't complete.
#[derive(Debug)]
pub(in crate::bundle) struct Open<'a> {
    lines: &'a mut Lines,
    first: usize,
    is_empty: bool,
    /// Whether it is the one member of an object: a variant with its name.
    is_named: bool,
}

impl Lines {
    fn open(&mut self, bracket: char) -> Open<'_> {
        self.text.push(bracket);
        self.depth += 1;
        Open {
            first: self.members.len(),
            lines: self,
            is_empty: true,
            is_named: false,
        }
    }

    fn open_named(&mut self, name: &str, bracket: char) -> Result<Open<'_>> {
        self.open('{').key(name)?;
        let mut open = self.open(bracket);
        open.is_named = true;
        Ok(open)
    }

    fn plain(&mut self, value: impl Display) -> Result<()> {
        write!(self.text, "{value}").map_err(Error::custom)
    }

    /// Ends the value of the innermost object's last member.
    fn end_member(&mut self) {
        let end = self.cut();
        if let Some(member) = self.members.last_mut() {
            member.parts.end = end;
        }
    }

    fn end_object(&mut self, first: usize) {
        let is_empty = first == self.members.len();
        self.sort(first);
        self.end(is_empty, '}');
    }

    fn end(&mut self, is_empty: bool, bracket: char) {
        self.depth -= 1;
        if !is_empty {
            self.line(1);
        }
        self.text.push(bracket);
    }
}

impl Open<'_> {
    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.lines.line(usize::from(self.is_empty));
        self.is_empty = false;
        value.serialize(&mut *self.lines)
    }

    fn key(&mut self, key: &(impl Serialize + ?Sized)) -> Result<()> {
        let part = self.lines.cut();
        self.lines.line(0);
        let begin = self.lines.text.len();
        key.serialize(&mut *self.lines)?;
        self.lines.quote(begin)?;
        let end = self.lines.text.len();
        self.lines.text.push_str(": ");
        self.lines.members.push(Member {
            key: begin + 1..end - 1,
            parts: part..part,
        });
        Ok(())
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        value.serialize(&mut *self.lines)?;
        self.lines.end_member();
        Ok(())
    }

    fn end_list(self) -> Result<()> {
        self.lines.end(self.is_empty, ']');
        self.end_name()
    }

    fn end_object(self) -> Result<()> {
        self.lines.end_object(self.first);
        self.end_name()
    }

    fn end_name(self) -> Result<()> {
        if self.is_named {
            self.lines.end_member();
            self.lines.end_object(self.first - 1);
        }
        Ok(())
    }
}

impl Lines {
    /// Makes a key of the value since `begin`.
    fn quote(&mut self, begin: usize) -> Result<()> {
        match self.text.as_bytes()[begin] {
            b'"' => {}
            b'0'..=b'9' | b'-' | b't' | b'f' => {
                self.text.insert(begin, '"');
                self.text.push('"');
            }
            _ => return Err(Error::custom("a key must be a string")),
        }
        Ok(())
    }
}

/// Methods that tell a value as it is displayed.
macro_rules! displayed {
    ($($method:ident: $type:ty),+) => {
        $(fn $method(self, value: $type) -> Result<()> {
            self.plain(value)
        })+
    };
}

impl<'a> Serializer for &'a mut Lines {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    displayed!(
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128
    );

    fn serialize_f32(self, value: f32) -> Result<()> {
        self.plain(serde_json::to_string(&value)?)
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        self.plain(serde_json::to_string(&value)?)
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<()> {
        self.plain("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.plain("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.plain("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let mut open = self.open('{');
        open.key(variant)?;
        open.value(value)?;
        open.end_object()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>> {
        Ok(self.open('['))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>> {
        Ok(self.open('['))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>> {
        Ok(self.open('['))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>> {
        self.open_named(variant, '[')
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>> {
        Ok(self.open('{'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>> {
        Ok(self.open('{'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>> {
        self.open_named(variant, '{')
    }
}

/// A trait of serde's for something that is told by [`Open`].
macro_rules! told {
    ($trait:ident, $method:ident, $told:ident, $end:ident) => {
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.$told(value)
            }

            fn end(self) -> Result<()> {
                self.$end()
            }
        }
    };
    ($trait:ident) => {
        impl ser::$trait for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<()> {
                self.key(key)?;
                self.value(value)
            }

            fn end(self) -> Result<()> {
                self.end_object()
            }
        }
    };
}

told!(SerializeSeq, serialize_element, item, end_list);
told!(SerializeTuple, serialize_element, item, end_list);
told!(SerializeTupleStruct, serialize_field, item, end_list);
told!(SerializeTupleVariant, serialize_field, item, end_list);
told!(SerializeStruct);
told!(SerializeStructVariant);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.value(value)
    }

    fn end(self) -> Result<()> {
        self.end_object()
    }
}
