//! Layers that are had from an image again are what they were, byte by byte, and so is an image of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::written::MadeUp;
use super::*;

const ROOM: Bounds = Bounds {
    bytes: 64 << 20,
    entries: 1000,
};

/// An image that was written down.
pub(super) struct Recorded {
    file: File,
    layers: Vec<Option<super::Recorded>>,
}

/// Makes an image, and writes down how.
pub(super) fn recorded(bounds: Bounds, layers: &[Vec<u8>]) -> Result<Recorded, String> {
    let file = || tempfile::tempfile().unwrap();
    let (image, recording) = (file(), Recording::new(file(), file()));
    let copy = image.try_clone().unwrap();
    let mut all = Layers::image(image, bounds, Some(recording));
    for layer in layers {
        let applied = all.apply(&layer[..], Algorithm::Sha256, &mut |_| true);
        applied.map_err(|error| error.to_string())?;
    }
    let laid = all.complete().map_err(|error| error.to_string())?;
    must_be_known(&laid);
    let layers = laid.recorded;
    Ok(Recorded { file: copy, layers })
}

impl Recorded {
    pub(super) fn content(&self) -> Vec<u8> {
        content(&self.file)
    }

    /// The layer, as it is found.
    fn layer(&self, number: usize) -> Option<Replay> {
        let there = self.layers[number].as_ref()?;
        let image = Arc::new(self.file.try_clone().unwrap());
        let kept: HashMap<u32, Part> = there.kept.iter().cloned().collect();
        Some(Replay::new(
            there.length,
            there.journal.clone(),
            image,
            kept,
        ))
    }

    /// That each is what it was, compressed or not.
    pub(super) fn must_have(&self, layers: &[Vec<u8>]) {
        assert_eq!(self.layers.len(), layers.len());
        for (number, layer) in layers.iter().enumerate() {
            let meant = unpacked::unpacked(&layer[..]).unwrap().from;
            must_be_equal(&all(meant), &all(self.layer(number).unwrap()), number);
        }
    }
}

fn all(mut from: impl Read) -> Vec<u8> {
    let mut content = vec![];
    from.read_to_end(&mut content).unwrap();
    content
}

fn content(file: &File) -> Vec<u8> {
    let length = file.metadata().unwrap().len();
    let file = Arc::new(file.try_clone().unwrap());
    all(Part {
        file,
        at: 0,
        left: length,
    })
}

/// Tells where they differ and not what is in them.
fn must_be_equal(meant: &[u8], found: &[u8], what: impl std::fmt::Debug) {
    let differs = meant
        .iter()
        .zip(found)
        .position(|(meant, found)| meant != found);
    let lengths = (meant.len(), found.len());
    assert!(meant == found, "{what:?}: {differs:?} {lengths:?}");
}

/// Takes all but the last layer from `before`, and lays the last of `layers` upon them.
fn updated(before: &Recorded, layers: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let image = tempfile::tempfile().unwrap();
    let mut all = Layers::image(image.try_clone().unwrap(), ROOM, None);
    let (last, others) = layers.split_last().unwrap();
    for (number, layer) in others.iter().enumerate() {
        let replay = before.layer(number).unwrap();
        let found = all.apply(replay, Algorithm::Sha256, &mut |_| true).unwrap();
        assert_eq!(found, Digest::of(layer));
    }
    let applied = all.apply(&last[..], Algorithm::Sha256, &mut |_| true);
    applied.map_err(|error| error.to_string())?;
    let laid = all.complete().map_err(|error| error.to_string())?;
    must_be_known(&laid);
    Ok(content(&image))
}

/// A file with holes of its own, and one with long zeros.
fn with_holes(made_up: &mut MadeUp) -> [Vec<u8>; 2] {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_path(made_up.name()).unwrap();
    header.set_mode(0o644);
    header.set_mtime(1);
    header.set_size(512);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.sparse[0].set_offset(300_032);
    gnu.sparse[0].set_length(512);
    gnu.set_real_size(300_544);
    header.set_cksum();
    let sparse = [&header.as_bytes()[..], &[7; 512]].concat();
    let mut zeros = vec![0; 500_000 + made_up.below(9000)];
    zeros[made_up.below(500_000)] = 1;
    let zeros = entry(&made_up.name(), EntryType::Regular, "", 0o644, &zeros);
    [sparse, zeros]
}

fn some_layer(made_up: &mut MadeUp) -> Vec<u8> {
    let count = 1 + made_up.below(6);
    let mut entries: Vec<_> = (0..count).map(|_| made_up.entry()).collect();
    if made_up.below(4) == 0 {
        entries.splice(0..0, with_holes(made_up));
    }
    layer(&entries)
}

#[test]
fn an_image_that_takes_layers_from_another_one_is_the_one_that_is_made_anew() {
    let mut made_up = MadeUp(20_261_130);
    let (mut good, mut kept) = (0, 0);
    for number in 0.. {
        if good == 300 {
            break;
        }
        let count = 1 + made_up.below(3);
        let shared: Vec<_> = (0..count).map(|_| some_layer(&mut made_up)).collect();
        let [old, new] = [(), ()].map(|()| some_layer(&mut made_up));
        let image = |top: Vec<u8>| [&shared[..], &[top]].concat();
        let (old, new) = (image(old), image(new));
        let Ok(before) = recorded(ROOM, &old) else {
            continue;
        };
        before.must_have(&old);
        let there = before.layers.iter().flatten();
        kept += there.map(|layer| layer.kept.len()).sum::<usize>();
        let anew = recorded(ROOM, &new).map(|image| image.content());
        match (anew, updated(&before, &new)) {
            (Ok(anew), Ok(updated)) => must_be_equal(&anew, &updated, number),
            (anew, updated) => assert_eq!(anew.err(), updated.err()),
        }
        good += 1;
    }
    assert!(kept > 100, "{kept}");
}

#[test]
fn what_was_written_to_since_gives_another_digest_or_none() {
    let small = file("a", &"text".repeat(1000));
    let large = entry("b", EntryType::Regular, "", 0o644, &[5; 200_000]);
    let lower = layer(&[small, file("gone", "kept apart"), large]);
    let layers = [lower.clone(), layer(&[file(".wh.gone", "")])];
    let before = recorded(ROOM, &layers).unwrap();
    before.must_have(&layers);
    let there = before.layers[0].as_ref().unwrap();
    let found = || {
        let mut hasher = crate::blobs::Hasher::new(Algorithm::Sha256);
        let copied = std::io::copy(&mut before.layer(0).unwrap(), &mut hasher);
        copied.map(|_| hasher.finish()).ok()
    };
    let mut seen = vec![];
    for part in [
        Part {
            file: Arc::new(before.file.try_clone().unwrap()),
            at: 0,
            left: before.file.metadata().unwrap().len(),
        },
        there.journal.clone(),
        there.kept[0].1.clone(),
    ] {
        use std::os::unix::fs::FileExt;
        let meant = all(part.clone());
        let damaged: Vec<u8> = meant.iter().map(|byte| byte ^ 1).collect();
        part.file.write_all_at(&damaged, part.at).unwrap();
        seen.push(found());
        assert!(seen.last() != Some(&Some(Digest::of(&lower))));
        part.file.write_all_at(&meant, part.at).unwrap();
        assert_eq!(found(), Some(Digest::of(&lower)));
    }
    before.file.set_len(4096).unwrap();
    assert_eq!(found(), None);
}

#[test]
fn a_layer_that_would_take_too_much_room_is_not_written_down_and_the_others_are() {
    let zeros = vec![0; 65 << 20];
    let large = entry("a/large", EntryType::Regular, "", 0o644, &zeros);
    let bounds = Bounds {
        bytes: 1 << 30,
        entries: 100,
    };
    // Not too much for itself: what is in the image isn't kept.
    let layers = [
        layer(std::slice::from_ref(&large)),
        layer(&[file("b", "b")]),
    ];
    let before = recorded(bounds, &layers).unwrap();
    before.must_have(&layers);
    let layers = [layer(&[large]), layer(&[file("a", "b")])];
    let before = recorded(bounds, &layers).unwrap();
    let is_there: Vec<bool> = before.layers.iter().map(Option::is_some).collect();
    assert_eq!(is_there, [false, true]);
}
