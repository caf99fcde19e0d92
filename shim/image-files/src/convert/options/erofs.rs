//! Options of mkfs.erofs(1).

use super::{RefusedOption, is_size, number};

/// With the highest level of each; whether the program that is installed has it, it says itself.
const COMPRESSORS: [(&str, u64); 5] = [
    ("lz4", 0),
    ("lz4hc", 12),
    ("lzma", 109),
    ("deflate", 9),
    ("zstd", 22),
];

/// Of `-E`.
const EXTENDED: [&str; 7] = [
    "legacy-compress",
    "ztailpacking",
    "noinline_data",
    "force-inode-extended",
    "fragments",
    "all-fragments",
    "dedupe",
];

/// What is said in any case.
const ALREADY_SO: [&str; 3] = ["--all-root", "-x-1", "--quiet"];

const PHYSICAL: (u64, u64) = (4 << 10, 1 << 20);

pub(super) fn read(words: &[String]) -> Result<Vec<String>, RefusedOption> {
    let mut arguments = vec![];
    for word in words {
        if ALREADY_SO.contains(&word.as_str()) {
            continue;
        }
        must_be_one(word)?;
        arguments.push(word.clone());
    }
    Ok(arguments)
}

fn must_be_one(word: &str) -> Result<(), RefusedOption> {
    let refused = |why: String| Err(RefusedOption::new(word, why));
    if let Some(value) = word.strip_prefix("-z") {
        return match is_compressor(value) {
            true => Ok(()),
            false => refused(format!(
                "must name one of {}, as -zlz4hc,9",
                COMPRESSORS.map(|(name, _)| name).join(", ")
            )),
        };
    }
    if let Some(value) = word.strip_prefix("-E") {
        return match value.split(',').all(|word| EXTENDED.contains(&word)) {
            true => Ok(()),
            false => refused(format!(
                "must name some of {}, with commas",
                EXTENDED.join(", ")
            )),
        };
    }
    let size = word
        .strip_prefix("-C")
        .or_else(|| word.strip_prefix("--max-extent-bytes="));
    if let Some(value) = size {
        let (least, most) = PHYSICAL;
        return match number(value).is_some() && is_size(value, least, most) {
            true => Ok(()),
            false => refused(format!("must have bytes from {least} to {most} in it")),
        };
    }
    refused(
        "isn't passed on; these are: -zCOMPRESSOR[,LEVEL] -CBYTES -EWORDS --max-extent-bytes=BYTES"
            .to_owned(),
    )
}

fn is_compressor(value: &str) -> bool {
    let (name, level) = match value.split_once(',') {
        Some((name, level)) => (name, Some(level)),
        None => (value, None),
    };
    let found = COMPRESSORS.iter().find(|(own, _)| *own == name);
    found.is_some_and(|(_, most)| {
        level.is_none_or(|level| number(level).is_some_and(|level| level <= *most && *most > 0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_a_site_may_say_is_passed_on() {
        for (said, passed_on) in [
            ("", ""),
            ("--all-root -x-1 -zlz4", "-zlz4"),
            (
                "-zlz4hc,12 -C65536 -Eztailpacking",
                "-zlz4hc,12 -C65536 -Eztailpacking",
            ),
            (
                "-zzstd,3 -Efragments,dedupe --max-extent-bytes=65536",
                "-zzstd,3 -Efragments,dedupe --max-extent-bytes=65536",
            ),
        ] {
            assert_eq!(read(&words(said)), Ok(words(passed_on)), "{said}");
        }
    }

    #[test]
    fn what_would_change_an_image_is_refused() {
        for (said, line) in [
            ("-x1", "\"-x1\" isn't passed on; these are: -zCOMPRESSOR"),
            ("-T0", "isn't passed on"),
            ("-U00000000-0000-0000-0000-000000000001", "isn't passed on"),
            ("--force-uid=1", "isn't passed on"),
            ("--exclude-path=bin", "isn't passed on"),
            ("--file-contexts=/x", "isn't passed on"),
            ("--blobdev=/x", "isn't passed on"),
            ("--ignore-mtime", "isn't passed on"),
            ("/etc", "isn't passed on"),
            ("-zlz4,1", "must name one of lz4, lz4hc"),
            ("-zlz4hc,+1", "must name one of"),
            ("-z", "must name one of"),
            ("-Eforce-inode-compact", "must name some of"),
            ("-E", "must name some of"),
            ("-C1", "must have bytes from 4096"),
            ("-C64K", "must have bytes"),
        ] {
            let told = read(&words(said)).expect_err(said).to_string();
            assert!(
                told.contains(line) && !told.contains('\n'),
                "{said}: {told}"
            );
        }
    }
}
