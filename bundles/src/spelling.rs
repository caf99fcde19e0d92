//! Which known word a misspelt one was meant to be.

/// Slips that are let pass and separators that are left out, in the longest word: no more than these.
const MOST_APART: usize = 8;

/// The known word that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = letters(word);
    known
        // Far longer or shorter, with whatever separators: nothing to compare.
        .filter(|known| plain.len().abs_diff(known.len()) <= MOST_APART)
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
