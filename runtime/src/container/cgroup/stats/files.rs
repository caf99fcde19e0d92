//! Reading the forms that cgroup files have. A file that isn't there is empty: kernels differ.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::super::super::{Error, Result};
use crate::kernel_file;

/// The text of `file` in `directory`.
pub(super) fn text(directory: &Path, file: &str) -> Result<String> {
    let path = directory.join(file);
    match kernel_file::read(&path) {
        Err(error) if is_absent(&error) => Ok(String::new()),
        other => other.map_err(Error::io("read", path)),
    }
}

/// `ENODEV` is what a file says whose cgroup has just been removed; version 2 says `EOPNOTSUPP` for what it
/// can't count.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP)
    )
}

/// A number; `max` is the highest, and nothing is zero.
pub(in crate::container::cgroup) fn number(directory: &Path, file: &str) -> Result<u64> {
    Ok(parse(&text(directory, file)?))
}

pub(super) fn parse(text: &str) -> u64 {
    match text.trim() {
        "max" => u64::MAX,
        text => text.parse().unwrap_or(0),
    }
}

/// Numbers by name, one pair a line.
pub(in crate::container::cgroup) fn named(
    directory: &Path,
    file: &str,
) -> Result<BTreeMap<String, u64>> {
    let text = text(directory, file)?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), parse(value)))
        .collect())
}

/// A list such as `0-2,5`, in full.
pub(super) fn list(text: &str) -> Vec<u16> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u16>().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

/// The sizes of huge pages that the files of `directory` are about: what stands between `hugetlb.` and
/// `suffix`.
pub(super) fn huge_page_sizes(directory: &Path, suffix: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let size = name.strip_prefix("hugetlb.")?.strip_suffix(suffix)?;
        (!size.contains('.')).then(|| size.to_owned())
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_numbers_are_read() {
        assert_eq!(list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(list("7"), [7]);
        assert_eq!(list("\n"), [0; 0]);
        assert_eq!(parse("max\n"), u64::MAX);
        assert_eq!(parse("12\n"), 12);
        assert_eq!(parse(""), 0);
    }
}
