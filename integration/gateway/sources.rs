//! Images that are on this host, as skopeo writes them in every form.

use std::fs;

use integration::Tool;

use crate::fixture::User;
use crate::images;
use crate::origin::Origin;

#[test]
fn a_layout_and_every_archive_of_an_image_give_the_same_file() {
    let user = User::new();
    let layout = images::layout(&user.bench);
    let shown = layout.display();
    let path = |name: &str| user.bench.path(name).display().to_string();
    let (oci, docker) = (path("oci.tar"), path("docker.tar"));
    for target in [
        format!("oci-archive:{oci}:v1"),
        format!("docker-archive:{docker}:app:v1"),
    ] {
        let source = format!("oci:{shown}:v1");
        Tool::new("skopeo")
            .args(["copy", &source, &target])
            .expect(0);
    }
    let mut sums = vec![];
    for (source, file) in [
        (format!("oci:{shown}:v1"), "layout.erofs"),
        (format!("oci:{shown}"), "only.erofs"),
        (format!("oci-archive:{oci}:v1"), "oci.erofs"),
        (format!("docker-archive:{docker}:app:v1"), "docker.erofs"),
        (format!("docker-archive:{docker}"), "docker-only.erofs"),
    ] {
        let made = user.made(&[], &source, file);
        assert_eq!(made["config"]["Entrypoint"][0], "/bin/sh", "{source}");
        sums.push(made["fs-verity"].clone());
    }
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    let held = user.held("docker.erofs");
    assert!(held.contains(&"d/kept 644 kept".to_owned()), "{held:?}");
    for (source, fault) in [
        (format!("oci:{shown}:v2"), "not found"),
        (format!("oci-archive:{oci}:v2"), "not found"),
        (format!("docker-archive:{docker}:app:v2"), "not found"),
        (format!("oci-archive:{docker}"), "not found"),
        (
            format!("oci:{}", user.bench.path("nowhere").display()),
            "nowhere",
        ),
        (
            format!("docker-archive:{}", user.file("text", "no archive")),
            "no tar archive",
        ),
    ] {
        let told = user.refused(&[], &source, "refused.erofs");
        assert!(told.contains(fault), "{source}: {told}");
    }
}

#[test]
fn a_layout_that_names_what_was_fetched_for_others_and_has_not_got_it_gives_nothing() {
    let user = User::new();
    let origin = Origin::start(&user.bench);
    let source = format!("docker://{}/x:1", origin.address);
    user.made(&["--plain-http"], &source, "x.erofs");
    let layout = user.bench.path("layout");
    origin.write_layout(&layout);
    let largest = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let largest = largest.map(|entry| entry.unwrap().path());
    let largest = largest.max_by_key(|path| path.metadata().unwrap().len());
    let largest = largest.unwrap();
    let content = fs::read(&largest).unwrap();
    let source = format!("oci:{}", layout.display());
    fs::write(&largest, vec![0; content.len()]).unwrap();
    images::readable(&layout);
    let told = user.refused(&[], &source, "y.erofs");
    assert!(told.contains("its content is sha256:"), "{told}");
    fs::remove_file(&largest).unwrap();
    user.refused(&[], &source, "y.erofs");
    fs::write(&largest, content).unwrap();
    images::readable(&layout);
    user.made(&[], &source, "y.erofs");
}

#[test]
fn a_layout_whose_blobs_are_links_leads_nowhere() {
    let user = User::new();
    let layout = images::layout(&user.bench);
    let blobs = layout.join("blobs/sha256");
    for entry in fs::read_dir(&blobs).unwrap() {
        let path = entry.unwrap().path();
        let elsewhere = user.bench.path("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        let moved = elsewhere.join(path.file_name().unwrap());
        fs::rename(&path, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &path).unwrap();
    }
    let told = user.refused(&[], &format!("oci:{}", layout.display()), "image.erofs");
    assert!(told.contains("open"), "{told}");
}
