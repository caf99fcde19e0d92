//! Who asks is proved, for this request and once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::serving::{ANN, BOB, Gateway, OWN};

const LIST: &str = "/v2/systems/cluster/images";

#[test]
fn a_munge_credential_counts_once_for_so_long_and_as_it_was_made() {
    let gateway = Gateway::start();
    let munged = &gateway.munged;
    let ask = |credential: &str| {
        let answer = gateway.ask("GET", LIST, &[("authentication", credential)], "");
        (answer.status, answer.text())
    };
    let refused = |credential: &str, why: &str| {
        let (status, text) = ask(credential);
        assert_eq!(status, 401, "{text}");
        assert!(text.contains(why), "no {why:?}: {text}");
    };
    let good = munged.credential(ANN, "", &[]);
    assert_eq!(ask(&good).0, 200);
    refused(&good, "was used before");
    let short = munged.credential(ANN, "", &["--ttl=1"]);
    // Its end is passed for certain; nothing hangs on how soon.
    sleep(Duration::from_millis(2100));
    refused(&short, "is expired");
    let whole = munged.credential(ANN, "", &[]);
    let (begin, end) = whole.split_at(whole.len() - 12);
    let changed = match end.starts_with('A') {
        true => format!("{begin}B{}", &end[1..]),
        false => format!("{begin}A{}", &end[1..]),
    };
    refused(&changed, "invalid");
    refused("MUNGE:AwQFAAA:", "munge");
    refused("", "munge");
    refused(
        &munged.credential(ANN, "", &[&format!("--restrict-uid={BOB}")]),
        "for somebody else",
    );
    let own = munged.credential(ANN, "", &[&format!("--restrict-uid={OWN}")]);
    assert_eq!(ask(&own).0, 200);
    refused(&munged.credential(ANN, "{no JSON", &[]), "payload");
    // What Shifter's imagecli.py says means nothing, there and here.
    assert_eq!(ask(&munged.credential(ANN, "test", &[])).0, 200);
}

#[test]
fn nobody_asks_without_a_proof() {
    let gateway = Gateway::start();
    for (method, path) in [
        ("GET", LIST),
        ("GET", "/metrics"),
        ("GET", "/v2/systems/cluster/queue"),
        ("POST", "/v2/systems/cluster/pulls/docker/x:1"),
        ("POST", "/v2/systems/cluster/imports/x:1?digest=sha256:0"),
    ] {
        let answer = gateway.ask(method, path, &[], "");
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    }
    // A token, where only munge is wanted.
    let answer = gateway.ask("GET", LIST, &[("authorization", "Bearer x")], "");
    assert_eq!(answer.status, 401);
    for path in [
        "/api/list/cluster/",
        "/api/queue/cluster/",
        "/api/lookup/cluster/docker/x:1/",
    ] {
        assert_eq!(gateway.ask("GET", path, &[], "").status, 404, "{path}");
    }
    let answer = gateway.ask("POST", "/api/pull/cluster/docker/x:1/", &[], "{}");
    assert_eq!(answer.status, 404);
    assert!(
        gateway.ask_as(ANN, "GET", "/api/queue/cluster/", "").json()["list"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
}

#[test]
fn a_credential_that_names_its_request_is_good_for_no_other() {
    let gateway = Gateway::with(&json!({ "RequireBoundCredentials": true }));
    let bound = |line: &str, body: &str| {
        let file = gateway.bench.file("bound", body);
        let body = crate::origin::sha256(&file);
        let file = gateway.bench.file("bound", format!("{line}\n{body}"));
        let request = format!("sha256:{}", crate::origin::sha256(&file));
        let payload = json!({ "request": request }).to_string();
        gateway.munged.credential(ANN, &payload, &[])
    };
    let ask = |credential: &str, path: &str, body: &str| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let answer = gateway.ask(method, path, &[("authentication", credential)], body);
        answer.status
    };
    assert_eq!(ask(&bound(&format!("GET {LIST}"), ""), LIST, ""), 200);
    let other = "/v2/systems/cluster/queue";
    assert_eq!(ask(&bound(&format!("GET {LIST}"), ""), other, ""), 401);
    let pull = "/v2/systems/cluster/pulls/docker/x:1";
    let line = format!("POST {pull}");
    assert_eq!(
        ask(&bound(&line, "{\"users\":[5]}"), pull, "{\"users\":[6]}"),
        401
    );
    assert_eq!(
        ask(&bound(&line, "{\"users\":[5]}"), pull, "{\"users\":[5]}"),
        202
    );
    // One that names none isn't taken here.
    assert_eq!(gateway.ask_as(ANN, "GET", LIST, "").status, 401);
    // Our own client's do.
    gateway.client(ANN, &["images"]).expect(0);
    gateway.client(ANN, &["pull", "x:1"]).expect(0);
}

#[test]
fn a_token_counts_until_it_is_revoked() {
    let gateway = Gateway::with(&json!({ "Authentication": "tokens" }));
    let add = |more: &[&str]| {
        let outcome = gateway
            .program(&["token", "add"])
            .args(more)
            .args(["--uid", "5", "--gid", "5"])
            .expect(0);
        outcome.stdout.trim().to_owned()
    };
    let ask = |token: &str, path: &str| {
        let header = format!("Bearer {token}");
        let answer = gateway.ask("GET", path, &[("authorization", &header)], "");
        answer.status
    };
    let token = add(&["laptop", "--user", "games"]);
    assert_eq!(ask(&token, LIST), 200);
    assert_eq!(ask("imagegw_other", LIST), 401);
    let scraper = add(&["scraper", "--metrics"]);
    assert_eq!(ask(&scraper, "/metrics"), 200);
    assert_eq!(ask(&scraper, LIST), 403);
    // munge isn't wanted here.
    assert_eq!(gateway.ask_as(ANN, "GET", LIST, "").status, 401);
    // The client's, in a file of the user's alone.
    let client = gateway.client(ANN, &["images"]);
    let file = gateway.bench.path("home-5/.udiRoot/token");
    gateway.bench.directory("home-5/.udiRoot");
    fs::write(&file, format!("{token}\n")).expect("write");
    std::os::unix::fs::chown(&file, Some(ANN), Some(ANN)).expect("chown");
    client.run().refused("others may read it");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    gateway.client(ANN, &["pull", "x:1"]).expect(0);
    gateway.program(&["token", "revoke", "laptop"]).expect(0);
    assert_eq!(ask(&token, LIST), 401);
    gateway.client(ANN, &["images"]).run().refused("not known");
}

#[test]
fn connections_are_private_and_the_gateways_certificate_is_believed_where_it_is_named() {
    let gateway = Gateway::with(&json!({ "TLS": null }));
    let pem = gateway.bench.path("gateway.pem");
    fs::copy(gateway.bench.path("state/certificate.pem"), &pem).expect("copy");
    fs::set_permissions(&pem, fs::Permissions::from_mode(0o644)).expect("chmod");
    // Beside the udiRoot.conf it is found.
    gateway.client(ANN, &["pull", "x:1"]).expect(0);
    fs::remove_file(&pem).expect("remove");
    gateway
        .client(ANN, &["images"])
        .run()
        .refused("certificate");
    let key = fs::metadata(gateway.bench.path("state/certificate-key.pem")).expect("a key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn whoever_asks_too_often_waits() {
    let gateway = Gateway::with(&json!({ "Limits": { "RequestsPerMinute": 3 } }));
    let statuses: Vec<u16> = (0..12)
        .map(|_| gateway.ask_as(ANN, "GET", LIST, "").status)
        .collect();
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(
        gateway.ask_as(BOB, "GET", LIST, "").status,
        200,
        "others don't"
    );
}
