//! Pulls from Debian's docker-registry, of images that umoci has made and skopeo has pushed.

use std::fs;

use integration::{Tool, host, program, wait_until};

use crate::fixture::{Registry, SOON, User};
use crate::images::{self, HELD};
use crate::origin::Origin;

const PLAIN: &[&str] = &["--plain-http"];
/// `alice:secret`, and with another password.
const GOOD: &str = "YWxpY2U6c2VjcmV0";
const WRONG: &str = "YWxpY2U6d3Jvbmc=";

/// A layout with the image `v1`, whose content is [`HELD`].
fn layout(user: &User) -> std::path::PathBuf {
    let layout = images::layout(&user.bench);
    let proof = user.bench.file("proof", "v1");
    images::insert(&layout, "v1", &proof, "/proof");
    images::readable(&layout);
    layout
}

#[test]
fn an_image_is_pulled_by_tag_and_by_digest_and_is_the_same_bytes_each_time() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let layout = layout(&user);
    let digest = registry.push(&layout, "v1", "some/app:v1");
    let by_tag = user.made(PLAIN, &registry.image("some/app:v1"), "tag.erofs");
    assert_eq!(by_tag["manifest"], digest.as_str());
    assert_eq!(by_tag["fs-verity"], user.digest("tag.erofs").as_str());
    assert_eq!(by_tag["private"], false);
    assert_eq!(by_tag["left-out"]["set_id"], 1);
    assert_eq!(by_tag["config"]["Entrypoint"][0], "/bin/sh");
    assert_eq!(
        by_tag["config"]["Env"].as_array().unwrap().last().unwrap(),
        "A=b"
    );
    assert_eq!(by_tag["config"]["WorkingDir"], "/d");
    assert_eq!(user.held("tag.erofs"), HELD);
    // With a cache of its own, it is unpacked anew.
    let apart = &["--plain-http", "--cache", "another"];
    let source = registry.image(&format!("some/app@{digest}"));
    let by_digest = user.made(apart, &source, "digest.erofs");
    assert_eq!(by_digest["fs-verity"], by_tag["fs-verity"]);
    let first = user.made(PLAIN, &source, "a.squashfs");
    let second = user.made(apart, &source, "b.squashfs");
    assert_eq!(first["fs-verity"], second["fs-verity"]);
    assert_eq!(user.held("a.squashfs"), HELD);
}

#[test]
fn what_a_registry_shows_to_alice_only_is_private_and_nobody_elses() {
    let user = User::new();
    let registry = Registry::closed(&user.bench, "registry");
    registry.push(&layout(&user), "v1", "app:v1");
    let source = registry.image("app:v1");
    let told = user.refused(PLAIN, &source, "image.erofs");
    assert!(told.contains("access denied"), "{told}");
    for (auth, is_good) in [(GOOD, true), (WRONG, false)] {
        let authfile = user.authfile(&registry.address, auth);
        let options = ["--plain-http", "--authfile", &authfile];
        match is_good {
            true => {
                let made = user.made(&options, &source, "good.erofs");
                assert_eq!(made["private"], true);
                assert_eq!(user.held("good.erofs"), HELD);
            }
            false => {
                let told = user.refused(&options, &source, "wrong.erofs");
                assert!(told.contains("access denied"), "{told}");
                assert!(!told.contains("wrong:") && !told.contains(WRONG), "{told}");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_said_not_to_be() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    registry.push(&layout(&user), "v1", "app:v1");
    for name in [
        "app:v2",
        "other:v1",
        &format!("app@sha256:{}", "0".repeat(64)),
    ] {
        let told = user.refused(PLAIN, &registry.image(name), "image.erofs");
        assert!(told.contains("not found"), "{name}: {told}");
    }
    let told = user.refused(PLAIN, "docker://127.0.0.1:1/app:v1", "image.erofs");
    assert!(told.contains("127.0.0.1:1"), "{told}");
    // A registry that speaks plain text isn't asked in it unless somebody says so.
    let told = user.refused(&[], &registry.image("app:v1"), "image.erofs");
    assert!(told.contains("https://"), "{told}");
}

#[test]
fn the_platform_that_is_asked_for_is_pulled() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let layout = layout(&user);
    images::tag(&layout, "v1", "arm");
    let other = user.bench.file("other", "arm");
    images::insert(&layout, "arm", &other, "/proof");
    images::index(&layout, "v1", "arm", "both");
    registry.push(&layout, "both", "app:both");
    let source = registry.image("app:both");
    for (platform, proof) in [
        ("linux/amd64", "proof 644 v1"),
        ("linux/arm64", "proof 644 arm"),
    ] {
        let options = ["--plain-http", "--platform", platform];
        user.made(&options, &source, "image.erofs");
        let held = user.held("image.erofs");
        assert_eq!(held.last().map(String::as_str), Some(proof), "{platform}");
    }
    let options = ["--plain-http", "--platform", "linux/s390x"];
    let told = user.refused(&options, &source, "other.erofs");
    assert!(
        told.contains("it is for linux/amd64, linux/arm64"),
        "{told}"
    );
}

#[test]
fn an_update_fetches_only_what_changed() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let layout = layout(&user);
    registry.push(&layout, "v1", "app:latest");
    let source = registry.image("app:latest");
    let first = user.made(PLAIN, &source, "image.erofs");
    let layers = |tag: &str| {
        let inspect = integration::Tool::new("skopeo").arg("inspect");
        let printed = inspect
            .arg(format!("oci:{}:{tag}", layout.display()))
            .expect(0)
            .stdout;
        let told: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let layers = told["Layers"].as_array().expect("layers").clone();
        layers
            .iter()
            .map(|layer| layer.as_str().expect("a digest").to_owned())
            .collect::<Vec<_>>()
    };
    let before = layers("v1");
    let changed = user.bench.file("changed", "v2");
    images::insert(&layout, "v1", &changed, "/proof");
    registry.push(&layout, "v1", "app:latest");
    let second = user.made(PLAIN, &source, "image.erofs");
    assert_ne!(first["manifest"], second["manifest"]);
    assert!(
        user.held("image.erofs")
            .contains(&"proof 644 v2".to_owned())
    );
    for layer in layers("v1") {
        assert_eq!(registry.fetched(&layer), 1, "{layer}");
    }
    assert_eq!(layers("v1").len(), before.len() + 1);
}

#[test]
fn a_blob_that_is_not_what_it_is_called_is_refused_and_not_kept() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let layout = layout(&user);
    registry.push(&layout, "v1", "app:v1");
    let blobs = registry
        .directory
        .join("data/docker/registry/v2/blobs/sha256");
    let mut largest = vec![];
    for entry in fs::read_dir(&blobs).unwrap() {
        for blob in fs::read_dir(entry.unwrap().path()).unwrap() {
            let data = blob.unwrap().path().join("data");
            let content = fs::read(&data).unwrap();
            // gzip: a layer.
            if content.starts_with(&[0x1f, 0x8b]) {
                largest.push(data);
            }
        }
    }
    for data in &largest {
        let mut content = fs::read(data).unwrap();
        let last = content.len() - 1;
        content[last] ^= 1;
        fs::write(data, content).unwrap();
    }
    let told = user.refused(PLAIN, &registry.image("app:v1"), "image.erofs");
    assert!(told.contains("its content is sha256:"), "{told}");
}

#[test]
fn a_registry_is_believed_by_the_authorities_that_are_named() {
    let user = User::new();
    let (registry, certificate) = Registry::with_tls(&user.bench, "registry");
    registry.push(&layout(&user), "v1", "app:v1");
    let certificate = user.file("authority.pem", &fs::read_to_string(certificate).unwrap());
    let source = registry.image("app:v1");
    user.made(&["--authorities", &certificate], &source, "image.erofs");
    assert_eq!(user.held("image.erofs"), HELD);
    let told = user.refused(&[], &source, "other.erofs");
    assert!(told.contains("certificate"), "{told}");
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_where_it_has_nothing() {
    let user = User::new();
    let mirror = Registry::open(&user.bench, "mirror");
    let registry = Registry::open(&user.bench, "registry");
    let layout = layout(&user);
    mirror.push(&layout, "v1", "app:mirrored");
    registry.push(&layout, "v1", "app:own");
    let url = format!("http://{}", mirror.address);
    let options = ["--plain-http", "--mirror", &url];
    for tag in ["app:mirrored", "app:own"] {
        user.made(&options, &registry.image(tag), "image.erofs");
        assert_eq!(user.held("image.erofs"), HELD, "{tag}");
    }
    // The registry itself needn't be there then.
    let gone = "docker://127.0.0.1:1/app:mirrored";
    user.made(&options, gone, "image.erofs");
}

/// Names in the user's directory, but for the cache.
fn beside(user: &User) -> Vec<String> {
    let mut names = host::names_in(&user.home);
    names.retain(|name| name != "cache");
    names
}

/// Has it killed while a part of the image is there, and another one do it again, for which `go_on` is asked.
fn kill_halfway(user: &User, killed: Tool, file: &str, go_on: impl FnOnce()) {
    let mut running = killed.start();
    let is_half = || {
        let left = beside(user);
        let hidden = left.iter().find(|name| name.starts_with('.'));
        hidden.is_some_and(|name| user.home.join(name).join("image").exists())
    };
    wait_until("half an image is there", SOON, is_half);
    running.kill();
    assert_eq!(beside(user).len(), 1, "{:?}", beside(user));
    assert!(beside(user)[0].starts_with('.'), "{:?}", beside(user));
    let place = user.bench.path("").display().to_string();
    wait_until("nothing of it goes on", SOON, || {
        host::processes(|command| command.contains(&place)).is_empty()
    });
    go_on();
    assert_eq!(beside(user), [file]);
    for directory in ["cache/expand", "cache/blobs/incoming"] {
        assert_eq!(host::names_in(&user.home.join(directory)), [""; 0]);
    }
}

#[test]
fn a_make_that_is_killed_leaves_nothing_to_be_seen_and_the_next_takes_away_what_it_left() {
    let user = User::new();
    let origin = Origin::start(&user.bench);
    let source = format!("docker://{}/x:1", origin.address);
    origin.hold();
    let killed = user.make(PLAIN, &source, "image.erofs");
    kill_halfway(&user, killed, "image.erofs", || {
        origin.release();
        user.made(PLAIN, &source, "image.erofs");
    });
    let held = user.held("image.erofs");
    assert!(held.contains(&"bin/sh -> busybox".to_owned()));
}

/// In the place of mksquashfs: it writes half an image, and goes no further.
#[test]
fn a_make_that_is_killed_with_its_program_leaves_nothing_to_be_seen_either() {
    let user = User::new();
    let source = format!("oci:{}:v1", layout(&user).display());
    let programs = user.bench.directory("programs");
    let half = "#!/bin/sh\necho half >\"$2\"\nwhile :; do sleep 0.1; done\n";
    program::write(&programs.join("mksquashfs"), half);
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let killed = user.make(&[], &source, "image.squashfs").env("PATH", &path);
    kill_halfway(&user, killed, "image.squashfs", || {
        user.made(&[], &source, "image.squashfs");
    });
    assert_eq!(user.held("image.squashfs"), HELD);
}

#[test]
fn root_is_refused() {
    let user = User::new();
    let outcome = integration::Tool::new(integration::shifter_imagegw())
        .args(["make", "--cache", "cache", "oci:layout", "image.erofs"])
        .current_dir(&user.home)
        .expect(1);
    assert!(outcome.one_line().contains("refused as root"), "{outcome}");
    assert_eq!(fs::read_dir(&user.home).unwrap().count(), 0);
}
