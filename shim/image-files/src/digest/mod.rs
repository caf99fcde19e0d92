//! What an image's file is: digests of it, for whoever has to see that it is the one that was made.

mod growing;
mod spans;
mod verity;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread::available_parallelism;

use ring::digest::{Context, SHA256};

pub(crate) use growing::Growing;

use crate::sys;

/// How much is read at once.
const PIECE: usize = 1 << 20;

/// Threads beyond so many wait for the disk.
const MOST_THREADS: u64 = 8;

/// What fs-verity calls `file`, whether or not its file system has that: `sha256:` with 64 hexadecimal digits, by blocks
/// of 4096 bytes, without a salt. All of it is read, by at most so many threads at once.
///
/// # Errors
/// Those of reading it.
pub fn verity_digest(file: &File, threads: u64) -> io::Result<String> {
    let length = file.metadata()?.len();
    let digest = spans::digest(file, length, threads, |_| None)?;
    Ok(text(&digest))
}

/// How many threads are of use, to whoever has nothing else to do.
pub fn processors() -> u64 {
    available_parallelism().map_or(1, |count| (count.get() as u64).min(MOST_THREADS))
}

/// The SHA-256 of what is in `file`, all of which is read, as `sha256:…`.
///
/// # Errors
/// Those of reading it.
pub fn content_digest(file: &File) -> io::Result<String> {
    let mut content = Context::new(&SHA256);
    read(file, |piece| content.update(piece))?;
    Ok(text(content.finish().as_ref()))
}

/// What the kernel says that `file` is, and sees to it whenever it is read: its fs-verity digest, `sha256:…`. None where
/// the file hasn't got it, nor perhaps its file system or the kernel.
///
/// # Errors
/// Those of the system call.
pub fn measured_digest(file: &File) -> io::Result<Option<String>> {
    let measured = sys::measure_verity(file)?;
    Ok(measured.as_ref().map(|digest| text(digest)))
}

/// Has the kernel keep `file` as it is, with SHA-256 in blocks of 4096 bytes: nobody writes to it any more. Whether it can.
///
/// # Errors
/// Those of the system call; `ETXTBSY` where somebody has it open for writing.
pub fn enable_verity(file: &File) -> io::Result<bool> {
    sys::enable_verity(file)
}

/// Every piece of the file; all but the last are whole.
fn read(file: &File, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut position = 0;
    loop {
        let length = read_at(file, &mut buffer, position)?;
        each(buffer.get(..length).unwrap_or_default());
        position += length as u64;
        if length < PIECE {
            return Ok(());
        }
    }
}

/// Fills the buffer, as far as the file goes.
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position + filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn text(digest: &[u8]) -> String {
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    /// Bytes that no two blocks have in common.
    fn bytes(length: usize) -> Vec<u8> {
        let mut bytes = vec![];
        for number in 0_u32.. {
            if bytes.len() >= length {
                break;
            }
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// What `sha256sum` and `fsverity digest` (fsverity-utils 1.5) say of files of these lengths.
    const KNOWN: &str = include_str!("../../tests/data/digests.tsv");

    #[test]
    fn digests_are_those_of_sha256sum_and_of_fsverity_utils() {
        let lines = KNOWN.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let [length, content, verity] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let file = file(&bytes(length.parse().unwrap()));
            assert_eq!(content_digest(&file).unwrap(), content, "{length}");
            for threads in [1, 3] {
                let found = verity_digest(&file, threads).unwrap();
                assert_eq!(found, verity, "{length}, {threads}");
            }
            count += 1;
        }
        assert!(count >= 10, "{count}");
    }

    #[test]
    fn a_file_without_verity_has_no_measured_digest() {
        assert_eq!(measured_digest(&file(b"x")).unwrap(), None);
    }
}
