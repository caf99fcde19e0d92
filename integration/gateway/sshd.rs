//! Another host, as far as ssh can tell: Debian's sshd on loopback, with a user, keys and an image directory of its own,
//! whose line can be held.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use integration::{Tool, host, require_program, wait_until};
use serde_json::{Value, json};

use crate::serving::{Gateway, OWN, SOON};

/// Who the images are copied to. Nobody whom this host knows, so nothing but sshd gets into the directory.
const USER: u32 = 54_321;

/// What passes of a session on a line that is held, bytes: the keys are exchanged, and a part of the image.
const PASSES: usize = 500_000;

#[derive(Debug, Default)]
struct Line {
    is_held: bool,
    sessions: Vec<Child>,
}

/// Ended when dropped.
#[derive(Debug)]
pub struct Host {
    port: u16,
    /// Its image directory.
    pub images: PathBuf,
    known: PathBuf,
    line: Arc<(Mutex<Line>, Condvar)>,
}

impl Host {
    /// One for the gateway to come, whose configuration `platforms` is.
    pub fn start(place: &Path) -> Self {
        require_program("/usr/sbin/sshd", "openssh-server");
        require_program("/usr/bin/scp", "openssh-client");
        let images = place.join("remote");
        fs::create_dir(&images).expect("make a directory");
        fs::set_permissions(&images, fs::Permissions::from_mode(0o700)).expect("chmod");
        chown(&images, Some(USER), Some(USER)).expect("chown");
        for name in ["host_key", "user_key"] {
            Tool::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(place.join(name))
                .expect(0);
        }
        chown(place.join("user_key"), Some(OWN), Some(OWN)).expect("chown");
        let passwd = format!(
            "root:x:0:0::/root:/bin/sh\nsshd:x:65000:65000::/run/sshd:/bin/false\nshifter:x:{USER}:{USER}::/:/bin/sh\n"
        );
        fs::write(place.join("passwd"), passwd).expect("write");
        let at = place.display();
        let configuration = format!(
            "HostKey {at}/host_key\nAuthorizedKeysFile {at}/user_key.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n"
        );
        fs::write(place.join("sshd_config"), configuration).expect("write");
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let line: Arc<(Mutex<Line>, Condvar)> = Arc::default();
        let own = (Arc::clone(&line), place.to_path_buf());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                session(&own.0, &own.1, client);
            }
        });
        let known = place.join("known_hosts");
        fs::write(&known, "").expect("write");
        Self {
            port,
            images,
            known,
            line,
        }
    }

    /// What the gateway's configuration says of it; `@` is the test's place.
    pub fn platforms(&self) -> Value {
        let options = |port: &str| {
            json!([
                port,
                self.port.to_string(),
                "-F",
                "none",
                "-o",
                "UserKnownHostsFile=@/known_hosts",
                "-o",
                "GlobalKnownHostsFile=none",
                "-o",
                "IdentitiesOnly=yes",
            ])
        };
        json!({ "cluster": {
            "mungeSocketPath": "@/munge/run/socket", "accesstype": "remote", "admins": ["mail"],
            "host": ["127.0.0.1"],
            "ssh": { "username": "shifter", "key": "@/user_key", "imageDir": "@/remote",
                "sshCmdOptions": options("-p"), "scpCmdOptions": options("-P") },
        } })
    }

    /// Has the gateway know its key.
    pub fn is_known(&self, gateway: &Gateway) {
        let key = fs::read_to_string(gateway.bench.path("host_key.pub")).expect("a key");
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        fs::write(&self.known, line).expect("write");
    }

    /// From now on no more passes of a session than the first part of an image.
    pub fn hold(&self) {
        self.line.0.lock().expect("lock").is_held = true;
    }

    /// All passes again.
    pub fn release(&self) {
        self.line.0.lock().expect("lock").is_held = false;
        self.line.1.notify_all();
    }

    /// What is in its directory, with the lengths.
    pub fn there(&self) -> Vec<(String, u64)> {
        let names = host::names_in(&self.images);
        let length =
            |name: &String| fs::metadata(self.images.join(name)).map_or(0, |found| found.len());
        let mut there: Vec<_> = names
            .into_iter()
            .map(|name| (name.clone(), length(&name)))
            .collect();
        there.sort();
        there
    }

    /// Waits until everybody has left.
    pub fn nobody_is_in(&self) {
        wait_until("the sessions are over", SOON, || {
            let mut line = self.line.0.lock().expect("lock");
            line.sessions
                .retain_mut(|session| matches!(session.try_wait(), Ok(None)));
            line.sessions.is_empty()
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.release();
        for session in &mut self.line.0.lock().expect("lock").sessions {
            let _ = session.kill();
            let _ = session.wait();
        }
    }
}

/// Has an sshd serve a client, through a line that can be held.
fn session(line: &Arc<(Mutex<Line>, Condvar)>, place: &Path, client: TcpStream) {
    // It needs a directory of this name and a user's entry, and gets them where nobody else sees them.
    let script = "mount --bind \"$0/passwd\" /etc/passwd && mount -t tmpfs none /run && mkdir -m 755 /run/sshd &&
                  exec /usr/sbin/sshd -i -f \"$0/sshd_config\" -E \"$0/sshd_log\"";
    let (ours, its) = UnixStream::pair().expect("a pair");
    let its = OwnedFd::from(its);
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(place)
        .stdin(its.try_clone().expect("a descriptor"))
        .stdout(its)
        .stderr(Stdio::null())
        .spawn()
        .expect("start sshd");
    line.0.lock().expect("lock").sessions.push(child);
    let back = (
        ours.try_clone().expect("a socket"),
        client.try_clone().expect("a socket"),
    );
    thread::spawn(move || {
        let (mut from, mut to) = back;
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let line = Arc::clone(line);
    thread::spawn(move || pass(&line, client, ours));
}

/// Passes on what the client sends, as far as the line lets it.
fn pass(line: &(Mutex<Line>, Condvar), mut client: TcpStream, mut server: UnixStream) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    loop {
        let length = match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut own = line.0.lock().expect("lock");
        passed += length;
        while own.is_held && passed > PASSES {
            own = line.1.wait(own).expect("wait");
        }
        drop(own);
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}
