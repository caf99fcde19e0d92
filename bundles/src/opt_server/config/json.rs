//! JSON that knows its line numbers.
//!
//! A value is kept as the piece of the text that it stands in (`RawValue`), so its line is a matter of
//! counting, and it is taken apart only as far as it is asked for.

use std::fmt;
use std::path::Path;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{ConfigError, Problem, Quoted, Whose};
use super::{Idle, Warning};

/// A text that is known to be JSON, nested no deeper than serde_json goes.
pub(super) struct Document<'a> {
    text: &'a str,
    path: &'a Path,
    /// Where each line but the first begins.
    lines: Vec<usize>,
}

/// A value in a document.
#[derive(Clone, Copy)]
pub(super) struct Node<'a>(&'a RawValue);

/// A key and its value.
pub(super) struct Member<'a> {
    pub key: String,
    pub at: Node<'a>,
    pub value: Node<'a>,
}

impl<'a> Document<'a> {
    pub fn new(text: &'a [u8], path: &'a Path) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(text).map_err(|error| {
            let good = &text[..error.valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = good.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            ConfigError::Syntax {
                path: path.to_owned(),
                line,
                column,
                reason: "it is not UTF-8".to_owned(),
            }
        })?;
        // The one pass that goes into everything: nodes are taken apart one level at a time, and what is
        // not asked for would never be found to be wrong or too deep.
        serde_json::from_str::<serde_json::Value>(text)
            .map_err(|error| syntax(&error, text, path))?;
        let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Ok(Self { text, path, lines })
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The whole.
    pub fn root(&self) -> Result<Node<'a>, ConfigError> {
        serde_json::from_str(self.text)
            .map(Node)
            .map_err(|error| syntax(&error, self.text, self.path))
    }

    /// The line, from 1, on which a node of this document begins.
    pub fn line(&self, node: Node<'_>) -> usize {
        let offset = node.0.get().as_ptr().addr() - self.text.as_ptr().addr();
        self.lines.partition_point(|start| *start <= offset) + 1
    }

    /// That the `key` at `node` has no effect.
    pub fn warning(&self, node: Node<'_>, whose: &Whose, key: String, why: Idle) -> Warning {
        let (path, line) = (self.path.to_owned(), self.line(node));
        Warning {
            path,
            line,
            whose: whose.clone(),
            key,
            why,
        }
    }

    pub fn error(&self, node: Node<'_>, whose: &Whose, problem: Problem) -> ConfigError {
        let (path, line) = (self.path.to_owned(), self.line(node));
        ConfigError::Invalid {
            path,
            line,
            whose: whose.clone(),
            problem: Box::new(problem),
        }
    }
}

impl<'a> Node<'a> {
    /// The members of an object, in the text's order and with duplicates.
    pub fn members(self) -> Option<Vec<Member<'a>>> {
        if !self.0.get().starts_with('{') {
            return None;
        }
        serde_json::Deserializer::from_str(self.0.get())
            .deserialize_map(Members)
            .ok()
    }

    /// The elements of an array.
    pub fn elements(self) -> Option<Vec<Node<'a>>> {
        if !self.0.get().starts_with('[') {
            return None;
        }
        let elements: Vec<&RawValue> = serde_json::from_str(self.0.get()).ok()?;
        Some(elements.into_iter().map(Node).collect())
    }

    /// A string, with its escapes resolved.
    pub fn string(self) -> Option<String> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// A whole number that isn't negative.
    pub fn number(self) -> Option<u64> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// `true` or `false`.
    pub fn truth(self) -> Option<bool> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// As [`Self::describe`], and a number as it stands there.
    pub fn describe_number(self) -> String {
        const MOST: usize = 30;
        match self.describe() {
            described if described == "a number" && self.0.get().len() <= MOST => {
                self.0.get().to_owned()
            }
            described => described,
        }
    }

    /// What the value is, for "must be …, not this".
    pub fn describe(self) -> String {
        match self.0.get().as_bytes().first() {
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "an array".to_owned(),
            Some(b'"') => format!("the string {}", Quoted(&self.string().unwrap_or_default())),
            Some(b't' | b'f' | b'n') => self.0.get().to_owned(),
            _ => "a number".to_owned(),
        }
    }
}

/// Collects an object's members; a `Map` would keep only the last of those with the same key.
struct Members;

impl<'a> Visitor<'a> for Members {
    type Value = Vec<Member<'a>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let at = Node(key);
            let key = at.string().unwrap_or_default();
            members.push(Member {
                key,
                at,
                value: Node(value),
            });
        }
        Ok(members)
    }
}

fn syntax(error: &serde_json::Error, text: &str, path: &Path) -> ConfigError {
    // serde_json's message ends in the place, which we put first.
    let message = error.to_string();
    let reason = message
        .rsplit_once(" at line ")
        .map_or(&*message, |(reason, _)| reason);
    let reason = if text.trim_ascii().is_empty() {
        "the file is empty"
    } else if text.starts_with('\u{feff}') {
        "the file begins with a byte order mark"
    } else if reason.starts_with("recursion limit") {
        "nested too deeply, over the limit of 127 levels"
    } else {
        reason
    };
    let (line, column) = (error.line().max(1), error.column().max(1));
    ConfigError::Syntax {
        path: path.to_owned(),
        line,
        column,
        reason: reason.to_owned(),
    }
}
