//! Layers, laid upon each other on a thread of their own while the next ones are fetched.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::error::PullError;
use super::pulled::LeftOut;
use super::request::{Progress, Step};
use crate::blobs::Digest;
use crate::layers::{Bounds, LayerError, Layers};

/// How often progress is told.
const A_WHILE: Duration = Duration::from_millis(200);

/// A layer to be laid upon those before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    /// As the source has it.
    pub digest: &'a Digest,
    /// Unpacked, as the configuration has it.
    pub meant: &'a Digest,
}

/// How far the layers are, for the thread that fetches.
#[derive(Debug, Default)]
pub(super) struct Unpacking {
    /// Bytes of all layers, unpacked, that were read.
    read: AtomicU64,
    is_unwanted: AtomicBool,
    has_failed: AtomicBool,
}

/// Who takes layers that are fetched, whole and checked, the lowest first.
#[derive(Debug)]
pub(super) struct Taker<'a> {
    to: Sender<File>,
    unpacking: &'a Unpacking,
}

impl Taker<'_> {
    /// Hands one over.
    pub(super) fn take(&self, layer: File) {
        // One that takes no more has failed, and says why.
        let _ = self.to.send(layer);
    }

    /// Whether more are of use.
    pub(super) fn takes_more(&self) -> bool {
        !self.unpacking.has_failed.load(Ordering::Relaxed)
    }
}

/// Lays `layers` upon each other in `tree`, an empty directory, as `fetch` hands them over.
///
/// # Errors
/// [`PullError`], of whichever failed; the tree is of no use then.
pub(super) fn unpack(
    tree: &Path,
    bounds: Bounds,
    layers: &[Layer<'_>],
    progress: &dyn Progress,
    fetch: impl FnOnce(&Taker<'_>) -> Result<(), PullError>,
) -> Result<LeftOut, PullError> {
    let unpacking = &Unpacking::default();
    thread::scope(|scope| {
        let (to, blobs) = channel();
        let (working, ended) = channel::<()>();
        let worker = scope.spawn(move || {
            let laid = unpacking.lay(tree, bounds, layers, &blobs);
            unpacking.has_failed.store(laid.is_err(), Ordering::Relaxed);
            drop(working);
            laid
        });
        let fetched = fetch(&Taker { to, unpacking });
        match fetched {
            Ok(()) if unpacking.has_failed.load(Ordering::Relaxed) => {}
            Ok(()) => progress.step(Step::Examination),
            Err(_) => unpacking.is_unwanted.store(true, Ordering::Relaxed),
        }
        unpacking.wait(&ended, progress);
        let laid = worker.join();
        let laid = laid.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (fetched, laid) {
            // It was stopped since no more was of use.
            (Err(PullError::Stopped), Err(error)) => Err(error),
            (Err(error), _) => Err(error),
            (Ok(()), laid) => laid,
        }
    })
}

impl Unpacking {
    /// Waits until all is laid, and tells of it.
    fn wait(&self, ended: &Receiver<()>, progress: &dyn Progress) {
        while ended.recv_timeout(A_WHILE) == Err(RecvTimeoutError::Timeout) {
            if !self.is_unwanted.load(Ordering::Relaxed) {
                progress.bytes(self.read.load(Ordering::Relaxed), None);
                let stops = progress.should_stop();
                self.is_unwanted.store(stops, Ordering::Relaxed);
            }
        }
    }

    fn lay(
        &self,
        tree: &Path,
        bounds: Bounds,
        named: &[Layer<'_>],
        blobs: &Receiver<File>,
    ) -> Result<LeftOut, PullError> {
        let failed = |layer: &Digest| {
            let layer = layer.clone();
            |source| match source {
                LayerError::Stopped => PullError::Stopped,
                source => PullError::Layer { layer, source },
            }
        };
        let mut layers = Layers::new(tree, bounds).map_err(failed(&Digest::of(b"")))?;
        for Layer { digest, meant } in named {
            // Whoever fetches has failed, and says why.
            let Ok(blob) = blobs.recv() else {
                return Err(PullError::Stopped);
            };
            let mut goes_on = |bytes| {
                self.read.store(bytes, Ordering::Relaxed);
                !self.is_unwanted.load(Ordering::Relaxed)
            };
            let found = layers.apply(blob, meant.algorithm(), &mut goes_on);
            let found = found.map_err(failed(digest))?;
            if found != **meant {
                return Err(PullError::Digest {
                    what: format!("layer {digest}, unpacked, which should be {meant}"),
                    found,
                });
            }
        }
        Ok(layers.left_out())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;
    use crate::pull::Unwatched;

    /// A layer with an empty file of this name, and its digest.
    fn layer(name: &str) -> (Vec<u8>, Digest) {
        let mut archive = tar::Builder::new(vec![]);
        let mut head = tar::Header::new_gnu();
        head.set_mode(0o644);
        head.set_size(0);
        archive.append_data(&mut head, name, &b""[..]).unwrap();
        let content = archive.into_inner().unwrap();
        let digest = Digest::of(&content);
        (content, digest)
    }

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        file
    }

    fn wait_until(what: impl Fn() -> bool) {
        for _ in 0..2000 {
            if what() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it never happens");
    }

    fn of<'a>(digests: &[&'a Digest]) -> Vec<Layer<'a>> {
        let layer = |digest: &&'a Digest| Layer {
            digest,
            meant: digest,
        };
        digests.iter().map(layer).collect()
    }

    #[test]
    fn a_layer_is_laid_while_the_next_is_fetched() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let ((one, first), (two, second)) = (layer("one"), layer("two"));
        let layers = of(&[&first, &second]);
        let bounds = Bounds::default();
        unpack(directory.path(), bounds, &layers, &Unwatched, |taker| {
            taker.take(file(&one));
            wait_until(|| at("one").exists());
            assert!(!at("two").exists());
            taker.take(file(&two));
            Ok(())
        })
        .unwrap();
        assert!(at("one").exists() && at("two").exists());
    }

    #[test]
    fn what_failed_is_told_whichever_it_was_and_ends_the_other() {
        let (good, digest) = layer("x");
        let layers = of(&[&digest, &digest]);
        let unpack = |fetch: &dyn Fn(&Taker<'_>) -> Result<(), PullError>| {
            let directory = tempfile::tempdir().unwrap();
            let bounds = Bounds::default();
            let unpacked = unpack(directory.path(), bounds, &layers, &Unwatched, fetch);
            unpacked.map(drop).unwrap_err()
        };
        let broken = unpack(&|taker| {
            taker.take(file(&[1; 1024]));
            wait_until(|| !taker.takes_more());
            Err(PullError::Stopped)
        });
        assert!(matches!(broken, PullError::Layer { .. }), "{broken}");
        let (other, _) = layer("y");
        let other = unpack(&|taker| {
            taker.take(file(&good));
            taker.take(file(&other));
            Ok(())
        });
        assert!(matches!(other, PullError::Digest { .. }), "{other}");
        let gone = unpack(&|taker| {
            taker.take(file(&good));
            let image = "x".to_owned();
            Err(PullError::NotFound { image })
        });
        assert!(matches!(gone, PullError::NotFound { .. }), "{gone}");
        let stopped = unpack(&|_| Err(PullError::Stopped));
        assert!(matches!(stopped, PullError::Stopped), "{stopped}");
    }
}
