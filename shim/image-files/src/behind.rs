//! A large file, brought to the disk while it is written: the disk has nothing to do meanwhile, and little is left for
//! whoever waits for it in the end.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What is brought to the disk at once, bytes.
const PIECE: u64 = 32 << 20;

/// How often it is looked at.
const A_WHILE: Duration = Duration::from_millis(50);

/// Has `work` write the file at `path`, which needn't be there yet, and brings it to the disk meanwhile. What was written
/// last isn't there yet when `work` has ended: that is for the caller to see to.
///
/// # Errors
/// Those of `work`, and what `failed` makes of those of the disk: the kernel may tell of them once only, and here.
pub fn sync_while<T, E>(
    path: &Path,
    failed: impl FnOnce(io::Error) -> E,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    thread::scope(|scope| {
        let (working, ended) = channel();
        let syncing = scope.spawn(move || sync(path, &ended));
        let worked = work();
        drop(working);
        let synced = syncing.join();
        let synced = synced.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let worked = worked?;
        synced.map(|()| worked).map_err(failed)
    })
}

fn sync(path: &Path, ended: &Receiver<()>) -> io::Result<()> {
    let mut file = None;
    let mut synced = 0;
    while ended.recv_timeout(A_WHILE) == Err(RecvTimeoutError::Timeout) {
        file = file.or_else(|| File::open(path).ok());
        let Some(file) = &file else { continue };
        let length = file.metadata()?.len();
        if length >= synced + PIECE {
            file.sync_data()?;
            synced = length;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_work_gives_is_what_comes_back_whether_or_not_there_is_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let written = sync_while(
            &path,
            |error| error,
            || {
                fs::write(&path, vec![1; PIECE as usize + 1])?;
                thread::sleep(A_WHILE * 3);
                fs::metadata(&path).map(|found| found.len())
            },
        );
        assert_eq!(written.unwrap(), PIECE + 1);
        let nowhere = directory.path().join("nowhere");
        let worked: Result<i32, &str> = sync_while(&nowhere, |_| "disk", || Ok(3));
        assert_eq!(worked, Ok(3));
        let worked: Result<i32, &str> = sync_while(&nowhere, |_| "disk", || Err("work"));
        assert_eq!(worked, Err("work"));
    }
}
