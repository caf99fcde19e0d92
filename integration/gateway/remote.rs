//! Systems that images are copied to with ssh and scp, by the real ones.

use std::fs;
use std::time::{Duration, SystemTime};

use integration::{host, verity_digest, wait_until};
use serde_json::{Value, json};

use crate::serving::{ANN, Gateway, SOON};
use crate::sshd::Host;

fn site() -> (Gateway, Host) {
    let mut host = None;
    let gateway = Gateway::prepared(|bench| {
        let new = Host::start(&bench.path(""));
        let more = json!({ "Platforms": new.platforms() });
        host = Some(new);
        more
    });
    (gateway, host.expect("a host"))
}

fn status(gateway: &Gateway, tag: &str) -> Value {
    let path = format!("/api/pull/cluster/docker/{tag}/");
    gateway.ask_as(ANN, "POST", &path, "{}").json()["status"].clone()
}

/// Asks for an image, and waits until a part of it is there, and no more comes.
fn half(gateway: &Gateway, host: &Host) {
    host.hold();
    status(gateway, "tools/x:1");
    wait_until("a part of the image is there", SOON, || {
        let there = host.there();
        there
            .iter()
            .any(|(name, length)| name.starts_with(".imagegw-new-") && *length > 0)
    });
    assert_eq!(status(gateway, "tools/x:1"), "TRANSFER");
    assert_none_visible(host);
}

fn assert_none_visible(host: &Host) {
    let there = host.there();
    assert!(
        there.iter().all(|(name, _)| name.starts_with('.')),
        "{there:?}"
    );
}

fn assert_whole(gateway: &Gateway, host: &Host) {
    let id = gateway.origin.id();
    let there = host.there();
    let names: Vec<&str> = there.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, [format!("{id}.erofs"), format!("{id}.meta")]);
    let told = gateway.client(ANN, &["inspect", "tools/x:1"]).expect(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let image = host.images.join(names[0]);
    assert_eq!(told["verity_digest"], verity_digest(&image).as_str());
}

/// ssh and scp of the gateway's.
fn clients(gateway: &Gateway) -> Vec<String> {
    let key = gateway.bench.path("user_key").display().to_string();
    host::processes(|command| command.contains(&key))
}

#[test]
fn an_image_gets_to_another_host_whole_and_goes_again() {
    let (gateway, host) = site();
    // A host that isn't known gets nothing.
    let failed = gateway.client(ANN, &["pull", "tools/y:1"]).run();
    assert_eq!(failed.code, Some(1), "{failed}");
    assert!(failed.stderr.contains("scp to 127.0.0.1: "), "{failed}");
    assert_eq!(host.there(), []);
    host.is_known(&gateway);
    gateway.client(ANN, &["pull", "tools/x:1"]).expect(0);
    assert_whole(&gateway, &host);
    for (name, _) in host.there() {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(host.images.join(name)).expect("metadata");
        assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, 54_321));
    }
    // What is there is neither made nor copied again.
    let fetched = gateway.origin.fetched();
    gateway.client(ANN, &["pull", "tools/x:2"]).expect(0);
    assert_eq!(gateway.origin.fetched(), fetched);
    gateway.client(ANN, &["delete", "tools/x:1"]).expect(0);
    wait_until("it is gone", SOON, || host.there().is_empty());
    host.nobody_is_in();
}

#[test]
fn a_gateway_that_is_killed_halfway_leaves_no_half_image_at_the_other_host() {
    let (mut gateway, host) = site();
    host.is_known(&gateway);
    half(&gateway, &host);
    gateway.kill();
    host.release();
    wait_until("nothing of it goes on", SOON, || {
        clients(&gateway).is_empty()
    });
    host.nobody_is_in();
    assert_none_visible(&host);
    gateway.start_again();
    wait_until("it is there", SOON, || {
        status(&gateway, "tools/x:1") == "READY"
    });
    assert_whole(&gateway, &host);
}

#[test]
fn what_a_killed_gateway_left_at_the_other_host_goes_with_a_later_image() {
    let (mut gateway, host) = site();
    host.is_known(&gateway);
    half(&gateway, &host);
    gateway.kill();
    host.release();
    host.nobody_is_in();
    let [(left, _)] = &host.there()[..] else {
        panic!("{:?}", host.there());
    };
    let left = left.clone();
    // Nobody goes on with it, and that for two days.
    let name = |more: &str| format!(".imagegw-new-{}.erofs{more}", "0".repeat(64));
    fs::rename(host.images.join(&left), host.images.join(name(""))).expect("rename");
    let days = |name: &str, days: u64| {
        let path = host.images.join(name);
        let file = fs::File::options().append(true).create(true).open(path);
        let time = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        file.expect("open").set_modified(time).expect("set a time");
    };
    days(&name(""), 2);
    days(&name("-of-today"), 0);
    days("imagegw-new-of-others", 2);
    fs::create_dir(host.images.join(".imagegw-new-directory")).expect("make a directory");
    days("keep", 0);
    gateway.start_again();
    wait_until("it is there", SOON, || {
        status(&gateway, "tools/x:1") == "READY"
    });
    let there = host.there();
    let names: Vec<&str> = there.iter().map(|(name, _)| &**name).collect();
    let id = gateway.origin.id();
    let mut meant = [
        ".imagegw-new-directory".to_owned(),
        name("-of-today"),
        format!("{id}.erofs"),
        format!("{id}.meta"),
        "imagegw-new-of-others".to_owned(),
        "keep".to_owned(),
    ];
    meant.sort();
    assert_eq!(names, meant);
}

#[test]
fn a_line_that_hangs_holds_up_nobody_who_gives_up() {
    let (mut gateway, host) = site();
    host.is_known(&gateway);
    half(&gateway, &host);
    let queue = gateway
        .ask_as(ANN, "GET", "/v2/systems/cluster/queue", "")
        .json();
    let number = &queue["pulls"][0]["number"];
    let path = format!("/v2/systems/cluster/queue/{number}");
    let answer = gateway.ask_as(ANN, "DELETE", &path, "");
    assert!(answer.status < 300, "{queue} {}", answer.text());
    wait_until("it is given up", SOON, || {
        status(&gateway, "tools/x:1") == "FAILURE"
    });
    let told = gateway
        .ask_as(ANN, "POST", "/api/pull/cluster/docker/tools/x:1/", "{}")
        .json();
    assert_eq!(
        told["status_message"],
        "given up: scp to 127.0.0.1 hasn't ended"
    );
    assert_eq!(host.there(), [], "half an image is left");
    host.release();
    wait_until("nothing of it goes on", SOON, || {
        clients(&gateway).is_empty()
    });
    host.nobody_is_in();
    // Nor does it hold up the gateway's end.
    host.hold();
    status(&gateway, "tools/z:1");
    wait_until("it is copied", SOON, || {
        status(&gateway, "tools/z:1") == "TRANSFER"
    });
    assert_eq!(gateway.end(), Some(0), "{}", gateway.log());
    host.release();
    wait_until("nothing of it goes on", SOON, || {
        clients(&gateway).is_empty()
    });
    gateway.start_again();
    wait_until("it is there", SOON, || {
        status(&gateway, "tools/z:1") == "READY"
    });
}
