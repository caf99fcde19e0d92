//! What is written in an image's `.meta` file; `bundles::shifter::image::Meta` is what is read there.

use std::fmt::Write;

use bundles::shifter::image::Digests;

/// What an image's `.meta` file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaText<'a> {
    /// What the image's file holds.
    pub format: &'a str,
    /// What the file should be.
    pub digests: Digests,
    /// What a container runs with what it is given.
    pub entry_point: &'a [String],
    /// What it runs where nothing is given.
    pub command: &'a [String],
    /// Where it runs; empty where the image doesn't say.
    pub working_directory: &'a str,
    /// The uids that the image is kept to.
    pub users: &'a [u32],
    /// Likewise gids.
    pub groups: &'a [u32],
    /// `NAME=VALUE` each.
    pub environment: &'a [String],
    /// Who the image would be run as elsewhere; empty where it doesn't say. No container of Shifter's is.
    pub user: &'a str,
}

impl MetaText<'_> {
    /// The text, and the keys of what can't be said in a line of such a file and is left out: a line break would begin
    /// another line, which an image could use to say who may use it.
    pub fn text(&self) -> (String, Vec<&'static str>) {
        let mut lines = vec![("FORMAT", self.format.to_owned())];
        // Comments to Shifter, which tells of keys that it doesn't know on the standard output of whatever runs.
        let digests = &self.digests;
        for (key, digest) in [
            ("#DIGEST", &digests.content),
            ("#FSVERITY", &digests.verity),
            ("#MANIFEST", &digests.manifest),
        ] {
            lines.extend(digest.iter().map(|digest| (key, digest.clone())));
        }
        for (key, text) in [
            ("ENTRY", list(self.entry_point)),
            ("CMD", list(self.command)),
            ("WORKDIR", self.working_directory.to_owned()),
            ("USERACL", ids(self.users)),
            ("GROUPACL", ids(self.groups)),
            ("#USER", self.user.to_owned()),
        ] {
            lines.extend((!text.is_empty()).then_some((key, text)));
        }
        let environment = self.environment.iter();
        lines.extend(environment.map(|variable| ("ENV", variable.clone())));
        let (mut text, mut left_out) = (String::new(), vec![]);
        for (key, value) in lines {
            match is_sayable(&value) {
                // Writing to a string doesn't fail.
                true => drop(writeln!(text, "{key}: {value}")),
                false => left_out.push(key),
            }
        }
        (text, left_out)
    }
}

fn is_sayable(value: &str) -> bool {
    !value.chars().any(char::is_control) && !value.ends_with('\\')
}

fn ids(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    ids.join(",")
}

/// As Python prints a list of texts, which is how Shifter's runtime reads it; nothing for an empty one.
fn list(words: &[String]) -> String {
    if words.is_empty() {
        return String::new();
    }
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

    use bundles::shifter::image::{Format, Meta};

    use super::*;

    #[test]
    fn a_node_reads_what_was_meant() {
        let words = ["sh", "-c", "it's", "a \"b\" 'c'", "x\\y\n\u{1}é", ""];
        let words: Vec<String> = words.map(str::to_owned).to_vec();
        let digest = |digit: &str| Some(format!("sha256:{}", digit.repeat(64)));
        let said = MetaText {
            format: "squashfs",
            digests: Digests {
                content: digest("0"),
                verity: digest("1"),
                manifest: digest("2"),
            },
            entry_point: &words,
            command: &["[x".to_owned()],
            working_directory: "/work dir",
            users: &[1, 2],
            groups: &[3],
            environment: &["PATH=/bin".to_owned(), "E=".to_owned()],
            user: "nobody",
        };
        let (text, left_out) = said.text();
        assert_eq!(left_out, [""; 0]);
        let read = Meta::parse(text.as_bytes(), Path::new("1.meta")).unwrap();
        assert_eq!(read.format, Format::Squashfs);
        assert_eq!(read.digests, said.digests);
        assert_eq!(read.entry_point.unwrap(), words);
        assert_eq!(read.command.unwrap(), ["[x"]);
        assert_eq!(read.working_directory.unwrap(), "/work dir");
        assert_eq!(read.environment.len(), 2);
        assert_eq!(
            (read.access.users, read.access.groups),
            (vec![1, 2], vec![3])
        );
        // Shifter would tell of any other line where the command's output goes.
        assert_eq!(read.passed_over, []);
    }

    #[test]
    fn an_image_adds_no_line_and_what_is_not_said_has_none() {
        let environment = ["A=x\nFORMAT: VFS", "B=end\\", "C=\r", "D=d"].map(str::to_owned);
        let said = MetaText {
            format: "squashfs",
            working_directory: "/x\nUSERACL: 5",
            user: "x\n#DIGEST: y",
            environment: &environment,
            ..MetaText::default()
        };
        let (text, left_out) = said.text();
        assert_eq!(text, "FORMAT: squashfs\nENV: D=d\n");
        assert_eq!(left_out, ["WORKDIR", "#USER", "ENV", "ENV", "ENV"]);
    }
}
