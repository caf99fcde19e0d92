//! The page for people, in a browser.

use integration::browser::Browser;
use integration::{Bench, Server};
use serde_json::json;

use crate::{UNTIL_GO, shell, sleeper, waits_for};

/// Signs in with `key` as a person does.
fn sign_in(browser: &mut Browser, key: &str) {
    browser.evaluate(&format!(
        "document.querySelector('#key').value = {}",
        json!(key)
    ));
    browser.click("#sign-in-form button");
}

#[test]
fn a_person_signs_in_watches_a_log_grow_stops_and_reads_what_a_sandbox_exposes() {
    let bench = Bench::new();
    let last = "echo \"second <b>not bold</b>\"; echo '{}' > result.json";
    let script = format!("echo first; {UNTIL_GO}; {last}");
    let functions = [("grow", shell(&script)), ("sleeper", sleeper())];
    let server = Server::start(&bench, &functions, &json!({ "max-running": 2 }));
    let key = server.add_key(&[
        "anna",
        "--commands",
        "--max-memory",
        "512",
        "--max-time",
        "3",
    ]);
    let other = server.add_key(&["other"]);
    let paths = [server.create("sleeper", &key), server.create("grow", &key)];
    server.create("grow", &other);
    server.post(&format!("{}/start", paths[0]), &key, b"").ok();
    waits_for(&server, &paths[0], &key, "ready");

    let mut browser = Browser::open(&bench, &format!("https://{}/", server.address()));
    sign_in(&mut browser, "apikey_wrong");
    browser.waits_for("!document.querySelector('#error').hidden");
    assert!(
        browser.text().contains("this key is not known"),
        "{}",
        browser.text()
    );
    sign_in(&mut browser, &key);
    browser.waits_for("document.querySelectorAll('#executions tbody tr').length === 2");
    let text = browser.text();
    for shown in [
        "A test's server",
        "anna",
        "512 MB each",
        "3 min each",
        "1 running, 0 waiting",
    ] {
        assert!(text.contains(shown), "no {shown:?}:\n{text}");
    }

    // A log, as it grows.
    browser.click("#executions tbody tr:nth-child(1) button");
    browser.waits_for("!document.querySelector('#detail').hidden");
    server.post(&format!("{}/start", paths[1]), &key, b"").ok();
    browser.waits_for("document.querySelector('#log').textContent === 'first\\n'");
    server.go(&paths[1]);
    let whole = "first\\nsecond <b>not bold</b>\\n";
    browser.waits_for(&format!(
        "document.querySelector('#log').textContent === '{whole}'"
    ));
    browser.waits_for("document.querySelector('#facts').innerText.includes('ended with 0')");
    browser.waits_for("document.querySelector('#outputs').innerText.includes('result.json')");

    // The stop button.
    browser.click("#executions tbody tr:nth-child(2) button");
    browser.waits_for("document.querySelector('#log').textContent === 'ready\\n'");
    browser.click("#stop");
    browser.waits_for("document.querySelector('#facts').innerText.includes('stopped')");
    browser.waits_for("document.querySelector('#stop').disabled");
    assert_eq!(server.get(&paths[0], &key).ok()["state"], "stopped");

    // What a sandbox exposes.
    browser.click("#commands button");
    browser.waits_for("document.querySelector('#mounts').innerText.includes('/usr/bin/busybox')");
    browser.waits_for("document.querySelector('#protections').innerText.includes('no privilege')");

    browser.click("#sign-out");
    browser.waits_for("!document.querySelector('#sign-in').hidden");
    let kept = browser.evaluate("JSON.stringify([sessionStorage, localStorage, document.cookie])");
    assert_eq!(kept, json!("[{},{},\"\"]"));
    let complaints: Vec<&String> = browser
        .complaints
        .iter()
        .filter(|complaint| !complaint.contains("401"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn the_page_runs_only_what_the_server_sends_as_script() {
    let bench = Bench::new();
    let server = Server::start(&bench, &[], &json!({}));
    let answer = server
        .client()
        .try_ask("GET", "/", &[], b"")
        .expect("an answer");
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let text = answer.text();
    for inline in ["<style", "style=", "onclick", "javascript:"] {
        assert!(!text.contains(inline), "{inline}");
    }
    assert_eq!(
        text.matches("<script").count(),
        text.matches("<script src=").count()
    );
    let mut browser = Browser::open(&bench, &format!("https://{}/", server.address()));
    let ran = browser.evaluate(
        "(() => { const it = document.createElement('script'); it.textContent = 'window.ran = 1'; \
          document.body.append(it); return window.ran === 1; })()",
    );
    assert_eq!(ran, json!(false), "the policy lets inline scripts run");
}
