//! The first line of a script, as the kernel and `env` read it.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The kernel's BINPRM_BUF_SIZE: it looks at no more of a file to tell what it is.
pub(super) const HEAD: usize = 256;

/// `#!interpreter [argument]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shebang {
    pub(super) interpreter: PathBuf,
    argument: Vec<u8>,
}

impl Shebang {
    /// `head` is the start of a file, up to [`HEAD`] bytes; `None` if it is no script.
    pub(super) fn parse(head: &[u8]) -> Option<Result<Self, String>> {
        let line = head.strip_prefix(b"#!")?;
        let line = match line.iter().position(|byte| matches!(byte, b'\n' | 0)) {
            Some(end) => &line[..end],
            None if head.len() < HEAD => line,
            // The kernel would cut the line off in silence.
            None => return Some(Err(format!("its #! line has no end within {HEAD} bytes"))),
        };
        let (interpreter, argument) = split_word(trim(line));
        Some(match interpreter.first() {
            None => Err("its #! line names no interpreter".to_owned()),
            Some(b'/') => Ok(Self {
                interpreter: OsStr::from_bytes(interpreter).into(),
                argument: trim(argument).to_owned(),
            }),
            Some(_) => Err(format!(
                "its interpreter {} is not an absolute path",
                super::error::show(OsStr::from_bytes(interpreter))
            )),
        })
    }

    /// The program that `env` would start, if the interpreter is `env`.
    pub(super) fn env_program(&self) -> Result<Option<&Path>, String> {
        if self.interpreter.file_name() != Some(OsStr::new("env")) {
            return Ok(None);
        }
        let program = env_operand(&self.argument)?;
        Ok(Some(Path::new(OsStr::from_bytes(program))))
    }
}

/// The kernel hands `env` everything after its name as one argument; only -S takes it apart.
fn env_operand(argument: &[u8]) -> Result<&[u8], String> {
    let split = [
        &b"--split-string="[..],
        b"--split-string",
        b"-vS",
        b"-iS",
        b"-S",
    ]
    .iter()
    .find_map(|option| argument.strip_prefix(*option));
    let Some(mut rest) = split.map(trim) else {
        return match argument {
            [] => Err("env is told to run nothing".to_owned()),
            _ if argument.contains(&b' ') || argument.contains(&b'\t') => {
                Err("env takes this for one long name; it needs -S to pass arguments".to_owned())
            }
            [b'-', ..] => Err("env is given an option and no program".to_owned()),
            _ if argument.contains(&b'=') => {
                Err("env is given a variable and no program".to_owned())
            }
            _ => Ok(argument),
        };
    };
    if rest.iter().any(|byte| b"\\'\"$#".contains(byte)) {
        return Err("env -S with quotes, variables or comments is not understood".to_owned());
    }
    loop {
        let (word, after) = split_word(rest);
        rest = trim(after);
        match word {
            [] => return Err("env is told to run nothing".to_owned()),
            b"-i" | b"-" | b"-v" | b"--ignore-environment" | b"--debug" => {}
            b"-u" | b"--unset" => rest = trim(split_word(rest).1),
            _ if word.starts_with(b"-u") || word.starts_with(b"--unset=") => {}
            [b'-', ..] => {
                return Err(format!(
                    "the option {} of env is not understood",
                    super::error::show(OsStr::from_bytes(word))
                ));
            }
            _ if word.starts_with(b"PATH=") => {
                return Err("env sets PATH before it looks for the program".to_owned());
            }
            _ if word.contains(&b'=') => {}
            _ => return Ok(word),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| is_blank(*byte));
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interpreter and env's program, or the error.
    fn read(head: &str) -> Option<Result<(String, Option<String>), String>> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let shebang = Shebang::parse(head.as_bytes())?;
        Some(shebang.and_then(|shebang| {
            let program = shebang.env_program()?.map(text);
            Ok((text(&shebang.interpreter), program))
        }))
    }

    #[test]
    fn first_lines_are_read_as_the_kernel_and_env_do() {
        for (head, interpreter, program) in [
            ("#!/bin/sh\n", "/bin/sh", None),
            ("#! /bin/sh -e\n", "/bin/sh", None),
            ("#!\t/bin/sh", "/bin/sh", None),
            ("#!/bin/sh\r\n", "/bin/sh\r", None),
            ("#!/usr/bin/env python3\n", "/usr/bin/env", Some("python3")),
            (
                "#!/usr/bin/env -S python3 -u\n",
                "/usr/bin/env",
                Some("python3"),
            ),
            (
                "#!/usr/bin/env -Spython3\n",
                "/usr/bin/env",
                Some("python3"),
            ),
            (
                "#!/usr/bin/env -S -i A=1 -u B perl -w\n",
                "/usr/bin/env",
                Some("perl"),
            ),
            (
                "#!/usr/bin/env --split-string=perl -w\n",
                "/usr/bin/env",
                Some("perl"),
            ),
            ("#!/bin/env /opt/x/run\n", "/bin/env", Some("/opt/x/run")),
        ] {
            let expected = (interpreter.to_owned(), program.map(str::to_owned));
            assert_eq!(read(head), Some(Ok(expected)), "{head:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        let long = format!("#!/bin/sh {}", "a".repeat(HEAD));
        for (head, part) in [
            ("#!", "names no interpreter"),
            ("#!  \n", "names no interpreter"),
            ("#!sh\n", "sh is not an absolute path"),
            ("#!../sh\n", "../sh is not an absolute path"),
            (&long[..HEAD], "no end within 256"),
            ("#!/usr/bin/env\n", "run nothing"),
            ("#!/usr/bin/env -S\n", "run nothing"),
            ("#!/usr/bin/env python3 -u\n", "needs -S"),
            ("#!/usr/bin/env -i\n", "no program"),
            ("#!/usr/bin/env A=1\n", "no program"),
            ("#!/usr/bin/env -S PATH=/x perl\n", "sets PATH"),
            ("#!/usr/bin/env -S -C /x perl\n", "option -C"),
            ("#!/usr/bin/env -S 'perl'\n", "quotes"),
        ] {
            let error = read(head).unwrap().unwrap_err();
            assert!(error.contains(part), "{head:?}: {error}");
        }
        assert_eq!(read("\u{7f}ELF"), None);
        assert_eq!(read(""), None);
    }
}
