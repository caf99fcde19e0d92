//! What no file of ours can be, whatever it is to say.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::Fault;
use super::place::{Key, Step, line_and_column};

/// The deepest nesting that is read: what serde_json takes of what it keeps, here also of what is ignored.
pub(super) const DEEPEST: usize = 127;

/// Refuses a text that no file of ours can be: nested too deep, or with NUL in a string.
///
/// # Errors
/// The first place.
pub(crate) fn check(text: &[u8]) -> Result<(), Fault> {
    refuse_depth(text)?;
    refuse_nul(text)
}

fn refuse_depth(text: &[u8]) -> Result<(), Fault> {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for (offset, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            let (line, column) = line_and_column(&text[..offset]);
            let reason = format!("nested more than {DEEPEST} levels deep");
            return Err(Fault::syntax(reason, line, column));
        }
    }
    Ok(())
}

/// Refuses a text with a string that holds NUL, which no path, argument or name can: the kernel would take what is
/// before it for the whole.
///
/// # Errors
/// The first such string; where the text holds NUL somewhere, and what isn't looked into elsewhere can't be either.
pub(super) fn refuse_nul(text: &[u8]) -> Result<(), Fault> {
    // In JSON it can only be written so; hardly any text has it.
    if !text.windows(6).any(|six| six == b"\\u0000") {
        return Ok(());
    }
    let value = match serde_json::from_slice::<Value>(text) {
        Ok(value) => value,
        // What is no JSON is for who parses it to tell; what is, and can't be looked through, is refused.
        Err(_) if serde_json::from_slice::<IgnoredAny>(text).is_err() => return Ok(()),
        Err(error) => return Err(Fault::of_syntax(&error)),
    };
    let Some(key) = key_with_nul(&value) else {
        return Ok(());
    };
    Err(Fault::of_value(&key, String::new(), "it holds NUL", text))
}

/// The way to the first string that holds NUL; for the name of a key, to what has it.
fn key_with_nul(value: &Value) -> Option<Key> {
    let below = |step: Step, value: &Value| {
        let mut key = key_with_nul(value)?;
        key.insert(0, step);
        Some(key)
    };
    match value {
        Value::String(text) => text.contains('\0').then(Vec::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| below(Step::Index(index), item))
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            if name.contains('\0') {
                return Some(vec![]);
            }
            below(Step::Name(name.clone()), value)
        }),
        _ => None,
    }
}
