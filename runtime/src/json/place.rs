//! Where in a text a value is: by its key, as people write it, and by line and column.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::telling::shorten;

/// The way from a text's root to a value in it.
pub(super) type Key = Vec<Step>;

/// One part of it.
pub(super) enum Step {
    Index(usize),
    Name(String),
}

/// As people write it: `process.rlimits[2].hard`.
pub(super) fn shown(key: &Key) -> String {
    let mut text = String::new();
    for step in key {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&shorten(name));
            }
        }
    }
    text
}

/// The key of the innermost value that `offset` is in, or at the end of.
pub(super) fn key_at(text: &str, offset: usize) -> Key {
    let mut key = vec![];
    let mut here: Option<&RawValue> = serde_json::from_str(text).ok();
    while let Some(value) = here {
        here = None;
        for (step, child) in children(value) {
            let start = offset_of(child, text);
            if (start..=start + child.get().len()).contains(&offset) {
                key.push(step);
                here = Some(child);
                break;
            }
        }
    }
    key
}

/// Line and column at which the value begins that `key` leads to.
pub(super) fn place_of(key: &Key, text: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut here: &RawValue = serde_json::from_str(text).ok()?;
    for wanted in key {
        let mut children = children(here).into_iter();
        (_, here) = children.find(|(step, _)| match (step, wanted) {
            (Step::Index(index), Step::Index(wanted)) => index == wanted,
            (Step::Name(name), Step::Name(wanted)) => name == wanted,
            _ => false,
        })?;
    }
    Some(line_and_column(&text.as_bytes()[..offset_of(here, text)]))
}

/// What is directly in an array or an object, in no particular order.
fn children(value: &RawValue) -> Vec<(Step, &RawValue)> {
    let text = value.get();
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        let indexed = items.into_iter().enumerate();
        return indexed
            .map(|(index, item)| (Step::Index(index), item))
            .collect();
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let named = members.into_iter();
    named
        .map(|(name, member)| (Step::Name(name), member))
        .collect()
}

/// Where a piece of `text` begins in it.
fn offset_of(piece: &RawValue, text: &str) -> usize {
    piece.get().as_ptr().addr() - text.as_ptr().addr()
}

/// The place behind this beginning of a text, both from 1.
pub(super) fn line_and_column(before: &[u8]) -> (usize, usize) {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    (line, before.len() - line_start(before) + 1)
}

/// Where a text's last line begins.
fn line_start(text: &[u8]) -> usize {
    let end = text.iter().rposition(|byte| *byte == b'\n');
    end.map_or(0, |end| end + 1)
}

/// The offset at which serde_json's lines and columns are.
pub(super) fn offset_at(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    before + column
}
