//! What clap doesn't read as Shifter's getopt(3) does.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::{Arg, Command};

/// `words` with `-wDIR` as `-w=DIR`, as far as they are options of `command`'s, which begin at `first`. Other short options
/// may stand before it in one word.
pub(crate) fn with_equals(
    command: &Command,
    mut words: Vec<OsString>,
    first: usize,
) -> Vec<OsString> {
    let mut index = first;
    while let Some(word) = words.get(index) {
        let bytes = word.as_encoded_bytes();
        index += 1;
        match bytes {
            b"-" | b"--" => break,
            [b'-', b'-', name @ ..] => {
                let takes_next = std::str::from_utf8(name).is_ok_and(|name| {
                    find(command, |arg| is_long(arg, name)).is_some_and(takes_word)
                });
                index += usize::from(takes_next);
            }
            [b'-', letters @ ..] => match read(command, letters) {
                Short::TakesNext => index += 1,
                Short::Attached(at) => {
                    let mut changed = bytes.to_vec();
                    // Behind the dash and the letters before.
                    changed.insert(at + 1, b'=');
                    words[index - 1] = OsString::from_vec(changed);
                }
                Short::Whole => {}
            },
            _ => break,
        }
    }
    words
}

/// What a word of short options is.
enum Short {
    /// Its last one takes the next word.
    TakesNext,
    /// From here on it is the value of an option that clap wants an `=` for.
    Attached(usize),
    /// All that it needs.
    Whole,
}

fn read(command: &Command, letters: &[u8]) -> Short {
    for (at, letter) in letters.iter().enumerate() {
        let found = find(command, |arg| arg.get_short() == Some(char::from(*letter)));
        let Some(arg) = found.filter(|arg| arg.get_action().takes_values()) else {
            continue;
        };
        return match letters.get(at + 1) {
            None if takes_word(arg) => Short::TakesNext,
            Some(next) if arg.is_require_equals_set() && *next != b'=' => Short::Attached(at + 1),
            _ => Short::Whole,
        };
    }
    Short::Whole
}

fn find(command: &Command, is_it: impl Fn(&Arg) -> bool) -> Option<&Arg> {
    command.get_arguments().find(|arg| is_it(arg))
}

fn is_long(arg: &Arg, name: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(name) || aliases.contains(&name)
}

/// Whether its value may be the next word.
fn takes_word(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}
