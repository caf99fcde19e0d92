//! An image's `.meta` file: what a node knows of it.

use std::fmt::Write;

use crate::state::Image;

/// Its text. What can't be said in a line of such a file is left out: a line break would begin another line, which an
/// image could use to say who may use it.
pub(super) fn meta(image: &Image) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        if is_sayable(value) {
            // Writing to a string doesn't fail.
            let _ = writeln!(text, "{key}: {value}");
        } else {
            tracing::warn!(id = %image.id, key, "left out of .meta: it has a line break or ends with a backslash");
        }
    };
    line("FORMAT", image.format.name());
    let settings = &image.settings;
    if let Some(words) = &settings.entry_point {
        line("ENTRY", &list(words));
    }
    if let Some(words) = &settings.command {
        line("CMD", &list(words));
    }
    if let Some(directory) = &settings.working_directory {
        line("WORKDIR", directory);
    }
    if image.private && !image.access.is_open() {
        for (key, ids) in [
            ("USERACL", &image.access.users),
            ("GROUPACL", &image.access.groups),
        ] {
            if let Some(ids) = ids.as_ref().filter(|ids| !ids.is_empty()) {
                let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
                line(key, &ids.join(","));
            }
        }
    }
    for variable in &settings.environment {
        line("ENV", variable);
    }
    line("DIGEST", &image.file_digest);
    text
}

fn is_sayable(value: &str) -> bool {
    !value.chars().any(char::is_control) && !value.ends_with('\\')
}

/// As Python prints a list of texts, which is how Shifter's runtime reads it.
fn list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", quoted.join(", "))
}

fn quoted(word: &str) -> String {
    let quote = match word.contains('\'') && !word.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut text = String::from(quote);
    for character in word.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            own if own == quote => {
                text.push('\\');
                text.push(own);
            }
            control if control.is_control() => {
                let _ = write!(text, "\\x{:02x}", u32::from(control));
            }
            plain => text.push(plain),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bundles::shifter::image::Meta;

    use super::*;
    use crate::pull::Format;
    use crate::state::{Access, Kind, Settings, Status};

    fn image() -> Image {
        Image {
            system: "c".to_owned(),
            id: "1".to_owned(),
            kind: Kind::Docker,
            tags: vec![],
            status: Status::Ready,
            format: Format::Squashfs,
            size: 0,
            file_digest: "sha256:00".to_owned(),
            digest: "sha256:11".to_owned(),
            private: false,
            access: Access {
                users: Some(vec![1, 2]),
                groups: None,
            },
            owner: 1,
            settings: Settings::default(),
            last_pull: 0,
            expiration: None,
        }
    }

    #[test]
    fn a_node_reads_what_was_meant() {
        let mut image = image();
        let words = ["sh", "-c", "it's", "a \"b\" 'c'", "x\\y\n\u{1}é", ""];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        image.settings = Settings {
            environment: vec!["PATH=/bin".to_owned(), "E=".to_owned()],
            entry_point: Some(words.clone()),
            command: Some(vec!["[x".to_owned()]),
            working_directory: Some("/work dir".to_owned()),
            ..Settings::default()
        };
        image.private = true;
        let read = Meta::parse(meta(&image).as_bytes(), Path::new("1.meta")).unwrap();
        assert_eq!(read.entry_point.unwrap(), words);
        assert_eq!(read.command.unwrap(), ["[x"]);
        assert_eq!(read.working_directory.unwrap(), "/work dir");
        assert_eq!(read.environment.len(), 2);
        assert_eq!(read.access.users, [1, 2]);
    }

    #[test]
    fn an_image_adds_no_line_and_everybodys_has_no_list() {
        let mut image = image();
        image.settings.environment = vec![
            "A=x\nFORMAT: VFS".to_owned(),
            "B=end\\".to_owned(),
            "C=\r".to_owned(),
            "D=d".to_owned(),
        ];
        image.settings.working_directory = Some("/x\nUSERACL: 5".to_owned());
        let text = meta(&image);
        assert_eq!(text, "FORMAT: squashfs\nENV: D=d\nDIGEST: sha256:00\n");
    }
}
