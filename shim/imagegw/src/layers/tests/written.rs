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
    let done = lay(Layers::image(file, bounds), layers);
    assert_eq!(done, applied.done);
    if done.is_err() {
        return;
    }
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
