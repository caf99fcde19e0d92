//! Lists of words in a `.meta` file: the gateway writes them as Python prints them.

use std::iter::Peekable;
use std::str::Chars;

/// The words of `text`: those of a list of quoted strings, in Python's form (`['sh', "it's"]`, `[u'sh']`) or JSON's;
/// anything else is one word as it stands. `None` where a list is begun and not ended well.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    if !is_list(text) {
        return Some(vec![text.to_owned()]);
    }
    let mut rest = text.chars().peekable();
    rest.next();
    let mut words = vec![];
    loop {
        skip_blanks(&mut rest);
        match rest.next()? {
            ']' => break,
            'u' => words.push(quoted(rest.next()?, &mut rest)?),
            quote => words.push(quoted(quote, &mut rest)?),
        }
        skip_blanks(&mut rest);
        match rest.next()? {
            ',' => {}
            ']' => break,
            _ => return None,
        }
    }
    skip_blanks(&mut rest);
    rest.next().is_none().then_some(words)
}

/// `[ -f x ]` is a command.
fn is_list(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('[') else {
        return false;
    };
    let inside = inside.trim_start();
    inside.is_empty()
        || ["'", "\"", "]", "u'", "u\""]
            .iter()
            .any(|begin| inside.starts_with(begin))
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
}

fn quoted(quote: char, rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    if !['\'', '"'].contains(&quote) {
        return None;
    }
    let mut word = String::new();
    loop {
        match rest.next()? {
            '\\' => word.push_str(&escaped(rest)?),
            end if end == quote => return Some(word),
            character => word.push(character),
        }
    }
}

/// What stands behind a backslash. One that means nothing stays, as in Python.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let character = match rest.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'x' => number(rest, 2)?,
        'u' => number(rest, 4)?,
        'U' => number(rest, 8)?,
        plain @ ('\\' | '\'' | '"' | '/') => plain,
        other => return Some(format!("\\{other}")),
    };
    Some(character.to_string())
}

fn number(rest: &mut Peekable<Chars<'_>>, digits: usize) -> Option<char> {
    let mut number = 0;
    for _ in 0..digits {
        number = number * 16 + rest.next()?.to_digit(16)?;
    }
    char::from_u32(number)
}
