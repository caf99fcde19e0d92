//! Docker-registry with token authentication. Who issues the tokens is the test's, since Debian has nobody who does: it
//! answers as the protocol says and signs with a key that the registry believes. All else is real.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use integration::{Bench, Tool};
use serde_json::{Value, json};

use crate::fixture::{Registry, User};
use crate::images;
use crate::proxies::Proxy;

/// `alice:secret`, and with another password.
const ALICE: &str = "YWxpY2U6c2VjcmV0";
const WRONG: &str = "YWxpY2U6d3Jvbmc=";

/// Gives alice what she asks for, and everybody else what is below `open/`. Until the test's process ends.
#[derive(Debug, Clone)]
struct Issuer {
    address: String,
    directory: PathBuf,
    /// Who asked: `alice` or `anybody`.
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Issuer {
    fn start(bench: &Bench) -> Self {
        let directory = bench.directory("issuer");
        let new = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=issuer -keyout key.pem -out certificate.pem";
        Tool::new("openssl")
            .args(new.split(' '))
            .current_dir(&directory)
            .expect(0);
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let issuer = Self {
            address: listener.local_addr().expect("an address").to_string(),
            directory,
            asked: Arc::default(),
        };
        let own = issuer.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who breaks off is no news.
                let _ = own.answer(&stream);
            }
        });
        issuer
    }

    /// A registry that wants its tokens.
    fn registry(&self, bench: &Bench) -> Registry {
        let token = json!({
            "realm": format!("http://{}/token", self.address),
            "service": "the registry",
            "issuer": "the issuer",
            "rootcertbundle": self.directory.join("certificate.pem"),
        });
        Registry::start(
            bench,
            "registry",
            &json!({ "auth": { "token": token } }),
            "",
        )
    }

    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.asked.lock().expect("lock"))
    }

    /// One request for each connection.
    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let mut authorization = None;
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                authorization = Some(value.to_owned());
            }
        }
        let (status, body) = match authorization {
            Some(shown) if shown != format!("Basic {ALICE}") => ("401 Unauthorized", json!({})),
            shown => {
                let who = if shown.is_some() { "alice" } else { "anybody" };
                self.asked.lock().expect("lock").push(who);
                let access = access(&request, who);
                ("200 OK", json!({ "token": self.token(who, &access) }))
            }
        };
        let body = body.to_string();
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all((head + &body).as_bytes())
    }

    /// A token as docs/spec/auth/jwt.md of the registry has it.
    fn token(&self, who: &str, access: &Value) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        let now = now.as_secs();
        let certificate = fs::read_to_string(self.directory.join("certificate.pem")).expect("read");
        let body = certificate.lines().filter(|line| !line.starts_with('-'));
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [body.collect::<String>()] });
        let claims = json!({
            "iss": "the issuer", "aud": "the registry", "sub": who, "jti": "1",
            "iat": now, "nbf": now - 10, "exp": now + 300, "access": access,
        });
        let said = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
        let said = said.join(".");
        let said_file = self.directory.join("said");
        let signed = self.directory.join("signed");
        fs::write(&said_file, &said).expect("write");
        Tool::new("openssl")
            .args([
                "dgst", "-sha256", "-sign", "key.pem", "-out", "signed", "said",
            ])
            .current_dir(&self.directory)
            .expect(0);
        format!("{said}.{}", base64url(&fs::read(signed).expect("read")))
    }
}

/// What the scope of a request is granted of.
fn access(request: &str, who: &str) -> Value {
    let scope = request
        .split(['?', '&', ' '])
        .find_map(|part| part.strip_prefix("scope="));
    let scope = scope
        .unwrap_or_default()
        .replace("%3A", ":")
        .replace("%2F", "/")
        .replace("%2C", ",");
    let mut parts = scope.splitn(3, ':');
    let (Some(kind), Some(name), Some(actions)) = (parts.next(), parts.next(), parts.next()) else {
        return json!([]);
    };
    if who != "alice" && !name.starts_with("open/") {
        return json!([]);
    }
    let actions: Vec<&str> = actions.split(',').collect();
    json!([{ "type": kind, "name": name, "actions": actions }])
}

fn base64url(content: &[u8]) -> String {
    let encoded = Tool::new("basenc")
        .args(["--base64url", "--wrap=0"])
        .input(content)
        .expect(0);
    encoded.stdout.trim_end_matches('=').to_owned()
}

#[test]
fn tokens_are_asked_for_and_asked_for_anew_when_they_have_run_out() {
    let user = User::new();
    let issuer = Issuer::start(&user.bench);
    let registry = issuer.registry(&user.bench);
    let layout = images::layout(&user.bench);
    for name in ["closed/app:v1", "open/app:v1"] {
        registry.push(&layout, "v1", name);
    }
    issuer.asked();
    // Nobody's token opens what is everybody's, and nothing of ours is shown for it.
    let authfile = user.authfile(&registry.address, ALICE);
    let options = ["--plain-http", "--authfile", &authfile];
    let made = user.made(&options, &registry.image("open/app:v1"), "open.erofs");
    assert_eq!(
        (&made["private"], issuer.asked()),
        (&json!(false), vec!["anybody"])
    );
    let closed = registry.image("closed/app:v1");
    let made = user.made(&options, &closed, "closed.erofs");
    assert_eq!(made["private"], true);
    assert_eq!(issuer.asked(), ["anybody", "alice"]);
    let wrong = user.authfile(&registry.address, WRONG);
    for options in [
        &["--plain-http"][..],
        &["--plain-http", "--authfile", &wrong],
    ] {
        let told = user.refused(options, &closed, "refused.erofs");
        assert!(told.contains("access denied"), "{told}");
    }
    issuer.asked();
    // A token that was good for the manifest is good no more for a layer.
    let authfile = user.authfile(&registry.address, ALICE);
    let proxy = Proxy::start(&registry.address);
    proxy.spoil_a_token();
    let options = [
        "--plain-http",
        "--authfile",
        &authfile,
        "--cache",
        "another",
    ];
    user.make(&options, &closed, "again.erofs")
        .env("http_proxy", &format!("http://{}", proxy.address))
        .env("no_proxy", &issuer.address)
        .expect(0);
    assert_eq!(issuer.asked(), ["anybody", "alice", "alice"]);
    assert_eq!(user.digest("again.erofs"), user.digest("closed.erofs"));
}
