//! serde's messages in the words of JSON.

use crate::telling::shorten;

/// serde's message about a value: the field of it that it is about, if it is about one, and what is wrong.
pub(super) fn in_words(message: &str) -> (String, String) {
    let quoted = |prefix: &str| message.strip_prefix(prefix)?.strip_suffix('`');
    if let Some(name) = quoted("missing field `") {
        return (name.to_owned(), "it is missing".to_owned());
    }
    if let Some(name) = quoted("duplicate field `") {
        return (shorten(name), "it is there twice".to_owned());
    }
    let reason = if let Some(rest) = message.strip_prefix("invalid type: ") {
        mismatch(rest, false)
    } else if let Some(rest) = message.strip_prefix("invalid value: ") {
        mismatch(rest, true)
    } else if let Some(rest) = message.strip_prefix("unknown variant `") {
        rest.split_once("`, expected ").map(|(found, expected)| {
            let expected = expected.replace('`', "\"");
            format!("expected {expected}; found \"{}\"", shorten(found))
        })
    } else {
        None
    };
    (String::new(), reason.unwrap_or_else(|| shorten(message)))
}

/// `FOUND, expected EXPECTED`, as serde says it. `whole` says the found value itself, not only its type.
fn mismatch(text: &str, whole: bool) -> Option<String> {
    let (found, expected) = text.rsplit_once(", expected ")?;
    let found = match found.split_once(' ') {
        Some(("string", value)) if whole => format!("the string {}", shorten(value)),
        Some(("string", _)) => "a string".to_owned(),
        // integer `7`, floating point `0.5`, boolean `true`
        _ if found.ends_with('`') => found.split('`').nth(1)?.to_owned(),
        _ => match found {
            "map" => "an object".to_owned(),
            "sequence" => "an array".to_owned(),
            "unit value" => "null".to_owned(),
            other => shorten(other),
        },
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize"
            if whole =>
        {
            format!("an integer from {}", range(expected)?)
        }
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            "an integer".to_owned()
        }
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "path string" | "string or map" | "a character" => "a string".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => shorten(other),
    };
    Some(format!("expected {expected}, found {found}"))
}

fn range(of: &str) -> Option<String> {
    let (first, last) = match of {
        "u8" => (0, i128::from(u8::MAX)),
        "u16" => (0, i128::from(u16::MAX)),
        "u32" => (0, i128::from(u32::MAX)),
        "u64" | "usize" => (0, i128::from(u64::MAX)),
        "i8" => (i128::from(i8::MIN), i128::from(i8::MAX)),
        "i16" => (i128::from(i16::MIN), i128::from(i16::MAX)),
        "i32" => (i128::from(i32::MIN), i128::from(i32::MAX)),
        "i64" | "isize" => (i128::from(i64::MIN), i128::from(i64::MAX)),
        _ => return None,
    };
    Some(format!("{first} to {last}"))
}
