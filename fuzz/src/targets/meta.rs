//! An image's `.meta` file.

use std::path::Path;

use bundles::shifter::command::{EntryPoint, WorkingDirectory, command_line, working_directory};
use bundles::shifter::image::Meta;

use crate::Run;
use crate::properties::told;

pub(super) fn make(_: &Path) -> Run {
    Box::new(|text| {
        let path = Path::new("/images/x.meta");
        let meta = match Meta::parse(text, path) {
            Ok(meta) => meta,
            Err(error) => return told(&error),
        };
        assert_eq!(Meta::parse(text, path).expect("it was read"), meta);
        let words = ["a".to_owned()];
        for entry_point in [
            EntryPoint::Unused,
            EntryPoint::Images,
            EntryPoint::Given("b".to_owned()),
        ] {
            for words in [&words[..], &[]] {
                if let Ok(command) = command_line(&entry_point, words, &meta) {
                    assert!(!command.is_empty());
                    assert!(words.iter().all(|word| command.contains(word)));
                }
            }
        }
        let callers = working_directory(&WorkingDirectory::Callers, "/here", &meta);
        assert_eq!(callers.as_deref(), Ok("/here"));
        if let Ok(directory) = working_directory(&WorkingDirectory::Images, "/here", &meta) {
            assert!(!directory.is_empty());
        }
    })
}
