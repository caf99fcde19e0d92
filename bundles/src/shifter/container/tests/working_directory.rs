//! Where the command runs.

use super::*;

/// A step finds its working directory in what the job's prolog has built.
#[test]
fn a_directory_is_found_in_a_container_that_is_built() {
    let site = Site::new("");
    let container = site.with("/home/u:/mnt").unwrap();
    let mut spec = container.spec;
    let base = site.base();
    let home = base.join("home/u");
    // What is pinned for the volume isn't mounted in this test.
    let mounts = spec.mounts_mut().as_mut().unwrap();
    let volume = mounts
        .iter_mut()
        .find(|mount| mount.destination() == Path::new("/mnt"));
    volume.unwrap().set_source(Some(home));
    let rootfs = fs::File::open(base.join("image")).unwrap();
    for (wanted, found) in [
        ("/home/u/work", Some("/home/u/work")),
        ("/mnt/work", Some("/mnt/work")),
        ("/lnk/in", Some("/data/in")),
        ("/home/u/notes", None),
        ("/nowhere", None),
        ("relative", None),
    ] {
        let directory = directory_inside(&spec, rootfs.as_fd(), Path::new(wanted));
        assert_eq!(directory.as_deref(), found, "{wanted}");
    }
}

#[test]
fn a_command_runs_where_it_is_asked_to_if_that_is_there() {
    let site = Site::new("");
    for (wanted, volumes, found) in [
        ("/home/u/work", "", "/home/u/work"),
        ("/lib", "", "/usr/lib"),
        ("/mnt/work", "/home/u:/mnt", "/mnt/work"),
        ("/home/nobody", "", "/"),
        ("/file", "", "/"),
        ("relative", "", "/"),
    ] {
        let mut request = site.request(volumes);
        request.working_directory = wanted.to_owned();
        let container = site.container(request).unwrap();
        let cwd = container.spec.process().as_ref().unwrap().cwd().clone();
        assert_eq!(cwd, Path::new(found), "{wanted}");
        assert_eq!(container.notes.is_empty(), found != "/", "{wanted}");
    }
}
