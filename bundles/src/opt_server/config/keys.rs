//! The keys that we know, and which of them a misspelt one was meant to be.

/// Keys of the file's outermost object.
pub(super) const TOP: &[&str] = &["server-name", "commands"];
/// Keys that a command must have.
pub(super) const REQUIRED: &[&str] = &["name", "executable"];
/// Keys that a command may have.
pub(super) const OPTIONAL: &[&str] = &[
    "mount-readable",
    "mount-dependencies",
    "environment-variables",
    "append-options",
];
/// Where extensions of our own will stand.
const RESERVED: &str = "x-opt-runtime";

/// What to make of a key that is not one of those known where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Someone else's extension: none of our business.
    Foreign,
    /// Ours, but nothing that this version does; ignoring it would be to fail open.
    Reserved,
    /// Nearly this known key.
    Misspelt(&'static str),
    /// A command's key (or nearly one) at the top of the file, where it would do nothing.
    Misplaced,
    /// Perhaps one of PIFOP's that is not documented.
    Unknown,
}

/// Judges a key at the top of the file.
pub(super) fn judge_top(key: &str) -> Verdict {
    match judge(key, TOP.iter().copied()) {
        // `name` and `executable` are left out: PIFOP may well have keys like them here.
        Verdict::Unknown if nearest(key, OPTIONAL.iter().copied()).is_some() => Verdict::Misplaced,
        verdict => verdict,
    }
}

/// Judges a key of a command.
pub(super) fn judge_command(key: &str) -> Verdict {
    judge(key, REQUIRED.iter().chain(OPTIONAL).copied())
}

fn judge(key: &str, known: impl Iterator<Item = &'static str>) -> Verdict {
    if nearest(key, [RESERVED].into_iter()).is_some() {
        Verdict::Reserved
    } else if key.starts_with("x-") {
        Verdict::Foreign
    } else {
        nearest(key, known).map_or(Verdict::Unknown, Verdict::Misspelt)
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = letters(word);
    known
        .filter_map(|known| {
            let wanted = letters(known);
            // Two slips; one in a short word ("note" is not "name"), three or four in a long one.
            let most = if wanted.len() <= 4 {
                1
            } else {
                2.max(wanted.len() / 5)
            };
            distance(&plain, &wanted, most).map(|slips| (slips, known))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// A word as it is compared: no case, `-` or `_`.
fn letters(word: &str) -> Vec<char> {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How many slips make `a` into `b`: a letter too many, too few, wrong, or two neighbours swapped.
/// None if there are more than `most`.
fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let wrong = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = wrong.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    Some(last[b.len()]).filter(|slips| *slips <= most)
}
