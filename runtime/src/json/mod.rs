//! Reading JSON that others wrote: what is wrong is told with its key, what would be right, and where it stands.

mod limits;
mod objects;
mod once;
mod place;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub(crate) use limits::check;
use objects::Objects;
pub(crate) use once::refuse_twice;
use place::{Key, key_at, offset_at, place_of, shown};
use words::in_words;

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key, such as `process.rlimits[2].hard`; empty for the text as a whole.
    key: String,
    reason: String,
    /// From 1; columns are bytes.
    line: usize,
    column: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            reason,
            line,
            column,
        } = self;
        let colon = if key.is_empty() { "" } else { ": " };
        write!(f, "{key}{colon}{reason}, at line {line}, column {column}")
    }
}

/// As long as a container's state and most bundles are, in bytes: what begins small is copied whenever it has doubled.
const USUAL: usize = 4096;

/// The text of `value`, for a file of ours.
///
/// # Errors
/// Where it has no text.
pub(crate) fn text_of<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut text, value)?;
    Ok(text)
}

/// Reads `text` as a `T`.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    parse_copy(text, text)
}

/// Reads `copy` as a `T`: `original`, or the same with less in it.
///
/// # Errors
/// As [`parse`], with the place in `original`.
pub(crate) fn parse_copy<T: DeserializeOwned>(copy: &[u8], original: &[u8]) -> Result<T, Fault> {
    let mut source = serde_json::Deserializer::from_slice(copy);
    T::deserialize(Objects(&mut source))
        .and_then(|value| source.end().map(|()| value))
        .map_err(|error| fault(&error, copy, original))
}

/// The fault behind serde_json's `error` about `copy`.
fn fault(error: &serde_json::Error, copy: &[u8], original: &[u8]) -> Fault {
    if !error.is_data() {
        return Fault::of_syntax(error);
    }
    // What isn't JSON at its end can't be searched for keys, and is wrong in the first place.
    let text = String::from_utf8_lossy(copy);
    if let Err(error) = serde_json::from_str::<&RawValue>(&text) {
        return Fault::of_syntax(&error);
    }
    let key = key_at(&text, offset_at(&text, error.line(), error.column()));
    let (field, reason) = in_words(&message(error));
    Fault::of_value(&key, field, &reason, original)
}

impl Fault {
    fn syntax(reason: String, line: usize, column: usize) -> Self {
        Self {
            key: String::new(),
            reason,
            line,
            column,
        }
    }

    fn of_syntax(error: &serde_json::Error) -> Self {
        let message = message(error);
        let reason = match message.as_str() {
            "EOF while parsing a value" if error.column() == 0 => "the file is empty".to_owned(),
            other => format!("not JSON: {other}"),
        };
        Self::syntax(reason, error.line(), error.column())
    }

    /// What is wrong with the value at `key` of `text` or, where one is given, with a field of it.
    fn of_value(key: &Key, field: String, reason: &str, text: &[u8]) -> Self {
        let (line, column) = place_of(key, text).unwrap_or((1, 1));
        let key = match (shown(key), field) {
            (key, field) if field.is_empty() => key,
            (key, field) if key.is_empty() => field,
            (key, field) => format!("{key}.{field}"),
        };
        Self {
            key,
            reason: reason.to_owned(),
            line,
            column,
        }
    }
}

/// serde_json puts the place behind its message.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}
