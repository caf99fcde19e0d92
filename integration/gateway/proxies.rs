//! Pulls through a proxy, which is the test's: it tunnels (CONNECT), tells what it was asked, and leads to one address
//! whatever host is named, so that a host that isn't found by anybody else is found by it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use crate::fixture::{Registry, User};
use crate::images;

/// Until the test's process ends.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub address: String,
    target: String,
    told: Arc<Mutex<Vec<String>>>,
    spoils: Arc<AtomicBool>,
}

impl Proxy {
    /// One that leads to `target`, `HOST:PORT`.
    pub fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let proxy = Self {
            address: listener.local_addr().expect("an address").to_string(),
            target: target.to_owned(),
            told: Arc::default(),
            spoils: Arc::default(),
        };
        let own = proxy.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // Who breaks off is no news.
                thread::spawn(move || own.answer(stream));
            }
        });
        proxy
    }

    /// Every line of what it was asked, and takes them.
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().expect("lock"))
    }

    /// Makes the next token that is shown with a request for a blob in plain text a bad one, as if it had run out.
    pub fn spoil_a_token(&self) {
        self.spoils.store(true, Ordering::SeqCst);
    }

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(stream.try_clone()?);
        let head = head(&mut client)?;
        self.told.lock().expect("lock").extend(head);
        let server = TcpStream::connect(&self.target)?;
        (&stream).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (mut answers, mut asker) = (server.try_clone()?, stream);
        thread::spawn(move || {
            let _ = io::copy(&mut answers, &mut asker);
            let _ = asker.shutdown(Shutdown::Write);
        });
        // A TLS handshake begins with this byte, and no request.
        let is_tls = client.fill_buf()?.first() == Some(&0x16);
        match is_tls {
            true => io::copy(&mut client, &mut &server).map(drop),
            false => self.requests(&mut client, &server),
        }
    }

    fn requests(&self, client: &mut impl BufRead, mut server: &TcpStream) -> io::Result<()> {
        loop {
            let mut lines = head(client)?;
            let is_blob = lines.first().is_some_and(|line| line.contains("/blobs/"));
            let is_token = |line: &&mut String| {
                line.to_ascii_lowercase()
                    .starts_with("authorization: bearer")
            };
            if is_blob
                && let Some(line) = lines.iter_mut().find(is_token)
                && self.spoils.swap(false, Ordering::SeqCst)
            {
                "authorization: Bearer spoilt".clone_into(line);
            }
            server.write_all((lines.join("\r\n") + "\r\n\r\n").as_bytes())?;
        }
    }
}

/// The lines of a request without a body.
fn head(client: &mut impl BufRead) -> io::Result<Vec<String>> {
    let mut lines = vec![];
    loop {
        let mut line = String::new();
        if client.by_ref().take(1 << 16).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

fn connects(told: &[String]) -> Vec<&str> {
    let mut lines: Vec<&str> = told.iter().map(String::as_str).collect();
    lines.retain(|line| line.starts_with("CONNECT "));
    lines.dedup();
    lines
}

#[test]
fn a_registry_behind_a_proxy_is_reached_as_the_environment_says() {
    let user = User::new();
    let layout = images::layout(&user.bench);
    let registry = Registry::open(&user.bench, "registry");
    registry.push(&layout, "v1", "app:v1");
    let proxy = Proxy::start(&registry.address);
    let named = "docker://registry.invalid/app:v1";
    let with_password = format!("http://user:secret@{}", proxy.address);
    user.make(&["--plain-http"], named, "named.erofs")
        .env("http_proxy", &with_password)
        .expect(0);
    let told = proxy.told();
    assert_eq!(connects(&told), ["CONNECT registry.invalid:80 HTTP/1.1"]);
    let proof = "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=";
    assert!(told.iter().any(|line| line == proof), "{told:?}");
    // In capital letters, too; and not for hosts that are excepted.
    let url = format!("http://{}", proxy.address);
    let own = registry.image("app:v1");
    for (excepted, is_asked) in [("", true), ("127.0.0.1", false), ("*", false)] {
        user.make(&["--plain-http", "--cache", "another"], &own, "own.erofs")
            .env("HTTP_PROXY", &url)
            .env("NO_PROXY", excepted)
            .expect(0);
        assert_eq!(!proxy.told().is_empty(), is_asked, "{excepted}");
        fs::remove_file(user.home.join("own.erofs")).expect("made");
    }
    // One that is for HTTPS isn't for plain text.
    user.make(&["--plain-http"], &own, "own.erofs")
        .env("https_proxy", "http://127.0.0.1:1")
        .expect(0);
}

#[test]
fn through_a_proxy_a_registry_proves_itself_all_the_same() {
    let user = User::new();
    let layout = images::layout(&user.bench);
    let (registry, authority) = Registry::with_tls(&user.bench, "registry");
    registry.push(&layout, "v1", "app:v1");
    let proxy = Proxy::start(&registry.address);
    let url = format!("http://{}", proxy.address);
    let authority = user.file(
        "authority.pem",
        &fs::read_to_string(authority).expect("read"),
    );
    let options = ["--authorities", &authority];
    user.make(&options, "docker://registry.invalid/app:v1", "image.erofs")
        .env("https_proxy", &url)
        .expect(0);
    assert_eq!(
        connects(&proxy.told()),
        ["CONNECT registry.invalid:443 HTTP/1.1"]
    );
    // The same server under a name that its certificate hasn't.
    let refused = user
        .make(&options, "docker://other.invalid/app:v1", "other.erofs")
        .env("https_proxy", &url)
        .expect(1);
    assert!(refused.stderr.contains("certificate"), "{refused}");
}
