use std::cell::RefCell;
use std::os::unix::fs::FileExt;

use super::*;
use crate::blobs::Algorithm;
use crate::layers::{Bounds, Layers};
use crate::pull::manifest::Descriptor;

/// A registry that shows blobs, or doesn't.
struct Registry {
    address: Option<&'static str>,
    is_open: bool,
    asked: RefCell<Vec<Digest>>,
}

impl Registry {
    fn at(address: &'static str) -> Self {
        Self {
            address: Some(address),
            is_open: true,
            asked: RefCell::default(),
        }
    }
}

impl Origin for Registry {
    fn top(&self) -> Result<(Vec<u8>, Option<String>), PullError> {
        unreachable!()
    }

    fn document(&self, _: &Descriptor) -> Result<Vec<u8>, PullError> {
        unreachable!()
    }

    fn blob(&self, _: &Descriptor, _: u64) -> Result<Box<dyn Read + '_>, PullError> {
        unreachable!()
    }

    fn registry(&self) -> Option<&str> {
        self.address
    }

    fn shows(&self, digest: &Digest) -> bool {
        self.asked.borrow_mut().push(digest.clone());
        self.is_open
    }
}

/// An image that was made, of one layer.
struct Kept {
    directory: tempfile::TempDir,
    earlier: Earlier,
    content: Vec<u8>,
    blob: Digest,
    meant: Digest,
}

impl Kept {
    fn new(origin: &Registry) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let earlier = Earlier::new(directory.path().join("layers"));
        fs::create_dir(&earlier.directory).unwrap();
        let mut archive = tar::Builder::new(vec![]);
        let mut head = tar::Header::new_gnu();
        head.set_mode(0o644);
        head.set_size(9000);
        archive.append_data(&mut head, "a", &[7; 9000][..]).unwrap();
        let content = archive.into_inner().unwrap();
        let kept = Self {
            blob: Digest::of(b"as it is fetched"),
            meant: Digest::of(&content),
            directory,
            earlier,
            content,
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(kept.image())
            .unwrap();
        let recording = kept.earlier.recording().unwrap();
        let mut layers = Layers::image(file, Bounds::default(), Some(recording));
        let laid = layers.apply(&kept.content[..], Algorithm::Sha256, &mut |_| true);
        assert_eq!(laid.unwrap(), kept.meant);
        let recorded = layers.complete().unwrap().recorded;
        let size = fs::metadata(kept.image()).unwrap().len();
        let layer = kept.layer();
        kept.earlier
            .keep(origin, &[layer], recorded, &kept.image(), size);
        kept
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn layer(&self) -> Layer<'_> {
        Layer {
            digest: &self.blob,
            meant: &self.meant,
            earlier: None,
        }
    }

    /// Whether the layer is had from the image; then it has to be what it was.
    fn is_found(&self, origin: &Registry, layer: Layer<'_>) -> bool {
        let found = self.earlier.layers(origin, &[layer]);
        let Some(record) = &found[0].earlier else {
            return false;
        };
        let mut content = vec![];
        record.open().unwrap().read_to_end(&mut content).unwrap();
        assert!(content == self.content);
        true
    }

    fn names(&self) -> usize {
        fs::read_dir(&self.earlier.directory).unwrap().count()
    }
}

#[test]
fn a_layer_is_had_by_whom_its_registry_shows_it_to_and_nobody_else() {
    let origin = Registry::at("https://a");
    let kept = Kept::new(&origin);
    assert_eq!(kept.names(), 1);
    assert!(kept.is_found(&origin, kept.layer()));
    assert_eq!(*origin.asked.borrow(), std::slice::from_ref(&kept.blob));
    let closed = Registry {
        is_open: false,
        ..Registry::at("https://a")
    };
    assert!(!kept.is_found(&closed, kept.layer()));
    // Another one may say what it likes: it never had it.
    for address in [Some("https://b"), None] {
        let other = Registry {
            address,
            ..Registry::at("")
        };
        assert!(!kept.is_found(&other, kept.layer()), "{address:?}");
        assert!(other.asked.borrow().is_empty());
    }
}

#[test]
fn a_blob_that_says_to_be_another_layer_is_none() {
    let origin = Registry::at("https://a");
    let kept = Kept::new(&origin);
    let own = Digest::of(b"what anybody may push");
    let forged = Layer {
        digest: &own,
        ..kept.layer()
    };
    assert!(!kept.is_found(&origin, forged));
    let forged = Layer {
        meant: &own,
        ..kept.layer()
    };
    assert!(!kept.is_found(&origin, forged));
    assert!(kept.is_found(&origin, kept.layer()));
}

#[test]
fn what_is_no_record_any_more_or_has_no_image_is_passed_over() {
    let origin = Registry::at("https://a");
    let kept = Kept::new(&origin);
    let record = kept.earlier.record(&origin, &kept.layer()).unwrap();
    let content = fs::read(&record.path).unwrap();
    // Up to its journal; what comes behind is seen by the layer's digest.
    let length = u32::from_le_bytes(content[8..12].try_into().unwrap());
    for end in 0..12 + length as usize {
        fs::write(&record.path, &content[..end]).unwrap();
        assert!(!kept.is_found(&origin, kept.layer()), "{end}");
    }
    let other = [b"layer 0\n", &content[8..]].concat();
    fs::write(&record.path, other).unwrap();
    assert!(!kept.is_found(&origin, kept.layer()));
    fs::write(&record.path, &content).unwrap();
    assert!(kept.is_found(&origin, kept.layer()));
    let away = kept.directory.path().join("away");
    fs::rename(kept.image(), &away).unwrap();
    assert!(!kept.is_found(&origin, kept.layer()));
    std::os::unix::fs::symlink(&away, kept.image()).unwrap();
    assert!(!kept.is_found(&origin, kept.layer()));
    fs::rename(&away, kept.image()).unwrap();
    assert!(kept.is_found(&origin, kept.layer()));
    let image = File::options().write(true).open(kept.image()).unwrap();
    image
        .write_all_at(b"x", image.metadata().unwrap().len())
        .unwrap();
    assert!(!kept.is_found(&origin, kept.layer()));
}

#[test]
fn records_of_images_that_are_gone_are_swept_up_and_what_a_killed_pull_has_left() {
    let origin = Registry::at("https://a");
    let kept = Kept::new(&origin);
    let record = kept.earlier.record(&origin, &kept.layer()).unwrap();
    let left = kept.earlier.directory.join("new-1-1");
    fs::write(&left, "half").unwrap();
    let age = |path: &Path| {
        let file = File::options().append(true).open(path).unwrap();
        let ago = std::time::SystemTime::now() - WAY * 2;
        file.set_modified(ago).unwrap();
    };
    kept.earlier.sweep().unwrap();
    assert_eq!(kept.names(), 2);
    [&record.path, &left].into_iter().for_each(|path| age(path));
    kept.earlier.sweep().unwrap();
    assert_eq!(kept.names(), 1);
    // It may be on its way.
    fs::remove_file(kept.image()).unwrap();
    let now = File::options().append(true).open(&record.path).unwrap();
    now.set_modified(std::time::SystemTime::now()).unwrap();
    kept.earlier.sweep().unwrap();
    assert_eq!(kept.names(), 1);
    age(&record.path);
    kept.earlier.sweep().unwrap();
    assert_eq!(kept.names(), 0);
}
