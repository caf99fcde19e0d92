//! Man pages and shell completions of a command line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::{Generator, Shell};

/// The shells that get completions, each with its directory.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
];

/// Writes the documents of `command` below `directory`, which is made.
pub fn write(directory: &Path, command: Command) -> Result<()> {
    // What --version prints has lines for engines, which a page's heading has no room for.
    let mut command = command.version(env!("CARGO_PKG_VERSION"));
    let name = command.get_name().to_owned();
    for (shell, place) in SHELLS {
        let path = make(&directory.join(place))?.join(shell.file_name(&name));
        let mut script = vec![];
        clap_complete::generate(shell, &mut command, &name, &mut script);
        if shell == Shell::Bash {
            script = with_labels_that_match(script, &name)?;
        }
        fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
    }
    let place = make(&directory.join("man"))?;
    clap_mangen::generate_to(command, &place)
        .with_context(|| format!("write the man pages of {name} in {}", place.display()))
}

/// clap_complete 4.6 calls the commands of a program with a hyphen in its name in one way where it finds them and
/// in another where it says what they have: nothing would be completed behind a command.
fn with_labels_that_match(script: Vec<u8>, program: &str) -> Result<Vec<u8>> {
    let script = String::from_utf8(script).context("completions for bash")?;
    let wrong = program.replace('-', "__subcmd__") + "__subcmd__";
    let right = program.replace('-', "__") + "__subcmd__";
    Ok(script.replace(&wrong, &right).into_bytes())
}

fn make(directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    Ok(directory.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::PROGRAMS;

    /// The command and all below it that are shown, as man pages are called.
    fn all(command: &Command, name: String) -> Vec<(String, Command)> {
        let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
        let below = shown.flat_map(|one| all(one, format!("{name}-{}", one.get_name())));
        std::iter::once((name.clone(), command.clone()))
            .chain(below)
            .collect()
    }

    #[test]
    fn every_command_has_a_page_and_every_option_stands_in_it_and_in_the_completions() {
        let place = tempfile::tempdir().unwrap();
        for program in PROGRAMS {
            let mut command = (program.command)();
            write(place.path(), command.clone()).unwrap();
            command.build();
            let name = command.get_name().to_owned();
            let read = |path: String| {
                let path = place.path().join(path);
                fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            };
            let completions = [
                read(format!("bash/{name}.bash")),
                read(format!("zsh/_{name}")),
                read(format!("fish/{name}.fish")),
            ];
            for (page, command) in all(&command, name.clone()) {
                let text = read(format!("man/{page}.1")).replace("\\-", "-");
                for option in command.get_arguments().filter(|one| !one.is_hide_set()) {
                    let Some(long) = option.get_long() else {
                        continue;
                    };
                    assert!(text.contains(&format!("--{long}")), "{page}.1: no --{long}");
                    for completion in &completions {
                        assert!(completion.contains(long), "{name}: no {long}");
                    }
                }
            }
            // All of them were looked at.
            let pages = fs::read_dir(place.path().join("man")).unwrap();
            let is_ours = |entry: std::io::Result<fs::DirEntry>| {
                let page = entry.unwrap().file_name();
                page.to_string_lossy().starts_with(&name)
            };
            let count = pages.map(is_ours).filter(|ours| *ours).count();
            assert_eq!(count, all(&command, name.clone()).len());
        }
    }

    #[test]
    fn a_page_is_of_a_version_that_fits_its_heading() {
        let place = tempfile::tempdir().unwrap();
        write(
            place.path(),
            Command::new("odd").version("1\nof many lines"),
        )
        .unwrap();
        let page = fs::read_to_string(place.path().join("man/odd.1")).unwrap();
        let heading = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
        assert_eq!(
            heading.trim(),
            format!(".TH odd 1  \"odd {}\"", env!("CARGO_PKG_VERSION"))
        );
    }
}
