//! The queue as a page, in a browser.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use integration::browser::Browser;
use integration::https::{Answer, Client};
use integration::{Tool, wait_until};
use serde_json::{Value, json};

use crate::serving::{ADMIN, ANN, BOB, Gateway, SOON};

const PAGE: &str = "/queue/cluster";

/// What `shifterimg queue --page` tells: an address, a name and a password.
#[derive(Debug)]
struct Way {
    address: String,
    user: String,
    password: String,
}

impl Way {
    fn of(gateway: &Gateway, uid: u32) -> Self {
        let told = gateway.client(uid, &["queue", "--page"]).expect(0).stdout;
        let mut lines = told.lines();
        let mut next = |begin: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(begin));
            line.unwrap_or_else(|| panic!("no {begin:?}: {told}"))
                .to_owned()
        };
        Self {
            address: next(""),
            user: next("user: "),
            password: next("password: "),
        }
    }

    /// As a browser proves it.
    fn header(&self) -> String {
        let pair = format!("{}:{}", self.user, self.password);
        let encoded = Tool::new("base64").arg("--wrap=0").input(pair).expect(0);
        format!("Basic {}", encoded.stdout)
    }
}

fn ask(gateway: &Gateway, method: &str, path: &str, authorization: &str) -> Answer {
    gateway.ask(method, path, &[("authorization", authorization)], "")
}

/// The page as it is seen: it looks again by itself at any moment, so all of one look is taken at once.
fn seen(browser: &mut Browser) -> Value {
    let whole = "document.readyState === 'complete' && ({
        title: document.title,
        text: document.body.innerText,
        border: getComputedStyle(document.querySelector('table')).borderCollapse,
        rows: [...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.innerText)),
    })";
    let mut seen = Value::Bool(false);
    wait_until("the page is whole", SOON, || {
        seen = browser.evaluate(whole);
        seen.is_object()
    });
    seen
}

/// A file of ann's that becomes no image, with a name that would be markup: our own client doesn't take it.
fn bad_import(gateway: &Gateway, pem: &Path) -> String {
    let file = gateway.bench.file("bad", "nothing");
    chown(&file, Some(ANN), Some(ANN)).expect("chown");
    let body = json!({ "filepath": file, "format": "squashfs" }).to_string();
    let path = "/api/doimport/cluster/custom/%3Cscript%3Edocument.title=1%3C/script%3E:1/";
    let credential = gateway.munged.credential(ANN, "", &[]);
    let headers = [("authentication", &*credential)];
    let client = Client::new(&gateway.address, pem);
    let answer = client.try_ask("POST", path, &headers, body.as_bytes());
    assert_eq!(answer.expect("an answer").status, 200);
    "custom:<script>document.title=1</script>:1".to_owned()
}

#[test]
fn the_queue_is_a_page_that_shows_everybody_what_he_may_see() {
    let gateway = Gateway::with(&json!({ "TLS": null, "ImportUsers": ["games"] }));
    let pem = gateway.bench.path("gateway.pem");
    fs::copy(gateway.bench.path("state/certificate.pem"), &pem).expect("copy");
    fs::set_permissions(&pem, fs::Permissions::from_mode(0o644)).expect("chmod");
    gateway.origin.hold();
    gateway.client(BOB, &["pullnb", "tools/x:1"]).expect(0);
    wait_until("the layer is asked for", SOON, || gateway.origin.held() > 0);
    let nasty = bad_import(&gateway, &pem);
    wait_until("it has failed", SOON, || {
        let queue = gateway.client(ANN, &["queue"]).expect(0);
        queue.stdout.contains("FAILURE")
    });

    let way = Way::of(&gateway, ANN);
    assert_eq!(way.address, format!("{}{PAGE}", gateway.url()));
    assert!(!way.address.contains(&way.password));
    let (scheme, rest) = way.address.split_once("://").expect("an address");
    let open = |way: &Way| format!("{scheme}://{}:{}@{rest}", way.user, way.password);
    let mut browser = Browser::open(&gateway.bench, &open(&way));
    let seen_first = seen(&mut browser);
    let shown = &seen_first["rows"];
    assert_eq!(shown[0][1], "docker:tools/x:1", "{shown}");
    assert_eq!(
        (&shown[0][2], &shown[0][4]),
        (&json!("PULLING"), &json!("man"))
    );
    let progress = shown[0][3].as_str().expect("progress");
    assert!(
        progress.contains(" of ") && progress.contains("MB"),
        "{shown}"
    );
    let since = shown[0][5].as_str().expect("since");
    assert!(since.contains("Z ("), "{shown}");
    assert_eq!(shown[1][1], *nasty, "{shown}");
    let state = shown[1][2].as_str().expect("a state");
    assert!(state.starts_with("FAILURE\n"), "{shown}");
    assert_eq!(shown[1][4], "games");
    assert_eq!(seen_first["title"], "Queue of cluster");
    let text = seen_first["text"].as_str().expect("a text");
    assert!(text.contains("1 to be made, 1 failed"), "{text}");
    // It is styled, with nothing from anywhere else, and looks again by itself.
    assert_eq!(seen_first["border"], "collapse");
    gateway.origin.release();
    browser.waits_for("document.querySelectorAll('tbody tr').length === 1");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    drop(browser);

    // An import is its owner's business, and an administrator's.
    for (uid, is_shown) in [(BOB, false), (ADMIN, true)] {
        let mut browser = Browser::open(&gateway.bench, &open(&Way::of(&gateway, uid)));
        let shown = &seen(&mut browser)["rows"];
        assert_eq!(shown[0][1] == *nasty, is_shown, "{uid}: {shown}");
        assert_eq!(shown[0][4] == "games", is_shown, "{uid}: {shown}");
        if !is_shown {
            assert_eq!(shown[0][1], "private", "{shown}");
            assert_eq!(shown[0][2], "FAILURE", "{shown}");
        }
    }
}

#[test]
fn the_pages_password_is_asked_for_and_good_for_nothing_else() {
    let gateway = Gateway::with(&json!({ "Authentication": ["munge", "tokens"] }));
    let answer = gateway.ask("GET", PAGE, &[], "");
    assert_eq!(answer.status, 401, "{}", answer.text());
    let wanted = answer.header("www-authenticate").expect("what is wanted");
    assert!(wanted.starts_with("Basic realm=\""), "{wanted}");
    assert!(!answer.text().contains("<table"), "{}", answer.text());
    let way = Way::of(&gateway, ANN);
    let header = way.header();
    let answer = ask(&gateway, "GET", PAGE, &header);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    for element in [
        "<script", "<link", "<img", "<form", " src=", "href=", "http://", "https://",
    ] {
        assert!(!answer.text().contains(element), "{element}");
    }
    // Not for the interface, and not as anybody else.
    for (method, path, status) in [
        ("GET", "/v2/systems/cluster/queue", 403),
        ("POST", "/v2/systems/cluster/queue/password", 403),
        ("POST", "/v2/systems/cluster/pulls/docker/x:1", 403),
        ("GET", "/api/list/cluster/", 404),
        ("GET", "/metrics", 401),
        ("GET", "/queue/nowhere", 404),
    ] {
        let answer = ask(&gateway, method, path, &header);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    let bob = Way {
        user: "man".to_owned(),
        ..way
    };
    assert_eq!(ask(&gateway, "GET", PAGE, &bob.header()).status, 401);
    for wrong in ["Basic", "Basic !", "Basic Z2FtZXM=", "Basic Z2FtZXM6"] {
        assert_eq!(ask(&gateway, "GET", PAGE, wrong).status, 401, "{wrong}");
    }
    // A new one takes the old one's place.
    let second = Way::of(&gateway, ANN).header();
    assert_eq!(ask(&gateway, "GET", PAGE, &header).status, 401);
    assert_eq!(ask(&gateway, "GET", PAGE, &second).status, 200);
    for secret in [&bob.password, header.trim_start_matches("Basic ")] {
        assert!(!gateway.log().contains(secret), "it is in the log");
    }
}

#[test]
fn a_password_that_was_made_with_a_token_ends_with_it() {
    let gateway = Gateway::with(&json!({ "Authentication": "tokens" }));
    let add = [
        "token", "add", "laptop", "--user", "games", "--uid", "5", "--gid", "5",
    ];
    let token = gateway.program(&add).expect(0).stdout;
    let bearer = format!("Bearer {}", token.trim());
    let made = ask(
        &gateway,
        "POST",
        "/v2/systems/cluster/queue/password",
        &bearer,
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let text = |key: &str| made[key].as_str().expect("a text").to_owned();
    let way = Way {
        address: text("path"),
        user: text("user"),
        password: text("password"),
    };
    assert_eq!(ask(&gateway, "GET", PAGE, &way.header()).status, 200);
    // The token itself opens the page to programs.
    assert_eq!(ask(&gateway, "GET", PAGE, &bearer).status, 200);
    gateway.program(&["token", "revoke", "laptop"]).expect(0);
    assert_eq!(ask(&gateway, "GET", PAGE, &way.header()).status, 401);
}
