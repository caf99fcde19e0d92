//! What a command printed: read piece by piece from the file that it is written into.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::execution::Place;

/// The most that one piece holds, in bytes, while there may be more pieces.
pub const PIECE: u64 = 4 << 20;

/// A piece of a command's output.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The text; what isn't UTF-8 in it is replaced.
    pub text: String,
    /// Where the next one begins.
    pub next: u64,
}

/// The piece of `path` that begins at `from`, of `most` bytes. A character that is only half in it is left for
/// the next piece, unless there is none: the command has ended (`is_whole`), and this is the last piece.
///
/// # Errors
/// Those of read(2).
pub fn piece(path: &Path, from: u64, most: u64, is_whole: bool) -> io::Result<Piece> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Piece {
                next: from,
                ..Piece::default()
            });
        }
        other => other?,
    };
    let length = file.metadata()?.len();
    let from = from.min(length);
    file.seek(SeekFrom::Start(from))?;
    let is_last = is_whole && length - from <= most;
    let mut bytes = vec![];
    file.take(most).read_to_end(&mut bytes)?;
    if !is_last {
        bytes.truncate(bytes.len() - unfinished(&bytes));
    }
    Ok(Piece {
        next: from + bytes.len() as u64,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    for (place, byte) in tail.iter().enumerate() {
        let left = tail.len() - place;
        let needs = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        if needs > left {
            return left;
        }
    }
    0
}

/// How far each kind of poll has come: `stdout` of the Python client, `log` of the JavaScript one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursors {
    /// Bytes that polls with `?stdout=true` have brought.
    pub stdout: u64,
    /// Bytes that plain polls have brought.
    pub log: u64,
}

impl Cursors {
    /// As the last poll left them, also one of a server before this.
    pub fn load(place: &Place) -> Self {
        let text = std::fs::read(place.cursors()).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Keeps them. Not synced: after a crash of the machine a client may get a piece twice.
    ///
    /// # Errors
    /// Those of write(2) and rename(2).
    pub fn save(self, place: &Place) -> io::Result<()> {
        let path = place.cursors();
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, serde_json::to_vec(&self)?)?;
        std::fs::rename(temporary, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_whole_wherever_it_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stdout");
        let text = "a ä € 𝄞 z";
        for cut in 0..=text.len() {
            std::fs::write(&path, &text.as_bytes()[..cut]).unwrap();
            let first = piece(&path, 0, PIECE, false).unwrap();
            assert!(text.starts_with(&first.text), "{cut}: {first:?}");
            std::fs::write(&path, text).unwrap();
            let rest = piece(&path, first.next, PIECE, true).unwrap();
            assert_eq!(first.text + &rest.text, text, "{cut}");
            assert_eq!(rest.next, text.len() as u64);
        }
    }

    #[test]
    fn a_command_that_has_ended_is_read_in_pieces_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stdout");
        std::fs::write(&path, "a ä € 𝄞 \u{1d11e}").unwrap();
        let (mut text, mut at) = (String::new(), 0);
        loop {
            let next = piece(&path, at, 4, true).unwrap();
            if next.next == at {
                break;
            }
            assert!(next.next - at <= 4, "{next:?}");
            text.push_str(&next.text);
            at = next.next;
        }
        assert_eq!(text, "a ä € 𝄞 \u{1d11e}");
    }

    #[test]
    fn what_is_not_text_is_replaced_and_never_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stdout");
        std::fs::write(&path, b"\xff\xfe\x80ok\xe2\x82").unwrap();
        let first = piece(&path, 0, PIECE, false).unwrap();
        assert_eq!(
            (first.text.as_str(), first.next),
            ("\u{fffd}\u{fffd}\u{fffd}ok", 5)
        );
        let last = piece(&path, first.next, PIECE, true).unwrap();
        assert_eq!((last.text.as_str(), last.next), ("\u{fffd}", 7));
        assert_eq!(piece(&path, 99, PIECE, true).unwrap().next, 7);
        assert_eq!(
            piece(Path::new("/nowhere"), 3, PIECE, true).unwrap().next,
            3
        );
    }

    #[test]
    fn cursors_outlive_the_server() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::of(directory.path(), "");
        assert_eq!(Cursors::load(&place), Cursors::default());
        let cursors = Cursors { stdout: 5, log: 7 };
        cursors.save(&place).unwrap();
        assert_eq!(Cursors::load(&place), cursors);
    }
}
