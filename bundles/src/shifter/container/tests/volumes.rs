//! Volumes, and files, as they will be found inside.

use super::*;
use crate::vectors::{Wrong, vectors};

#[test]
fn volumes_come_from_and_go_where_shifter_lets_them_and_where_it_should() {
    let site = Site::new("");
    let mut wrong = Wrong::default();
    for vector in vectors("shifter/container/volumes.tsv") {
        let [volumes, wanted] = &vector[..] else {
            panic!("{vector:?}");
        };
        let number = volumes.split(';').count();
        match site.with(volumes) {
            Ok(container) => {
                let all = destinations(&container);
                let found = all[all.len().saturating_sub(number)..].join(" ");
                // One that takes another's place leaves the one before them.
                let found = match wanted.split(' ').count() {
                    fewer if fewer < number => all[all.len() - fewer..].join(" "),
                    _ => found,
                };
                wrong.unless(&vector, &found, wanted);
            }
            Err(error) if error.to_string().ends_with(&**wanted) => {}
            Err(error) => wrong.unless(&vector, &error.to_string(), wanted),
        }
    }
    wrong.none();
}

/// Where a mount comes from, and its options.
fn source(container: &Container, destination: &str) -> (PathBuf, String) {
    let mut mounts = container.spec.mounts().iter().flatten();
    let mount = mounts
        .find(|mount| mount.destination() == Path::new(destination))
        .unwrap();
    let options = mount.options().clone().unwrap().join(",");
    (mount.source().clone().unwrap(), options)
}

#[test]
fn a_volume_comes_from_an_earlier_one_of_the_same_request() {
    let site = Site::new("");
    let volumes =
        "/data:/mnt;/mnt/in:/x;/etc:/settings;/settings:/again;/home/u:/mine;/mine/work:/y";
    let container = site.with(volumes).unwrap();
    for (destination, from) in [
        ("/mnt", "bundle/rootfs/data"),
        ("/x", "bundle/rootfs/data/in"),
        ("/settings", "bundle/rootfs/etc"),
        ("/again", "bundle/rootfs/etc"),
        ("/mine", "volumes/4"),
        ("/y", "volumes/5"),
    ] {
        let found = source(&container, destination).0;
        assert_eq!(found, Path::new("/run/udi").join(from), "{destination}");
    }
    let work = site.base().join("home/u/work").metadata().unwrap();
    let opened = rustix::fs::fstat(&container.pinned[1].source).unwrap();
    assert_eq!(opened.st_ino, work.ino());
    // Not the other way round.
    let error = site.with("/mnt/in:/x;/data:/mnt").unwrap_err();
    assert!(error.to_string().ends_with("/mnt/in is not there"));
}

/// Bind mounts don't take it over: in Shifter such a volume can be written to.
#[test]
fn a_volume_of_what_the_site_shows_read_only_is_read_only() {
    let site = Site::new("");
    let container = site
        .with("/site/mine:/x;/x:/y;/home/u:/z:ro;/z/work:/again;/home/u:/free")
        .unwrap();
    for (destination, is_read_only) in [
        ("/x", true),
        ("/y", true),
        ("/z", true),
        ("/again", true),
        ("/free", false),
    ] {
        let options = source(&container, destination).1;
        assert_eq!(options.contains(",ro,"), is_read_only, "{destination}");
    }
}

#[test]
fn a_file_is_read_as_it_will_be_inside() {
    let site = Site::new("");
    fs::write(site.base().join("home/u/settings"), "A=1\n").unwrap();
    let image = fs::File::open(site.base().join("image")).unwrap();
    let request = site.request("/home/u:/mine");
    let mut draft = Draft::begin(request, image.as_fd(), &mut |_, _| Ok(None)).unwrap();
    let source = draft.open_volume(0).unwrap();
    draft.mount_volume(0, source).unwrap();
    let read = |path: &str| {
        let content = draft.read_file(Path::new(path), 20);
        content.map(|content| content.map(|content| String::from_utf8(content).unwrap()))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read("/mine/settings").unwrap(), some("A=1\n"));
    assert_eq!(read("/home/u/settings").unwrap(), some("A=1\n"));
    assert_eq!(read("/etc/motd").unwrap(), some("hello\n"));
    assert_eq!(read("/nosuch/file").unwrap(), None);
    assert_eq!(read("/file/below").unwrap(), None);
    fs::write(site.base().join("home/u/long"), [b'x'; 21]).unwrap();
    for (path, says) in [
        ("/data", "is not a regular file"),
        ("/mine/long", "is longer than 20 bytes"),
    ] {
        assert_eq!(read(path).unwrap_err().to_string(), says, "{path}");
    }
}
