//! Who changes a file tree while the runtime is at work in it, and how a tree looks, to see that it didn't change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::fcntl::{RenameFlags, renameat2};

/// Exchanges two names without a pause, until it is dropped.
pub struct Exchanging {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Exchanging {
    /// Of two names that are there: at no moment is one of them absent.
    pub fn names(one: &Path, other: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (one, other) = (one.to_path_buf(), other.to_path_buf());
        let stopped = Arc::clone(&stop);
        let exchange = move || {
            let mut times = 0;
            while !stopped.load(Ordering::Relaxed) || times % 2 == 1 {
                let flag = RenameFlags::RENAME_EXCHANGE;
                renameat2(None, &one, None, &other, flag).expect("exchange");
                times += 1;
            }
            times
        };
        Self {
            stop,
            thread: Some(std::thread::spawn(exchange)),
        }
    }

    /// Stops, with each name as it was, and tells how often they were exchanged.
    pub fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("the attacker")
    }
}

impl Drop for Exchanging {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is in a tree: of each path the kind and mode, and what it holds.
pub fn tree(top: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![top.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let status = fs::symlink_metadata(&path).expect("a file");
        let kind = status.file_type();
        let content = if kind.is_file() {
            String::from_utf8_lossy(&fs::read(&path).expect("read")).into_owned()
        } else if kind.is_symlink() {
            fs::read_link(&path).expect("read").display().to_string()
        } else if kind.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
            String::new()
        } else {
            format!("device {}", status.rdev())
        };
        let shown = format!(
            "{:o} {}:{} {content}",
            status.mode(),
            status.uid(),
            status.gid()
        );
        found.insert(path, shown);
    }
    found
}
