//! What a server and a sandbox that is ready say to each other, over a socket that nobody else has.
//!
//! The sandbox's process says [`Word::Ready`] or [`Word::Failed`], then reads one [`Asked`] and says [`Word::Taken`]:
//! from there on it is the execution's process, as one that was started for it would be, whatever becomes of the server.
//! A line of JSON each. Where the server closes the socket without a word, the sandbox goes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use bundles::opt_server::config::Limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the sandbox's process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It can be asked.
    Ready,
    /// There is none, and why.
    Failed(String),
    /// What was asked for will run.
    Taken,
}

/// What the server asks for: a command line of the command that the sandbox was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The execution's id.
    pub id: String,
    /// The link with which it begins ([`start_once`](super::start_once)).
    pub begin: PathBuf,
    /// The command's arguments.
    pub arguments: Vec<String>,
    /// The project directory.
    pub project: PathBuf,
    /// Where standard output goes. The process makes the file when it takes what is asked for.
    pub stdout: PathBuf,
    /// Likewise standard error, unless that goes where standard output does.
    pub stderr: Option<PathBuf>,
    /// Where the report goes.
    pub report: PathBuf,
    /// Limits that hold besides the configuration's.
    pub limits: Limits,
    /// User group whose limits hold besides.
    pub user_group: Option<String>,
}

/// Nothing that is said is longer: an argument list has to fit into execve(2).
const MAX_LINE: u64 = 16 << 20;

/// Says one word.
///
/// # Errors
/// Where the other side is gone.
pub fn say(mut socket: &UnixStream, word: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(word)?;
    text.push(b'\n');
    socket.write_all(&text)
}

/// Waits for one word; `None` where the other side is gone. It says only one at a time, so nothing that comes after it
/// is lost.
///
/// # Errors
/// Those of read(2); where it makes no sense.
pub fn hear<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<T>> {
    let mut line = vec![];
    BufReader::new(socket.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\n") {
        Some(text) => Ok(Some(serde_json::from_slice(text)?)),
        None => Ok(None),
    }
}

/// Opens what a command prints to, to append.
///
/// # Errors
/// Those of open(2).
pub fn open_output(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_word_by_word() {
        let (one, other) = UnixStream::pair().unwrap();
        for word in [Word::Ready, Word::Failed("a\nb".to_owned()), Word::Taken] {
            say(&one, &word).unwrap();
            assert_eq!(hear(&other).unwrap(), Some(word));
        }
        (&one).write_all(b"{\"id\":").unwrap();
        drop(one);
        assert_eq!(hear::<Asked>(&other).unwrap(), None);
    }

    #[test]
    fn nonsense_is_an_error() {
        let (one, other) = UnixStream::pair().unwrap();
        (&one).write_all(b"hello\n").unwrap();
        hear::<Word>(&other).unwrap_err();
    }
}
