//! Whatever becomes of layers in a directory becomes of them in an image.

use std::process::Command;

use super::*;

/// Lays the same upon an image, and has fsck.erofs(1) look at it and unpack it.
pub(super) fn must_be_the_same(applied: &Applied, bounds: Bounds, layers: &[Vec<u8>]) {
    let work = tempfile::tempdir().unwrap();
    let (image, tree) = (work.path().join("image"), work.path().join("tree"));
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let file = options.open(&image).unwrap();
    let done = lay(Layers::image(file, bounds, None), layers);
    assert_eq!(done, applied.done);
    let recorded = again::recorded(bounds, layers);
    if let Err(error) = done {
        assert_eq!(recorded.err(), Some(error));
        return;
    }
    let recorded = recorded.unwrap();
    assert!(fs::read(&image).unwrap() == recorded.content());
    recorded.must_have(layers);
    let unpacked = Command::new("fsck.erofs")
        .arg(format!("--extract={}", tree.display()))
        .arg(&image)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&unpacked.stderr);
    assert!(unpacked.status.success(), "{said}");
    let (mut meant, mut found) = (vec![], vec![]);
    list(&applied.path(""), &mut meant);
    list(&tree, &mut found);
    assert_eq!(found, meant);
}

/// All that is there with its mode and time, in order.
fn list(path: &Path, listed: &mut Vec<String>) {
    let status = path.symlink_metadata().unwrap();
    let (mode, time) = (status.mode(), status.mtime());
    listed.push(format!("{mode:o} {time}"));
    if status.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        for path in names {
            listed.push(format!("{:?}", path.file_name().unwrap()));
            list(&path, listed);
        }
    } else if status.is_symlink() {
        listed.push(format!("{:?}", fs::read_link(path).unwrap()));
    } else {
        listed.push(format!("{}", Digest::of(&fs::read(path).unwrap())));
    }
}

/// Numbers that are made up, the same each time (xorshift).
pub(super) struct MadeUp(pub(super) u64);

impl MadeUp {
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    /// One of few, so that entries meet.
    pub(super) fn name(&mut self) -> String {
        let parts: Vec<&str> = (0..=self.below(4))
            .map(|_| ["a", "b", "c"][self.below(3)])
            .collect();
        parts.join("/")
    }

    pub(super) fn entry(&mut self) -> Vec<u8> {
        let name = self.name();
        let beside = |last: String| match name.rsplit_once('/') {
            Some((above, _)) => format!("{above}/{last}"),
            None => last,
        };
        match self.below(12) {
            0..4 => {
                let content = "x".repeat(self.below(9000));
                entry(&name, EntryType::Regular, "", 0o4640, content.as_bytes())
            }
            4 | 5 => directory(&name),
            6 => link(&name, &format!("/{}", self.name())),
            7 => link(&name, &format!("../{}", self.name())),
            8 => hard_link(&name, &self.name()),
            9 => file(
                &beside(format!(".wh.{}", ["a", "b", "c"][self.below(3)])),
                "",
            ),
            10 => file(&beside(".wh..wh..opq".to_owned()), ""),
            _ => entry(&name, EntryType::Char, "", 0o600, b""),
        }
    }
}

#[test]
fn layers_that_are_made_up_become_the_same_in_both() {
    let mut made_up = MadeUp(20_261_129);
    let (mut good, mut refused) = (0, 0);
    for _ in 0..300 {
        let count = 1 + made_up.below(3);
        let layers: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let count = 1 + made_up.below(12);
                layer(&(0..count).map(|_| made_up.entry()).collect::<Vec<_>>())
            })
            .collect();
        match apply_within(SMALL, &layers).done {
            Ok(_) => good += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(good > 50 && refused > 50, "{good} {refused}");
}

/// An image whose memory is small.
fn within(memory: image::Memory, entries: &[Vec<u8>]) -> Result<(), String> {
    let mut layers = Layers::image(tempfile::tempfile().unwrap(), SMALL, None);
    layers.upon = Ground::Image(Box::new(image::Image::within(
        memory,
        tempfile::tempfile().unwrap(),
    )));
    lay(layers, &[layer(entries)]).map(drop)
}

#[test]
fn names_and_implied_directories_are_bounded_for_they_are_in_memory() {
    let most = |names, implied| image::Memory { names, implied };
    let entries = [file("a/b/c", ""), link("d", "12345")];
    // The names of four, and a target.
    assert_eq!(within(most(9, 2), &entries), Ok(()));
    let told = within(most(8, 2), &entries).unwrap_err();
    assert_eq!(told, "more than 8 bytes of names and links");
    let told = within(most(9, 1), &entries).unwrap_err();
    assert_eq!(told, "more than 1 directories that have no entry");
}
