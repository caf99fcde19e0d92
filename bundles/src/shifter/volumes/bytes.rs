//! Sizes, as people write them in volume maps and `udiRoot.conf`.

/// 2^63, the first size that no file can have.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// Reads a size in bytes: a number as C's strtod(3) reads it, then perhaps one of the letters `bkmgtpe`, each 1024
/// times the one before. What follows the letter is not looked at, so `10GiB` is ten of 2^30. Nothing at all is 0.
///
/// `None` where it is no number, is negative, has another letter, or is more than any file can have.
pub(in crate::shifter) fn parse_bytes(text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let (number, rest) = leading_number(text.trim_start())?;
    let power = match rest.chars().next() {
        None => 0,
        Some(letter) => "bkmgtpe".find(letter.to_ascii_lowercase())?,
    };
    let bytes = number * 1024_f64.powi(i32::try_from(power).ok()?);
    (0.0..TOO_LARGE).contains(&bytes).then_some(bytes as u64)
}

/// The longest number that `text` begins with, and what follows it.
fn leading_number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let hexadecimal = unsigned.strip_prefix("0x");
    if let Some(digits) = hexadecimal.or_else(|| unsigned.strip_prefix("0X")) {
        let end = end_of(digits, |c| c.is_ascii_hexdigit());
        let number = u64::from_str_radix(&digits[..end], 16).ok()?;
        let is_negative = text.starts_with('-') && number != 0;
        return (!is_negative).then_some((number as f64, &digits[end..]));
    }
    let mut end = end_of(unsigned, |c| c.is_ascii_digit());
    if unsigned[end..].starts_with('.') {
        end += 1 + end_of(&unsigned[end + 1..], |c| c.is_ascii_digit());
    }
    // An `e` without digits behind it is a letter of a size.
    if let Some(exponent) = unsigned[end..].strip_prefix(['e', 'E']) {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = end_of(digits, |c| c.is_ascii_digit());
        if length > 0 {
            end = unsigned.len() - digits.len() + length;
        }
    }
    let end = text.len() - unsigned.len() + end;
    let number = text[..end].parse().ok()?;
    Some((number, &text[end..]))
}

fn end_of(text: &str, belongs: fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}
