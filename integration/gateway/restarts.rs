//! A gateway that ends at any moment, and what the next one finds.

use std::fs;

use integration::{Tool, host, program, verity_digest, wait_until};
use serde_json::{Value, json};

use crate::serving::{ANN, Gateway, SOON};

fn status(gateway: &Gateway, tag: &str) -> Value {
    let path = format!("/api/pull/cluster/docker/{tag}/");
    let answer = gateway.ask_as(ANN, "POST", &path, "{}");
    answer.json()["status"].clone()
}

fn wait_for(gateway: &Gateway, tag: &str, wanted: &str) {
    wait_until(&format!("{tag} is {wanted}"), SOON, || {
        status(gateway, tag) == wanted
    });
}

/// Asks for an image, and waits until its layer is fetched and doesn't come.
fn held(gateway: &Gateway) {
    gateway.origin.hold();
    status(gateway, "tools/x:1");
    wait_until("the layer is asked for", SOON, || gateway.origin.held() > 0);
    assert_eq!(status(gateway, "tools/x:1"), "PULLING");
    assert!(gateway.images().is_empty(), "half an image is seen");
}

#[test]
fn a_gateway_that_was_killed_goes_on_with_its_pulls() {
    let mut gateway = Gateway::start();
    held(&gateway);
    gateway.kill();
    gateway.origin.release();
    gateway.start_again();
    // Nobody has to ask again for that.
    wait_until("both files are there", SOON, || gateway.images().len() == 2);
    wait_for(&gateway, "tools/x:1", "READY");
    let id = gateway.origin.id();
    assert_eq!(
        gateway.images(),
        [format!("{id}.erofs"), format!("{id}.meta")]
    );
    // What is ready stays so, and needs no pull.
    let fetched = gateway.origin.fetched();
    gateway.kill();
    gateway.start_again();
    assert_eq!(status(&gateway, "tools/x:1"), "READY");
    assert_eq!(gateway.origin.fetched(), fetched);
}

#[test]
fn a_gateway_that_is_told_to_end_leaves_its_pulls_to_the_next() {
    let mut gateway = Gateway::start();
    held(&gateway);
    status(&gateway, "tools/y:1");
    gateway.origin.release();
    assert_eq!(gateway.end(), Some(0), "{}", gateway.log());
    gateway.start_again();
    for tag in ["tools/x:1", "tools/y:1"] {
        wait_for(&gateway, tag, "READY");
    }
}

/// Has the gateway find `name` in the place of the host's: it tells that it was started, waits as long as it shall, and
/// does `then`.
fn put(gateway: &Gateway, name: &str, then: &str) {
    let own = gateway.bench.path("programs").display().to_string();
    let script = format!(
        "#!/bin/sh\n: >{own}/started-{name}\nwhile [ -e {own}/hold-{name} ]; do sleep 0.05; done\n{then}\n"
    );
    program::write(&gateway.bench.path("programs").join(name), &script);
}

/// Kills the gateway while its `name` is at work, started by `begin`; it goes on after a restart.
fn kill_during(gateway: &mut Gateway, name: &str, begin: impl FnOnce(&Gateway)) {
    let own = gateway.bench.path("programs");
    let (hold, started) = (
        own.join(format!("hold-{name}")),
        own.join(format!("started-{name}")),
    );
    let _ = fs::remove_file(&started);
    fs::write(&hold, "").expect("write");
    begin(gateway);
    wait_until(&format!("{name} is at work"), SOON, || started.exists());
    gateway.kill();
    let own = own.display().to_string();
    wait_until("nothing of it goes on", SOON, || {
        host::processes(|command| command.contains(&own)).is_empty()
    });
    fs::remove_file(&hold).expect("remove");
}

/// A system over ssh whose directory is this host's, so that every state has a program that can be held.
#[test]
fn a_gateway_that_is_killed_in_any_state_leaves_no_half_image_and_the_next_makes_a_whole_one() {
    let platforms = json!({ "cluster": {
        "mungeSocketPath": "@/munge/run/socket", "accesstype": "remote", "admins": ["mail"],
        "host": ["login1"], "ssh": { "username": "shifter", "imageDir": "@/images" },
    } });
    let more = json!({ "Platforms": platforms, "examiner": "@/programs/examiner" });
    let mut gateway = Gateway::with(&more);
    put(&gateway, "examiner", "exit 0");
    put(&gateway, "mkfs.erofs", "exec /usr/bin/mkfs.erofs \"$@\"");
    put(
        &gateway,
        "scp",
        "while [ $# -gt 2 ]; do shift; done\nexec cp \"$1\" \"${2#*:}\"",
    );
    put(
        &gateway,
        "ssh",
        "for last; do :; done\nexec sh -c \"$last\"",
    );
    let id = gateway.origin.id().to_owned();
    let whole = [format!("{id}.erofs"), format!("{id}.meta")];
    for (state, name) in [
        ("EXAMINATION", "examiner"),
        ("CONVERSION", "mkfs.erofs"),
        ("TRANSFER", "scp"),
    ] {
        kill_during(&mut gateway, name, |gateway| {
            status(gateway, "tools/x:1");
            wait_for(gateway, "tools/x:1", state);
        });
        let seen = gateway.images();
        assert!(!seen.iter().any(|name| whole.contains(name)), "{seen:?}");
        gateway.start_again();
        wait_for(&gateway, "tools/x:1", "READY");
        assert_eq!(gateway.images(), whole, "{state}");
        let told = gateway.client(ANN, &["inspect", "tools/x:1"]).expect(0);
        let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
        let image = gateway.bench.path("images").join(&whole[0]);
        let digest = verity_digest(&image);
        assert_eq!(told["verity_digest"], digest.as_str(), "{state}");
        for directory in ["made", "expand"] {
            let left = host::names_in(&gateway.bench.path("state").join(directory));
            assert_eq!(left, [""; 0], "{state}: {directory}");
        }
        if state != "TRANSFER" {
            gateway.client(ANN, &["delete", "tools/x:1"]).expect(0);
            wait_until("it is gone", SOON, || gateway.images().is_empty());
        }
    }
    kill_during(&mut gateway, "ssh", |gateway| {
        gateway.client(ANN, &["delete", "tools/x:1"]).expect(0);
    });
    gateway.start_again();
    wait_until("it is gone", SOON, || gateway.images().is_empty());
    gateway
        .client(ANN, &["lookup", "tools/x:1"])
        .run()
        .refused("no image");
}

/// As docs/image-gateway.md has it.
#[test]
fn a_backup_is_two_directories_and_another_host_goes_on_with_them() {
    let mut gateway = Gateway::start();
    status(&gateway, "tools/x:1");
    wait_for(&gateway, "tools/x:1", "READY");
    assert_eq!(gateway.end(), Some(0), "{}", gateway.log());
    for name in ["state", "images"] {
        let (own, kept) = (
            gateway.bench.path(name),
            gateway.bench.path(&format!("kept-{name}")),
        );
        Tool::new("cp").arg("-a").args([&own, &kept]).expect(0);
        fs::remove_dir_all(&own).expect("lose it");
        Tool::new("cp").arg("-a").args([&kept, &own]).expect(0);
    }
    gateway.start_again();
    let fetched = gateway.origin.fetched();
    assert_eq!(status(&gateway, "tools/x:1"), "READY");
    gateway.client(ANN, &["lookup", "tools/x:1"]).expect(0);
    assert_eq!(
        (gateway.images().len(), gateway.origin.fetched()),
        (2, fetched)
    );
}

#[test]
fn many_pulls_at_once_are_all_done_and_what_they_share_is_fetched_once() {
    let more = json!({ "Limits": { "FreeMegabytes": 0, "PullsPerUser": 100 }, "WorkerThreads": 4 });
    let gateway = Gateway::with(&more);
    let tags: Vec<String> = (0..100).map(|number| format!("tools/x:{number}")).collect();
    for tag in &tags {
        let told = status(&gateway, tag);
        assert!(told.is_string(), "{tag}: {told}");
    }
    for tag in &tags {
        wait_for(&gateway, tag, "READY");
    }
    assert_eq!(gateway.images().len(), 2);
    assert_eq!(gateway.origin.fetched(), 1);
}
