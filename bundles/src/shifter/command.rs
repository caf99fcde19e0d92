//! What is run, and where: the user's words, and what the image says where they say nothing.

use super::image::Meta;

/// What is run where neither the user nor the image says it.
const SHELL: &str = "/bin/sh";

/// Whether the image's `ENTRYPOINT` is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EntryPoint {
    /// No: the user's words are the command.
    #[default]
    Unused,
    /// Yes, `--entrypoint`.
    Images,
    /// Another in its place, `--entrypoint=PROGRAM`: one word.
    Given(String),
    /// As `docker run` has it, `--as-docker`: what the image has of it, and its `CMD` where the user has no words.
    AsDocker,
}

/// Where the command runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WorkingDirectory {
    /// Where the caller is.
    #[default]
    Callers,
    /// The image's `WORKDIR`, `--workdir`.
    Images,
    /// `--workdir=DIRECTORY`.
    Given(String),
    /// The image's where it has one, and else the root directory: `--as-docker`.
    AsDocker,
}

/// The image lacks what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CommandError {
    #[error("the image has no ENTRYPOINT; hint: name one, --entrypoint=PROGRAM")]
    NoEntryPoint,
    #[error("the image has no WORKDIR; hint: name one, --workdir=DIRECTORY")]
    NoWorkingDirectory,
}

/// The words of the command. The image's `CMD` counts only behind its own `ENTRYPOINT` or as Docker has it, where the user
/// has no words.
///
/// # Errors
/// [`CommandError::NoEntryPoint`].
pub fn command_line(
    entry_point: &EntryPoint,
    words: &[String],
    image: &Meta,
) -> Result<Vec<String>, CommandError> {
    let command = match entry_point {
        EntryPoint::Unused if words.is_empty() => return Ok(vec![SHELL.to_owned()]),
        EntryPoint::Unused => vec![],
        EntryPoint::Given(program) => vec![program.clone()],
        EntryPoint::AsDocker => said(image.entry_point.as_ref()).to_vec(),
        EntryPoint::Images => {
            let entry_point = image.entry_point.clone().unwrap_or_default();
            if entry_point.iter().all(String::is_empty) {
                return Err(CommandError::NoEntryPoint);
            }
            entry_point
        }
    };
    let of_image = match entry_point {
        EntryPoint::Images | EntryPoint::AsDocker if words.is_empty() => {
            said(image.command.as_ref())
        }
        _ => &[],
    };
    let command = [&command, words, of_image].concat();
    Ok(match command.is_empty() {
        true => vec![SHELL.to_owned()],
        false => command,
    })
}

/// What an image says; a line without words says nothing.
fn said(list: Option<&Vec<String>>) -> &[String] {
    let list = list.filter(|words| !words.iter().all(String::is_empty));
    list.map(Vec::as_slice).unwrap_or_default()
}

/// The directory that the command runs in; `callers` is the caller's.
///
/// # Errors
/// [`CommandError::NoWorkingDirectory`].
pub fn working_directory(
    wanted: &WorkingDirectory,
    callers: &str,
    image: &Meta,
) -> Result<String, CommandError> {
    let of_image = image.working_directory.clone();
    let of_image = of_image.filter(|directory| !directory.is_empty());
    match wanted {
        WorkingDirectory::Callers => Ok(callers.to_owned()),
        WorkingDirectory::Given(directory) => Ok(directory.clone()),
        WorkingDirectory::Images => of_image.ok_or(CommandError::NoWorkingDirectory),
        WorkingDirectory::AsDocker => Ok(of_image.unwrap_or_else(|| "/".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::vectors::{Wrong, vectors};

    fn image(lines: &str) -> Meta {
        let text = format!("FORMAT: VFS\n{}", lines.replace('|', "\n"));
        Meta::parse(text.as_bytes(), Path::new("x.meta")).unwrap()
    }

    #[test]
    fn the_users_words_and_the_images_make_a_command_as_in_shifter() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/commands.tsv") {
            let [meta, entry_point, words, wanted] = &vector[..] else {
                panic!("{vector:?}");
            };
            let entry_point = match entry_point.split_once('=') {
                None if entry_point == "-" => EntryPoint::Unused,
                None if entry_point == "docker" => EntryPoint::AsDocker,
                None => EntryPoint::Images,
                Some((_, program)) => EntryPoint::Given(program.to_owned()),
            };
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let found = match command_line(&entry_point, &words, &image(meta)) {
                Ok(words) => words.join("|"),
                Err(error) => error.to_string(),
            };
            wrong.unless(&vector, &found, wanted);
        }
        wrong.none();
    }

    #[test]
    fn the_command_runs_where_the_caller_is_or_where_asked() {
        let given = WorkingDirectory::Given("/given".to_owned());
        for (wanted, lines, found) in [
            (&WorkingDirectory::Callers, "WORKDIR: /work", Ok("/here")),
            (&WorkingDirectory::Images, "WORKDIR: /work", Ok("/work")),
            (&given, "WORKDIR: /work", Ok("/given")),
            (&given, "", Ok("/given")),
            (&WorkingDirectory::AsDocker, "WORKDIR: /work", Ok("/work")),
            (&WorkingDirectory::AsDocker, "", Ok("/")),
            (
                &WorkingDirectory::Images,
                "",
                Err(CommandError::NoWorkingDirectory),
            ),
            (
                &WorkingDirectory::Images,
                "WORKDIR:",
                Err(CommandError::NoWorkingDirectory),
            ),
        ] {
            let directory = working_directory(wanted, "/here", &image(lines));
            assert_eq!(directory, found.map(str::to_owned), "{wanted:?} {lines}");
        }
    }
}
