//! A registry that does as a test says: it shows a busybox under any name, to everybody or for a password, and holds
//! layers back until it is let. Repositories whose names begin with `withheld/` have a manifest and no layer.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use integration::{Bench, Tool, require_program};
use serde_json::{Value, json};

/// `ann:secret`, for repositories whose names begin with `private/`.
const BASIC: &str = "Basic YW5uOnNlY3JldA==";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const BUSYBOX: &str = "/bin/busybox";

#[derive(Debug, Default)]
struct Shown {
    /// Blobs and manifests by digest.
    content: HashMap<String, Vec<u8>>,
    manifest: String,
    layer: String,
}

#[derive(Debug, Default)]
struct Gate {
    is_held: bool,
    waiting: usize,
    fetched: usize,
}

/// A registry on loopback, until the test's process ends.
#[derive(Debug, Clone)]
pub struct Origin {
    pub address: String,
    shown: Arc<Shown>,
    gate: Arc<(Mutex<Gate>, Condvar)>,
}

impl Origin {
    pub fn start(bench: &Bench) -> Self {
        let shown = Arc::new(shown(bench));
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("an address").to_string();
        let gate = Arc::default();
        let origin = Self {
            address,
            shown,
            gate,
        };
        let own = origin.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // A client that breaks off is no news.
                thread::spawn(move || own.answer(&stream));
            }
        });
        origin
    }

    /// The digest of the manifest, without `sha256:`: what the gateway calls the image.
    pub fn id(&self) -> &str {
        self.shown.manifest.trim_start_matches("sha256:")
    }

    /// Holds layers back from now on.
    pub fn hold(&self) {
        self.gate.0.lock().expect("lock").is_held = true;
    }

    /// Lets them go.
    pub fn release(&self) {
        self.gate.0.lock().expect("lock").is_held = false;
        self.gate.1.notify_all();
    }

    /// How many are asked for and held back.
    pub fn held(&self) -> usize {
        self.gate.0.lock().expect("lock").waiting
    }

    /// How many were fetched.
    pub fn fetched(&self) -> usize {
        self.gate.0.lock().expect("lock").fetched
    }

    /// Writes what it shows as an OCI layout.
    pub fn write_layout(&self, to: &Path) {
        let blobs = to.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("make a directory");
        for (digest, content) in &self.shown.content {
            let name = digest.trim_start_matches("sha256:");
            fs::write(blobs.join(name), content).expect("write");
        }
        let size = self.shown.content[&self.shown.manifest].len();
        let index = json!({ "schemaVersion": 2, "manifests": [{
            "mediaType": MANIFEST, "digest": self.shown.manifest, "size": size,
        }] });
        fs::write(to.join("index.json"), index.to_string()).expect("write");
        fs::write(to.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").expect("write");
    }

    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let path = line.split(' ').nth(1)?.to_owned();
            let is_head = line.starts_with("HEAD ");
            let mut is_ann = false;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).ok()?;
                if header.trim().is_empty() {
                    break;
                }
                let (name, value) = header.split_once(':')?;
                is_ann |= name.eq_ignore_ascii_case("authorization") && value.trim() == BASIC;
            }
            let (status, kind, content) = self.find(&path, is_head, is_ann);
            let mut answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n",
                content.len()
            );
            if status.starts_with("401") {
                answer += "www-authenticate: Basic realm=\"test\"\r\n";
            }
            let mut stream = stream;
            stream.write_all((answer + "\r\n").as_bytes()).ok()?;
            if !is_head {
                stream.write_all(&content).ok()?;
            }
        }
    }

    fn find(
        &self,
        path: &str,
        is_head: bool,
        is_ann: bool,
    ) -> (&'static str, &'static str, Vec<u8>) {
        let unknown = ("404 Not Found", "application/json", b"{}".to_vec());
        if path.starts_with("/v2/private/") && !is_ann {
            return ("401 Unauthorized", "application/json", b"{}".to_vec());
        }
        let shown = &self.shown;
        if let Some((name, version)) = path.split_once("/manifests/") {
            let is_there = !name.ends_with("/nothing");
            return match version.strip_prefix("sha256:") {
                Some(_) if version != shown.manifest => unknown,
                _ if is_there => ("200 OK", MANIFEST, shown.content[&shown.manifest].clone()),
                _ => unknown,
            };
        }
        let Some((_, digest)) = path.split_once("/blobs/") else {
            return ("200 OK", "application/json", b"{}".to_vec());
        };
        if digest == shown.layer {
            if path.starts_with("/v2/withheld/") {
                return unknown;
            }
            if !is_head {
                self.wait();
            }
        }
        match shown.content.get(digest) {
            Some(content) => ("200 OK", "application/octet-stream", content.clone()),
            None => unknown,
        }
    }

    fn wait(&self) {
        let mut gate = self.gate.0.lock().expect("lock");
        gate.waiting += 1;
        while gate.is_held {
            gate = self.gate.1.wait(gate).expect("wait");
        }
        gate.waiting -= 1;
        gate.fetched += 1;
    }
}

/// An image of one layer, with a busybox.
fn shown(bench: &Bench) -> Shown {
    require_program(BUSYBOX, "busybox-static");
    let root = bench.directory("origin/root/bin");
    fs::copy(BUSYBOX, root.join("busybox")).expect("copy busybox");
    std::os::unix::fs::symlink("busybox", root.join("sh")).expect("a link");
    let archive = bench.path("origin/layer.tar");
    Tool::new("tar")
        .args(["--owner=0", "--group=0", "--mtime=@0", "-cf"])
        .arg(&archive)
        .arg("-C")
        .arg(bench.path("origin/root"))
        .arg("bin")
        .expect(0);
    let mut shown = Shown::default();
    let layer = fs::read(&archive).expect("read");
    let size = layer.len();
    shown.layer = put(bench, &mut shown, layer);
    let config = json!({
        "architecture": architecture(), "os": "linux",
        "config": { "Entrypoint": ["/bin/sh", "-c"], "Env": ["PATH=/bin", "FROM=origin"], "WorkingDir": "/bin",
            "Labels": { "made.by": "a test" } },
        "rootfs": { "type": "layers", "diff_ids": [shown.layer] },
    });
    let config = config.to_string().into_bytes();
    let config_size = config.len();
    let config = put(bench, &mut shown, config);
    let manifest: Value = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": shown.layer, "size": size }],
    });
    shown.manifest = put(bench, &mut shown, manifest.to_string().into_bytes());
    shown
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn put(bench: &Bench, shown: &mut Shown, content: Vec<u8>) -> String {
    let file = bench.file("origin/content", &content);
    let digest = format!("sha256:{}", sha256(&file));
    shown.content.insert(digest.clone(), content);
    digest
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(file: &Path) -> String {
    let outcome = Tool::new("sha256sum").arg(file).expect(0);
    outcome
        .stdout
        .split(' ')
        .next()
        .expect("a digest")
        .to_owned()
}
