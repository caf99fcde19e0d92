//! A gateway that serves, its users, and a client that asks as one of them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::https::Answer;
use integration::{Bench, Tool, program, shifter_imagegw, shifterimg, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::munged::Munged;
use crate::origin::Origin;

/// What takes longer than this never happens.
pub const SOON: Duration = Duration::from_secs(30);

/// Who the gateway is: `backup`, whom every Debian has. ssh runs for no user without a name.
pub const OWN: u32 = 34;
/// Likewise `games`, `man`, and `mail`, who administers the system.
pub const ANN: u32 = 5;
pub const BOB: u32 = 6;
pub const ADMIN: u32 = 8;

/// A gateway of a system `cluster`, with a registry to pull from. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    pub bench: Bench,
    pub munged: Munged,
    pub origin: Origin,
    process: Process,
    pub address: String,
    configuration: PathBuf,
    is_plain: bool,
}

#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Gateway {
    pub fn start() -> Self {
        Self::with(&json!({}))
    }

    /// With more keys in its configuration; `@` there is the test's place.
    pub fn with(more: &Value) -> Self {
        Self::prepared(|_| more.clone())
    }

    /// Likewise with those that `prepare` gives.
    pub fn prepared(prepare: impl FnOnce(&Bench) -> Value) -> Self {
        let bench = Bench::new();
        let more = &prepare(&bench);
        let munged = Munged::start(&bench);
        let origin = Origin::start(&bench);
        for directory in ["images", "state", "programs"] {
            let path = bench.directory(directory);
            chown(&path, Some(OWN), Some(OWN)).expect("chown");
        }
        let state = bench.path("state");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("chmod");
        program::copy([shifter_imagegw(), shifterimg()], &bench.path("programs"));
        let configuration = configure(&bench, &munged, &origin, more);
        let is_plain = more.get("TLS").is_none();
        let (process, address) = spawn(&bench, &configuration);
        let gateway = Self {
            bench,
            munged,
            origin,
            process,
            address,
            configuration,
            is_plain,
        };
        gateway.write_site(&[&gateway.url()]);
        gateway
    }

    pub fn url(&self) -> String {
        let scheme = if self.is_plain { "http" } else { "https" };
        format!("{scheme}://{}", self.address)
    }

    /// Writes the udiRoot.conf with these gateways.
    pub fn write_site(&self, gateways: &[&str]) {
        let images = self.bench.path("images").display().to_string();
        let text = format!(
            "imagePath={images}\netcPath=/etc\nsystem=cluster\ndefaultImageType=docker\nimageGateway={}\n",
            gateways.join(" ")
        );
        self.bench.file("udiRoot.conf", text);
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.bench.path("log")).unwrap_or_default()
    }

    /// Kills it as nobody can see it coming.
    pub fn kill(&mut self) {
        self.process.0.kill().expect("kill");
        self.process.0.wait().expect("wait");
    }

    /// Has it read its certificate anew.
    pub fn reads_anew(&self) {
        let pid = Pid::from_raw(self.process.0.id().cast_signed());
        kill(pid, Signal::SIGHUP).expect("signal");
    }

    /// Asks it to end, and waits until it has: its exit code.
    pub fn end(&mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.process.0.id().cast_signed());
        kill(pid, Signal::SIGTERM).expect("signal");
        let mut code = None;
        wait_until("the gateway ends", SOON, || {
            let ended = self.process.0.try_wait().expect("wait");
            code = ended.map(|status| status.code());
            code.is_some()
        });
        code.flatten()
    }

    /// Starts it again on the same state.
    pub fn start_again(&mut self) {
        (self.process, self.address) = spawn(&self.bench, &self.configuration);
        self.write_site(&[&self.url()]);
    }

    /// `shifter-imagegw ARGUMENTS…` as the gateway's user.
    pub fn program(&self, arguments: &[&str]) -> Tool {
        let mut tool = as_user(OWN);
        tool = tool.arg(self.bench.path("programs/shifter-imagegw"));
        tool.args(arguments)
            .arg("--config")
            .arg(&self.configuration)
    }

    /// `shifterimg ARGUMENTS…` as a user.
    pub fn client(&self, uid: u32, arguments: &[&str]) -> Tool {
        client(&self.bench, &self.munged, uid, arguments)
    }

    /// Asks in plain text with these headers.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("connect");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("write");
        Answer::read(stream).expect("an answer")
    }

    /// Asks as a user, with a credential as Shifter's client makes it.
    #[track_caller]
    pub fn ask_as(&self, uid: u32, method: &str, path: &str, body: &str) -> Answer {
        let credential = self.munged.credential(uid, "", &[]);
        self.ask(method, path, &[("authentication", &credential)], body)
    }

    /// Names in the image directory.
    pub fn images(&self) -> Vec<String> {
        let entries = fs::read_dir(self.bench.path("images")).expect("images");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.into_string().expect("a name"))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Threads of the registry's wait no longer.
        self.origin.release();
        if std::thread::panicking() {
            eprintln!("-- the gateway's log\n{}", self.log());
        }
    }
}

/// `shifterimg ARGUMENTS…` as a user, by the program and the udiRoot.conf on the bench.
pub fn client(bench: &Bench, munged: &Munged, uid: u32, arguments: &[&str]) -> Tool {
    let home = bench.directory(&format!("home-{uid}"));
    chown(&home, Some(uid), Some(uid)).expect("chown");
    as_user(uid)
        .arg(bench.path("programs/shifterimg"))
        .arg("--config")
        .arg(bench.path("udiRoot.conf"))
        .args(arguments)
        .env("HOME", &home.display().to_string())
        .env("MUNGE_SOCKET", &munged.socket.display().to_string())
}

/// `setpriv` to a user without groups, capabilities or proxies.
pub fn as_user(uid: u32) -> Tool {
    let uid = uid.to_string();
    let mut tool = Tool::new("setpriv").args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]);
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "GWCONFIG",
        "WORKERS",
    ] {
        tool.command()
            .env_remove(name)
            .env_remove(name.to_uppercase());
    }
    tool
}

fn configure(bench: &Bench, munged: &Munged, origin: &Origin, more: &Value) -> PathBuf {
    let mut configuration = json!({
        "StateDirectory": bench.path("state"),
        "Listen": "127.0.0.1:0",
        "TLS": "off",
        "WorkerThreads": 2,
        "Metrics": true,
        "Limits": { "FreeMegabytes": 0 },
        "DefaultImageLocation": "reg.io",
        "Locations": { "reg.io": { "remotetype": "dockerv2", "url": format!("http://{}", origin.address) } },
        "Platforms": { "cluster": {
            "mungeSocketPath": munged.socket, "accesstype": "local", "admins": ["mail"],
            "local": { "imageDir": bench.path("images") },
        } },
    });
    for (key, value) in more.as_object().expect("an object") {
        configuration[key] = value.clone();
    }
    let place = bench.path("").display().to_string();
    let text = configuration.to_string();
    let text = text.replace('@', place.trim_end_matches('/'));
    bench.file("imagemanager.json", text)
}

fn spawn(bench: &Bench, configuration: &PathBuf) -> (Process, String) {
    let log = bench.path("log");
    let before = listening(&log).len();
    let file = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .expect("the log");
    let path = format!(
        "{}:/usr/bin:/bin:/usr/sbin",
        bench.path("programs").display()
    );
    let mut tool = as_user(OWN)
        .arg(bench.path("programs/shifter-imagegw"))
        .args(["serve", "--config"])
        .arg(configuration);
    let command: &mut Command = tool.command();
    let child = command
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .expect("start the gateway");
    let mut process = Process(child);
    let mut address = None;
    wait_until("the gateway listens", SOON, || {
        address = listening(&log).into_iter().nth(before);
        if address.is_none() && process.0.try_wait().expect("wait").is_some() {
            panic!(
                "it ended:\n{}",
                fs::read_to_string(&log).unwrap_or_default()
            );
        }
        address.is_some()
    });
    (process, address.expect("an address"))
}

fn listening(log: &PathBuf) -> Vec<String> {
    let Ok(file) = File::open(log) else {
        return vec![];
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let told = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    told.filter(|line| line["message"] == "listening")
        .filter_map(|line| {
            let told = line["addresses"].as_str()?.to_owned();
            Some(told.trim_matches(['[', ']', '"']).to_owned())
        })
        .collect()
}
