//! The reference of `config.json` in the documentation, made from the table of keys.

use super::keys::{COMMAND, GROUP, IDENTITY, Key, SERVER, Shape, TOP, WRITABLE};
use super::limits::LIMITS;

/// Tables in Markdown, one for each object.
pub fn reference() -> String {
    let mut text = String::new();
    for (title, keys) in [
        ("The file", &TOP[..]),
        ("A command", &COMMAND[..]),
        ("`x-opt-runtime`", &SERVER[..]),
        ("An entry of `mount-writable`", &WRITABLE[..]),
        ("`identity`", &IDENTITY[..]),
        ("A group in `user-groups`", &GROUP[..]),
    ] {
        text.push_str(&format!(
            "**{title}**\n\n| key | type | without it | meaning |\n|---|---|---|---|\n"
        ));
        for key in keys {
            text.push_str(&row(key));
        }
        text.push('\n');
    }
    text.push_str("**`limits`**\n\n| key | in | from | to | meaning |\n|---|---|---|---|---|\n");
    for limit in &LIMITS {
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            limit.name, limit.unit, limit.least, limit.most, limit.meaning
        ));
    }
    text
}

fn row(key: &'static Key) -> String {
    let (name, shape) = (key.name, kind(&key.shape));
    format!(
        "| `{name}` | {shape} | {} | {} |\n",
        key.default, key.meaning
    )
}

fn kind(shape: &'static Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Name => "name".to_owned(),
        Shape::Path => "absolute path".to_owned(),
        Shape::Device => "path below `/dev`".to_owned(),
        Shape::Library => "absolute path or library's name".to_owned(),
        Shape::SystemCall => "system call's name".to_owned(),
        Shape::Assignment => "`\"NAME=value\"`".to_owned(),
        Shape::Truth => "`true` or `false`".to_owned(),
        Shape::Number(least, most) => format!("number from {least} to {most}"),
        Shape::Choice(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
            names.join(" or ")
        }
        Shape::List(one) => format!("array of: {}", kind(one)),
        Shape::Named(_) => "object of objects, by name".to_owned(),
        Shape::Variables => "object of strings".to_owned(),
        Shape::Open(_) | Shape::Closed(_) | Shape::Limits => "object".to_owned(),
        Shape::Either(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(kind).collect();
            shapes.join(", or ")
        }
    }
}
