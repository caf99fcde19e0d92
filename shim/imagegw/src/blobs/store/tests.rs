use std::cell::{Cell, RefCell};

use super::*;

/// Gives its content in pieces, and breaks off after each.
struct Pieces<'a> {
    content: &'a [u8],
    piece: usize,
    opened: RefCell<Vec<u64>>,
    stops_at: u64,
    is_denied: bool,
}

impl<'a> Pieces<'a> {
    fn of(content: &'a [u8], piece: usize) -> Self {
        Self {
            content,
            piece,
            opened: RefCell::default(),
            stops_at: u64::MAX,
            is_denied: false,
        }
    }
}

impl Fetch for Pieces<'_> {
    fn open(&self, from: u64) -> Result<Box<dyn Read + '_>, PullError> {
        self.opened.borrow_mut().push(from);
        let rest = &self.content[usize::try_from(from).unwrap()..];
        Ok(Box::new(&rest[..rest.len().min(self.piece)]))
    }

    fn may_have_it(&self) -> Result<(), PullError> {
        let image = "x".to_owned();
        match self.is_denied {
            true => Err(PullError::NotFound { image }),
            false => Ok(()),
        }
    }

    fn goes_on(&self, bytes: u64) -> bool {
        bytes < self.stops_at
    }
}

fn blobs() -> (tempfile::TempDir, Blobs) {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&directory.path().join("cache")).unwrap();
    (directory, blobs)
}

fn fetched(
    blobs: &Blobs,
    digest: &Digest,
    size: u64,
    from: &Pieces<'_>,
) -> Result<Vec<u8>, PullError> {
    let mut file = blobs.get_or_fetch(digest, size, "x", from)?;
    let mut content = vec![];
    file.read_to_end(&mut content).unwrap();
    Ok(content)
}

#[test]
fn a_blob_is_fetched_once_and_where_its_source_broke_off() {
    let (_directory, blobs) = blobs();
    let content = b"some content";
    let digest = Digest::of(content);
    let source = Pieces::of(content, 5);
    assert_eq!(fetched(&blobs, &digest, 12, &source).unwrap(), content);
    assert_eq!(*source.opened.borrow(), [0, 5, 10]);
    assert_eq!(fetched(&blobs, &digest, 12, &source).unwrap(), content);
    assert_eq!(source.opened.borrow().len(), 3);
    assert!(files(&blobs.directory.join("incoming")).unwrap().is_empty());
}

#[test]
fn what_is_not_what_its_digest_says_is_not_kept() {
    let (_directory, blobs) = blobs();
    let digest = Digest::of(b"some content");
    for (content, size, fault) in [
        (&b"evil content"[..], 12, "its content is sha256:"),
        (b"some content and more", 12, "more than 12 bytes"),
        (b"some", 12, "ends too early"),
    ] {
        let error = fetched(&blobs, &digest, size, &Pieces::of(content, 100)).unwrap_err();
        assert!(error.to_string().contains(fault), "{error}");
        assert!(blobs.get(&digest).unwrap().is_none());
        assert!(files(&blobs.directory.join("incoming")).unwrap().is_empty());
    }
}

#[test]
fn what_a_killed_fetch_has_left_is_neither_trusted_nor_kept() {
    let (_directory, blobs) = blobs();
    let content = b"some content";
    let digest = Digest::of(content);
    let left = blobs.directory.join("incoming").join(digest.hex());
    fs::write(&left, "evil and longer than the content").unwrap();
    let source = Pieces::of(content, 100);
    assert_eq!(fetched(&blobs, &digest, 12, &source).unwrap(), content);
    fs::write(&left, "evil").unwrap();
    assert_eq!(blobs.sweep(u64::MAX).unwrap(), Swept::default());
    assert!(!left.exists());
}

#[test]
fn what_a_power_failure_has_left_is_not_trusted_and_what_is_on_the_disk_is() {
    let (_directory, blobs) = blobs();
    let content = b"some content";
    let digest = Digest::of(content);
    let source = Pieces::of(content, 100);
    let fetch = || fetched(&blobs, &digest, 12, &source).unwrap();
    let damage = || {
        let path = blobs.path(&digest);
        fs::write(&path, "some c\0\0\0\0\0\0").unwrap();
    };
    fetch();
    damage();
    assert_eq!(fetch(), content);
    assert_eq!(source.opened.borrow().len(), 2);
    assert!(!is_settled(&blobs.get(&digest).unwrap().unwrap()).unwrap());
    blobs.settle(&digest);
    let settled = blobs.get(&digest).unwrap().unwrap();
    assert!(is_settled(&settled).unwrap());
    // Compared no more: it is read as it is.
    damage();
    assert_ne!(fetch(), content);
    assert_eq!(source.opened.borrow().len(), 2);
}

#[test]
fn two_that_need_a_blob_fetch_it_once() {
    let (_directory, blobs) = blobs();
    let content = vec![7; 1 << 20];
    let digest = Digest::of(&content);
    let opened: usize = thread::scope(|scope| {
        let fetch = || {
            let source = Pieces::of(&content, usize::MAX);
            let found = fetched(&blobs, &digest, 1 << 20, &source).unwrap();
            assert_eq!(found, content);
            source.opened.borrow().len()
        };
        let others: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
        others.into_iter().map(|other| other.join().unwrap()).sum()
    });
    assert_eq!(opened, 1);
}

#[test]
fn what_was_fetched_for_one_is_not_everybodys() {
    let (_directory, blobs) = blobs();
    let digest = Digest::of(b"x");
    let denied = Pieces {
        is_denied: true,
        ..Pieces::of(b"x", 1)
    };
    fetched(&blobs, &digest, 1, &Pieces::of(b"x", 1)).unwrap();
    let error = fetched(&blobs, &digest, 1, &denied).unwrap_err();
    assert!(matches!(error, PullError::NotFound { .. }), "{error}");
    assert!(denied.opened.borrow().is_empty());
}

#[test]
fn whoever_waits_for_another_ones_fetching_can_be_stopped() {
    let (_directory, blobs) = blobs();
    let digest = Digest::of(b"x");
    let path = blobs.directory.join("incoming").join(digest.hex());
    let other = open(&path, OFlags::RDWR | OFlags::CREATE).unwrap();
    flock(&other, FlockOperation::LockExclusive).unwrap();
    let mut source = Pieces::of(b"x", 1);
    source.stops_at = 0;
    let error = fetched(&blobs, &digest, 1, &source).unwrap_err();
    assert!(matches!(error, PullError::Stopped));
    assert!(path.exists());
}

#[test]
fn what_was_used_the_longest_ago_is_swept_up_first() {
    let (_directory, blobs) = blobs();
    let ago = Cell::new(1000);
    let put = |content: &[u8]| {
        let digest = Digest::of(content);
        let size = content.len() as u64;
        fetched(&blobs, &digest, size, &Pieces::of(content, 100)).unwrap();
        let file = blobs.get(&digest).unwrap().unwrap();
        ago.set(ago.get() - 1);
        let time = SystemTime::now() - Duration::from_secs(ago.get());
        file.set_modified(time).unwrap();
        digest
    };
    let [old, used, new] = [&b"old."[..], b"used", b"new."].map(put);
    let kept = blobs.get(&used).unwrap();
    assert_eq!(blobs.sweep(8).unwrap(), Swept { blobs: 1, bytes: 4 });
    assert!(blobs.path(&used).exists() && blobs.path(&new).exists() && !blobs.path(&old).exists());
    assert_eq!(blobs.sweep(0).unwrap(), Swept { blobs: 2, bytes: 8 });
    let mut content = String::new();
    kept.unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "used");
}
