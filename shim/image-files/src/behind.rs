//! A large file, on its way to the disk while it is written: the disk has nothing to do meanwhile, and little is left for
//! whoever waits for it in the end.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::sys::begin_writing;

/// What is begun with at once, bytes.
const PIECE: u64 = 8 << 20;

/// How often it is looked at.
const A_WHILE: Duration = Duration::from_millis(50);

/// Has `work` write the file at `path`, which needn't be there yet, and the kernel begin to bring it to the disk
/// meanwhile. That it gets there, and whether, is for the caller to see to.
pub fn write_behind<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (working, ended) = channel::<()>();
        scope.spawn(move || begin_until(path, &ended));
        let worked = work();
        drop(working);
        worked
    })
}

fn begin_until(path: &Path, ended: &Receiver<()>) {
    let mut file = None;
    let mut begun = 0;
    while ended.recv_timeout(A_WHILE) == Err(RecvTimeoutError::Timeout) {
        file = file.or_else(|| File::open(path).ok());
        let Some(file) = &file else { continue };
        let length = file.metadata().map_or(0, |found| found.len());
        if length >= begun + PIECE {
            // A file system that can't do that isn't hurried.
            let _ = begin_writing(file, begun, length - begun);
            begun = length;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_work_gives_is_what_comes_back_whether_or_not_there_is_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let content = vec![1; 9 << 20];
        let written = write_behind(&path, || {
            fs::write(&path, &content)?;
            thread::sleep(A_WHILE * 3);
            fs::read(&path)
        });
        assert!(written.unwrap() == content);
        let nowhere = directory.path().join("nowhere");
        assert_eq!(write_behind(&nowhere, || 3), 3);
    }

    #[test]
    fn the_kernel_takes_what_it_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, vec![1; 4096]).unwrap();
        begin_writing(&File::open(&path).unwrap(), 0, 4096).unwrap();
        let (read, _write) = std::io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(read));
        assert!(begin_writing(&pipe, 0, 4096).is_err());
    }
}
