//! How image files are written: Shifter's options for its programs, of which those are passed on that can do no harm.

use image_files::convert::{RefusedOption, WriteOptions};
use serde_json::Value;

use super::section::Section;

const KEY: &str = "ConverterOptions";

/// Lists of options by format, as Shifter has it; one list or text, as newer ones have it, is for squashfs.
pub(super) fn read(top: &mut Section) -> WriteOptions {
    let mut options = WriteOptions::default();
    match top.any(KEY) {
        None => {}
        Some(Value::Object(object)) => {
            let mut section = top.below(KEY, object);
            by_format(&mut section, &mut options);
            section.finish();
        }
        Some(value) => set(top, KEY, &value, |words| options.set_squashfs(words)),
    }
    options
}

fn by_format(section: &mut Section, options: &mut WriteOptions) {
    for format in ["cramfs", "ext4"] {
        section.dead(format, "images are squashfs or EROFS");
    }
    if let Some(value) = section.any("squashfs") {
        set(section, "squashfs", &value, |words| {
            options.set_squashfs(words)
        });
    }
    if let Some(value) = section.any("erofs") {
        set(section, "erofs", &value, |words| options.set_erofs(words));
    }
}

fn set(
    section: &Section,
    key: &str,
    value: &Value,
    set: impl FnOnce(&[String]) -> Result<(), RefusedOption>,
) {
    match words(value).map(|words| set(&words)) {
        Some(Ok(())) => {}
        Some(Err(refused)) => section.fault(key, refused),
        None => section.fault(key, "must be a list of options, as [\"-comp\", \"gzip\"]"),
    }
}

/// A text may hold several, with blanks between.
fn words(value: &Value) -> Option<Vec<String>> {
    let texts: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    Some(words.map(str::to_owned).collect())
}
