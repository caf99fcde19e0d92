//! An image's `.meta` file: what a node knows of it.

use bundles::shifter::image::Digests;
use image_files::MetaText;

use crate::state::Image;

/// Its text.
pub(super) fn meta(image: &Image) -> String {
    let settings = &image.settings;
    let is_kept = image.private && !image.access.is_open();
    let access = is_kept.then_some(&image.access);
    let ids = |ids: Option<&Option<Vec<u32>>>| ids.cloned().flatten().unwrap_or_default();
    let (text, left_out) = MetaText {
        format: image.format.name(),
        digests: Digests {
            content: image.file_digest.clone(),
            verity: image.verity_digest.clone(),
            manifest: Some(image.digest.clone()),
        },
        entry_point: settings.entry_point.as_deref().unwrap_or_default(),
        command: settings.command.as_deref().unwrap_or_default(),
        working_directory: settings.working_directory.as_deref().unwrap_or_default(),
        users: &ids(access.map(|access| &access.users)),
        groups: &ids(access.map(|access| &access.groups)),
        environment: &settings.environment,
        user: "",
    }
    .text();
    for key in left_out {
        tracing::warn!(id = %image.id, key, "left out of .meta: it has a line break or ends with a backslash");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pull::Format;
    use crate::state::{Access, Kind, Settings, Status};

    fn digest(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    fn image() -> Image {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        Image {
            system: "c".to_owned(),
            id: "1".to_owned(),
            kind: Kind::Docker,
            tags: vec![],
            status: Status::Ready,
            format: Format::Squashfs,
            size: 0,
            file_digest: Some(digest("0")),
            verity_digest: Some(digest("1")),
            digest: digest("2"),
            private: false,
            access: Access {
                users: Some(vec![1, 2]),
                groups: None,
            },
            owner: 1,
            settings: Settings {
                environment: vec!["D=d".to_owned()],
                entry_point: words(&["a", "b"]),
                command: words(&["c"]),
                working_directory: Some("/w".to_owned()),
                ..Settings::default()
            },
            last_pull: 0,
            expiration: None,
        }
    }

    #[test]
    fn all_that_a_node_has_to_know_is_there() {
        let mut image = image();
        let [zeros, ones, twos] = ["0", "1", "2"].map(digest);
        let begin = format!(
            "FORMAT: squashfs\n#DIGEST: {zeros}\n#FSVERITY: {ones}\n#MANIFEST: {twos}\n\
             ENTRY: ['a', 'b']\nCMD: ['c']\nWORKDIR: /w\n"
        );
        // What is everybody's has no list.
        assert_eq!(meta(&image), format!("{begin}ENV: D=d\n"));
        image.private = true;
        assert_eq!(meta(&image), format!("{begin}USERACL: 1,2\nENV: D=d\n"));
    }
}
