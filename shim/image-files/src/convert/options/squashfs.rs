//! Options of mksquashfs(1).

use super::{RefusedOption, is_size, number};

/// What follows an option.
#[derive(Debug, Clone, Copy)]
enum Value {
    Nothing,
    /// A number from and to.
    Number(u64, u64),
    /// One of these.
    Word(&'static [&'static str]),
    /// Some of these, with commas.
    Words(&'static [&'static str]),
    /// Bytes, from and to.
    Size(u64, u64),
}

/// What is compressed with where nobody says otherwise.
const USUAL: &str = "zstd";

/// What mksquashfs holds of an image in memory; it would take a quarter of the machine's, and is no faster for it. The
/// same bytes come of any.
const MEMORY: &str = "256M";

/// Those that kernels read.
const COMPRESSORS: &[&str] = &["gzip", "lzo", "lz4", "xz", "zstd"];

const PASSED_ON: &[(&str, Value)] = &[
    ("-comp", Value::Word(COMPRESSORS)),
    ("-b", Value::Size(4 << 10, 1 << 20)),
    ("-processors", Value::Number(1, 1024)),
    ("-mem", Value::Size(64 << 20, 1 << 40)),
    ("-noI", Value::Nothing),
    ("-noInodeCompression", Value::Nothing),
    ("-noId", Value::Nothing),
    ("-noIdTableCompression", Value::Nothing),
    ("-noD", Value::Nothing),
    ("-noDataCompression", Value::Nothing),
    ("-noF", Value::Nothing),
    ("-noFragmentCompression", Value::Nothing),
    ("-no-fragments", Value::Nothing),
    ("-always-use-fragments", Value::Nothing),
    ("-tailends", Value::Nothing),
    ("-no-tailends", Value::Nothing),
    ("-no-duplicates", Value::Nothing),
    ("-no-sparse", Value::Nothing),
    ("-no-exports", Value::Nothing),
    ("-exports", Value::Nothing),
];

/// By compressor.
const OF_COMPRESSORS: &[(&str, &str, Value)] = &[
    ("gzip", "-Xcompression-level", Value::Number(1, 9)),
    ("gzip", "-Xwindow-size", Value::Number(8, 15)),
    (
        "gzip",
        "-Xstrategy",
        Value::Words(&[
            "default",
            "filtered",
            "huffman_only",
            "run_length_encoded",
            "fixed",
        ]),
    ),
    ("lzo", "-Xcompression-level", Value::Number(1, 9)),
    (
        "lzo",
        "-Xalgorithm",
        Value::Word(&[
            "lzo1x_1",
            "lzo1x_1_11",
            "lzo1x_1_12",
            "lzo1x_1_15",
            "lzo1x_999",
        ]),
    ),
    ("lz4", "-Xhc", Value::Nothing),
    (
        "xz",
        "-Xbcj",
        Value::Words(&["x86", "arm", "armthumb", "powerpc", "sparc", "ia64"]),
    ),
    ("xz", "-Xdict-size", Value::Size(8 << 10, 1 << 20)),
    ("zstd", "-Xcompression-level", Value::Number(1, 22)),
];

/// What is said in any case.
const ALREADY_SO: &[&str] = &[
    "-all-root",
    "-root-owned",
    "-no-xattrs",
    "-noappend",
    "-no-progress",
    "-quiet",
    "-no-recovery",
    "-reproducible",
];

/// Why others aren't passed on, where it can be said of them.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &["-xattrs"],
        "isn't passed on: images have no extended attributes",
    ),
    (
        &[
            "-not-reproducible",
            "-mkfs-time",
            "-fstime",
            "-all-time",
            "-root-time",
            "-recover",
            "-recovery-path",
        ],
        "isn't passed on: the same image gives the same bytes each time",
    ),
    (
        &[
            "-root-mode",
            "-root-uid",
            "-root-gid",
            "-force-uid",
            "-force-gid",
        ],
        "isn't passed on: all in an image is root's, and nothing has a setuid bit",
    ),
    (
        &[
            "-p",
            "-pf",
            "-pd",
            "-pseudo-override",
            "-action",
            "-log-action",
            "-true-action",
            "-false-action",
            "-action-file",
            "-log-action-file",
            "-true-action-file",
            "-false-action-file",
            "-e",
            "-ef",
            "-wildcards",
            "-regex",
            "-sort",
            "-keep-as-directory",
            "-root-becomes",
            "-one-file-system",
            "-no-hardlinks",
        ],
        "isn't passed on: an image holds what its layers say",
    ),
];

/// Arguments, and what of the usual they say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    arguments: Vec<String>,
    says_compressor: bool,
    says_level: bool,
    says_memory: bool,
}

impl Options {
    pub(super) fn read(words: &[String]) -> Result<Self, RefusedOption> {
        let says = |option: &str| words.iter().any(|word| word == option);
        let compressor = compressor(words);
        let mut arguments = vec![];
        let mut words = words.iter();
        while let Some(option) = words.next() {
            if ALREADY_SO.contains(&option.as_str()) {
                continue;
            }
            let kind = find(option, compressor)?;
            arguments.push(option.clone());
            if !matches!(kind, Value::Nothing) {
                let value = words.next().map_or("", String::as_str);
                kind.must_be(option, value)?;
                arguments.push(value.to_owned());
            }
        }
        Ok(Self {
            says_compressor: says("-comp"),
            says_level: says("-Xcompression-level"),
            says_memory: says("-mem"),
            arguments,
        })
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        let mut all = self.arguments.clone();
        if !self.says_memory {
            all.extend(["-mem", MEMORY].map(str::to_owned));
        }
        if !self.says_compressor {
            all.extend(["-comp", USUAL].map(str::to_owned));
            if !self.says_level {
                all.extend(["-Xcompression-level", "3"].map(str::to_owned));
            }
        }
        all
    }
}

/// The one that `words` name, or the usual.
fn compressor(words: &[String]) -> &str {
    let named = words.iter().position(|word| word == "-comp");
    let named = named.and_then(|at| words.get(at + 1));
    named.map_or(USUAL, String::as_str)
}

fn find(option: &str, compressor: &str) -> Result<Value, RefusedOption> {
    let passed_on = PASSED_ON.iter().find(|(name, _)| *name == option);
    if let Some((_, kind)) = passed_on {
        return Ok(*kind);
    }
    let mut of_others = false;
    for (of, name, kind) in OF_COMPRESSORS {
        if *name == option && *of == compressor {
            return Ok(*kind);
        }
        of_others |= *name == option;
    }
    if of_others {
        let why = format!("isn't an option of the compressor {compressor}");
        return Err(RefusedOption::new(option, why));
    }
    let known = REFUSED.iter().find(|(names, _)| names.contains(&option));
    Err(match known {
        Some((_, why)) => RefusedOption::new(option, *why),
        None => {
            let names = PASSED_ON.iter().map(|(name, _)| *name);
            let names: Vec<&str> = names.collect();
            let why = format!("isn't passed on; these are: {}, and -X…", names.join(" "));
            RefusedOption::new(option, why)
        }
    })
}

impl Value {
    fn must_be(self, option: &str, value: &str) -> Result<(), RefusedOption> {
        let (is_it, wanted) = match self {
            Self::Nothing => (true, String::new()),
            Self::Number(least, most) => (
                number(value).is_some_and(|number| (least..=most).contains(&number)),
                format!("a number from {least} to {most}"),
            ),
            Self::Word(words) => (
                words.contains(&value),
                format!("one of {}", words.join(", ")),
            ),
            Self::Words(words) => (
                value.split(',').all(|word| words.contains(&word)),
                format!("some of {}, with commas", words.join(", ")),
            ),
            Self::Size(least, most) => (
                is_size(value, least, most),
                format!("bytes from {least} to {most}, as 131072, 128K or 1M"),
            ),
        };
        match is_it {
            true => Ok(()),
            false => Err(RefusedOption::new(
                option,
                format!("wants {wanted}, and has {value:?}"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::read(&words)
            .map(|options| options.arguments().join(" "))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_site_may_say_is_passed_on() {
        let level = "-comp zstd -Xcompression-level 3";
        for (said, passed_on) in [
            ("", format!("-mem 256M {level}")),
            (
                "-no-xattrs -all-root -noappend",
                format!("-mem 256M {level}"),
            ),
            (
                "-Xcompression-level 19",
                "-Xcompression-level 19 -mem 256M -comp zstd".to_owned(),
            ),
            (
                "-comp gzip -Xcompression-level 9 -b 1M",
                "-comp gzip -Xcompression-level 9 -b 1M -mem 256M".to_owned(),
            ),
            (
                "-comp lz4 -Xhc -noI -processors 2",
                "-comp lz4 -Xhc -noI -processors 2 -mem 256M".to_owned(),
            ),
            (
                "-comp xz -Xbcj x86,arm -Xdict-size 512K",
                "-comp xz -Xbcj x86,arm -Xdict-size 512K -mem 256M".to_owned(),
            ),
            (
                "-mem 64M -no-fragments",
                format!("-mem 64M -no-fragments {level}"),
            ),
        ] {
            assert_eq!(read(said), Ok(passed_on), "{said}");
        }
    }

    #[test]
    fn what_would_change_an_image_is_refused_with_the_reason() {
        for (said, line) in [
            (
                "-xattrs",
                "\"-xattrs\" isn't passed on: images have no extended attributes",
            ),
            ("-not-reproducible", "the same bytes"),
            ("-all-time 1", "the same bytes"),
            ("-root-mode 4755", "setuid"),
            ("-p /x", "what its layers say"),
            ("-action chmod(4755)@true", "what its layers say"),
            ("-e bin", "what its layers say"),
            (
                "-comp",
                "\"-comp\" wants one of gzip, lzo, lz4, xz, zstd, and has \"\"",
            ),
            ("-comp lzma", "and has \"lzma\""),
            ("-b 3", "\"-b\" wants bytes from 4096 to 1048576"),
            ("-b +8192", "and has \"+8192\""),
            ("-processors 0", "a number from 1 to 1024"),
            ("-Xhc", "\"-Xhc\" isn't an option of the compressor zstd"),
            ("-comp gzip -Xcompression-level 10", "from 1 to 9"),
            ("-comp xz -Xbcj x86,mips", "some of x86"),
            ("-o 4096", "\"-o\" isn't passed on; these are: -comp -b"),
            ("/etc", "\"/etc\" isn't passed on"),
        ] {
            let told = read(said).expect_err(said);
            assert!(
                told.contains(line) && !told.contains('\n'),
                "{said}: {told}"
            );
        }
    }
}
