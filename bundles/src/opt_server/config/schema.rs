//! The JSON Schema of `config.json`, made from the table of keys.
//!
//! A schema can't tell all that the parser does (a key given twice, a key that is nearly a known one, options
//! that don't end); what it refuses the parser refuses too.

use serde_json::{Map, Value, json};

use super::keys::{COMMAND, EXTENSION, GROUP, IDENTITY, Key, SERVER, Shape, TOP, WRITABLE};
use super::limits::LIMITS;
use crate::seccomp;

/// `..` anywhere in a path.
const PARENT: &str = r"(^|/)\.\.(/|$)";

/// The schema, by the draft of 2020-12.
pub fn schema() -> Value {
    let mut schema = object(&TOP, true);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("config.json of an Opt-Server");
    schema["$defs"] = json!({
        "command": object(&COMMAND, true),
        "extensions of a command": object(&EXTENSION, false),
        "extensions of the server": object(&SERVER, false),
        "writable path": object(&WRITABLE, false),
        "identity": object(&IDENTITY, false),
        "user group": object(&GROUP, false),
        "limits": limits(),
        "path": {
            "type": "string",
            "pattern": r"^/[^\u0000]*$",
            "not": { "pattern": PARENT },
        },
        "system call": {
            "type": "string",
            "pattern": "^[a-z0-9_]+$",
            "not": { "enum": seccomp::refused_additions() },
        },
    });
    schema
}

fn object(keys: &'static [Key], is_open: bool) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut value = of(&key.shape);
            let mut description = key.meaning.to_owned();
            if !key.is_required {
                description = format!("{description}. Without it: {}", key.default);
            }
            value["description"] = json!(description);
            (key.name.to_owned(), value)
        })
        .collect();
    let required: Vec<&str> = keys
        .iter()
        .filter(|key| key.is_required)
        .map(|key| key.name)
        .collect();
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if !is_open {
        object["additionalProperties"] = json!(false);
    }
    object
}

fn limits() -> Value {
    let properties: Map<String, Value> = LIMITS
        .iter()
        .map(|limit| {
            let description = format!("{}, in {}", limit.meaning, limit.unit);
            let mut value = number(limit.least, limit.most);
            value["description"] = json!(description);
            (limit.name.to_owned(), value)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn number(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// By name where it has one, so that the schema stays readable.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{}", name.replace(' ', "%20")) })
}

/// No slash, no control character, and no white space as the parser sees it (Unicode's `White_Space`), of which engines' `\s`
/// is more or less.
const NAME: &str =
    r"^[^/\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$";

fn of(shape: &'static Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string", "pattern": r"^[^\u0000]*$" }),
        Shape::Name => json!({ "type": "string", "pattern": NAME }),
        Shape::Path => reference("path"),
        Shape::Device => json!({
            "type": "string",
            "pattern": r"^/dev/+[^/\u0000][^\u0000]*$",
            "not": { "pattern": PARENT },
        }),
        Shape::Library => json!({
            "anyOf": [
                { "type": "string", "pattern": r"^[^/\u0000]+$", "not": { "enum": [".", ".."] } },
                reference("path"),
            ],
        }),
        Shape::SystemCall => reference("system call"),
        Shape::Assignment => json!({ "type": "string", "pattern": r"^[^=\u0000]+=[^\u0000]*$" }),
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Number(least, most) => number(*least, *most),
        Shape::Choice(names) => json!({ "enum": names }),
        Shape::List(one) => json!({ "type": "array", "items": of(one) }),
        Shape::Named(one) => json!({
            "type": "object",
            "propertyNames": of(&Shape::Name),
            "additionalProperties": of(one),
        }),
        Shape::Variables => json!({
            "type": "object",
            "propertyNames": { "pattern": r"^[^=\u0000]+$" },
            "additionalProperties": { "type": "string", "pattern": r"^[^\u0000]*$" },
        }),
        Shape::Open(keys) | Shape::Closed(keys) => named(keys),
        Shape::Limits => reference("limits"),
        Shape::Either(shapes) => {
            let shapes: Vec<Value> = shapes.iter().map(of).collect();
            json!({ "anyOf": shapes })
        }
    }
}

/// The definition that an object of these keys has.
fn named(keys: &'static [Key]) -> Value {
    let definitions: [(&'static [Key], &str); 6] = [
        (&COMMAND, "command"),
        (&EXTENSION, "extensions of a command"),
        (&SERVER, "extensions of the server"),
        (&WRITABLE, "writable path"),
        (&IDENTITY, "identity"),
        (&GROUP, "user group"),
    ];
    let is_it = |known: &&(&'static [Key], &str)| std::ptr::eq(known.0, keys);
    match definitions.iter().find(is_it) {
        Some((_, name)) => reference(name),
        None => object(keys, false),
    }
}
