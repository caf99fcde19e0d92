//! Layers, laid upon each other on a thread of their own while the next ones are fetched.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::earlier::Record;
use super::error::PullError;
use super::request::{Progress, Step};
use crate::blobs::{Blob, Digest};
use crate::layers::{Laid, LayerError, Layers};

/// How often progress is told.
const A_WHILE: Duration = Duration::from_millis(200);

/// A layer to be laid upon those before it.
#[derive(Debug, Clone)]
pub(super) struct Layer<'a> {
    /// As the source has it.
    pub digest: &'a Digest,
    /// Unpacked, as the configuration has it.
    pub meant: &'a Digest,
    /// What it is taken from, if it isn't fetched.
    pub earlier: Option<Record>,
}

/// How far the layers are, for the thread that fetches.
#[derive(Debug, Default)]
pub(super) struct Unpacking {
    /// Bytes of all layers, unpacked, that were read.
    read: AtomicU64,
    /// Layers that were begun with.
    begun: AtomicUsize,
    is_unwanted: AtomicBool,
    has_failed: AtomicBool,
}

/// Who takes layers, the lowest first, as soon as they begin to come.
#[derive(Debug)]
pub(super) struct Taker<'a> {
    to: Sender<Blob>,
    taken: Cell<usize>,
    unpacking: &'a Unpacking,
}

impl Taker<'_> {
    /// Hands one over.
    pub(super) fn take(&self, layer: Blob) {
        self.taken.set(self.taken.get() + 1);
        // One that takes no more has failed, and says why.
        let _ = self.to.send(layer);
    }

    /// Whether more are of use.
    pub(super) fn takes_more(&self) -> bool {
        !self.unpacking.has_failed.load(Ordering::Relaxed)
    }

    /// Whether more of the one that was taken last is of use: of one that is broken, too, for it may not be what its
    /// digest says, which then is what has to be told.
    pub(super) fn takes_more_of_it(&self) -> bool {
        self.takes_more() || self.unpacking.begun.load(Ordering::Relaxed) == self.taken.get()
    }
}

/// Lays `layers` upon each other, on what `begin` gives, as `fetch` hands them over that have to be; and completes that.
///
/// # Errors
/// [`PullError`], of whichever failed; what they were laid upon is of no use then.
pub(super) fn unpack(
    begin: impl FnOnce() -> Result<Layers, LayerError> + Send,
    layers: &[Layer<'_>],
    progress: &dyn Progress,
    fetch: impl FnOnce(&Taker<'_>) -> Result<(), PullError>,
) -> Result<Laid, PullError> {
    let unpacking = &Unpacking::default();
    thread::scope(|scope| {
        let (to, blobs) = channel();
        let (working, ended) = channel::<()>();
        let worker = scope.spawn(move || {
            let laid = unpacking.lay(begin, layers, &blobs);
            unpacking.has_failed.store(laid.is_err(), Ordering::Release);
            drop(working);
            laid
        });
        let taken = Cell::new(0);
        let taker = Taker {
            to,
            taken,
            unpacking,
        };
        let fetched = fetch(&taker);
        drop(taker);
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
        begin: impl FnOnce() -> Result<Layers, LayerError>,
        named: &[Layer<'_>],
        blobs: &Receiver<Blob>,
    ) -> Result<Laid, PullError> {
        let nothing = Digest::of(b"");
        let mut layers = begin().map_err(failed(&nothing))?;
        for layer in named {
            let mut goes_on = |bytes| {
                self.read.store(bytes, Ordering::Relaxed);
                !self.is_unwanted.load(Ordering::Relaxed)
            };
            let Layer { digest, meant, .. } = layer;
            let found = match &layer.earlier {
                Some(record) => {
                    let again = record
                        .open()
                        .map_err(|error| LayerError::Broken(error.to_string()));
                    let again = again.map_err(failed(digest))?;
                    let found = layers.apply(again, meant.algorithm(), &mut goes_on);
                    found.map_err(failed(digest))?
                }
                None => self.lay_fetched(&mut layers, layer, blobs, &mut goes_on)?,
            };
            if found != **meant {
                return Err(PullError::Digest {
                    what: format!("layer {digest}, unpacked, which should be {meant}"),
                    found,
                });
            }
        }
        layers.complete().map_err(failed(&nothing))
    }

    /// The digest that the layer has, unpacked.
    fn lay_fetched(
        &self,
        layers: &mut Layers,
        Layer { digest, meant, .. }: &Layer<'_>,
        blobs: &Receiver<Blob>,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Digest, PullError> {
        // Whoever fetches has failed, and says why.
        let Ok(blob) = blobs.recv() else {
            return Err(PullError::Stopped);
        };
        self.begun.fetch_add(1, Ordering::Relaxed);
        let fate = blob.fate();
        // One that isn't compressed is what it was fetched as, and was compared with its digest then.
        let found = match digest == meant && blob.is_compared() {
            true => layers.apply_known(blob, goes_on).map(|()| (*meant).clone()),
            false => layers.apply(blob, meant.algorithm(), goes_on),
        };
        match found {
            // Likewise.
            Err(_) if fate.is_lost() => Err(PullError::Stopped),
            found => found.map_err(failed(digest)),
        }
    }
}

/// For `map_err`.
fn failed(layer: &Digest) -> impl FnOnce(LayerError) -> PullError + use<> {
    let layer = layer.clone();
    |source| match source {
        LayerError::Stopped => PullError::Stopped,
        source => PullError::Layer { layer, source },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::layers::Bounds;
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

    fn blob(content: &[u8]) -> Blob {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Blob::of(file).unwrap()
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
            earlier: None,
        };
        digests.iter().map(layer).collect()
    }

    #[test]
    fn a_layer_is_laid_while_the_next_is_fetched() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let ((one, first), (two, second)) = (layer("one"), layer("two"));
        let layers = of(&[&first, &second]);
        let begin = || Layers::new(directory.path(), Bounds::default());
        unpack(begin, &layers, &Unwatched, |taker| {
            taker.take(blob(&one));
            wait_until(|| at("one").exists());
            assert!(!at("two").exists());
            taker.take(blob(&two));
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
            let begin = || Layers::new(directory.path(), Bounds::default());
            let unpacked = unpack(begin, &layers, &Unwatched, fetch);
            unpacked.map(drop).unwrap_err()
        };
        let broken = unpack(&|taker| {
            taker.take(blob(&[1; 1024]));
            wait_until(|| !taker.takes_more());
            Err(PullError::Stopped)
        });
        assert!(matches!(broken, PullError::Layer { .. }), "{broken}");
        let (other, _) = layer("y");
        let other = unpack(&|taker| {
            taker.take(blob(&good));
            taker.take(blob(&other));
            Ok(())
        });
        assert!(matches!(other, PullError::Digest { .. }), "{other}");
        let gone = unpack(&|taker| {
            taker.take(blob(&good));
            let image = "x".to_owned();
            Err(PullError::NotFound { image })
        });
        assert!(matches!(gone, PullError::NotFound { .. }), "{gone}");
        let stopped = unpack(&|_| Err(PullError::Stopped));
        assert!(matches!(stopped, PullError::Stopped), "{stopped}");
    }
}
