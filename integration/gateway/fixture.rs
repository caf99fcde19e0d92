//! A registry on loopback, a user who pulls, and the tree that comes of it.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::{Bench, Outcome, Tool, program, shifter_imagegw, verity_digest, wait_until};
use serde_json::{Value, json};

/// Who pulls.
pub const USER: u32 = 1234;
pub const SOON: Duration = Duration::from_secs(20);

/// alice's password is `secret`; bcrypt, as `htpasswd -B` writes it.
const HTPASSWD: &str = "alice:$2y$05$0fOkf1lgRSUsSKfnnMi0QuFNxM.M7m/aSdt86DbzwQ/sZo1zZrMji\n";
pub const ALICE: &str = "alice:secret";

/// Debian's docker-registry. Killed when dropped.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    pub directory: PathBuf,
    log: PathBuf,
}

impl Registry {
    /// One that everybody may read and write.
    pub fn open(bench: &Bench, name: &str) -> Self {
        Self::start(bench, name, &json!({}), "")
    }

    /// One that only alice may.
    pub fn closed(bench: &Bench, name: &str) -> Self {
        let passwords = bench.directory(name).join("htpasswd");
        fs::write(&passwords, HTPASSWD).expect("write");
        let auth = json!({ "htpasswd": { "realm": "test", "path": passwords } });
        Self::start(bench, name, &json!({ "auth": auth }), "")
    }

    /// One with a certificate by an authority of its own making, whose certificate is returned.
    pub fn with_tls(bench: &Bench, name: &str) -> (Self, PathBuf) {
        let directory = bench.directory(name);
        let path = |name: &str| directory.join(name);
        let request = |subject: &str, name: &str, more: &[&str]| {
            let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj";
            Tool::new("openssl")
                .args(new.split(' '))
                .arg(subject)
                .args(more)
                .arg("-keyout")
                .arg(path(&format!("{name}.key")))
                .arg("-out")
                .arg(path(&format!("{name}.pem")))
                .current_dir(&directory)
                .expect(0);
        };
        request("/CN=authority", "authority", &[]);
        let by_authority = "-CA authority.pem -CAkey authority.key -addext basicConstraints=CA:FALSE \
                            -addext subjectAltName=IP:127.0.0.1,DNS:registry.invalid";
        let by_authority: Vec<&str> = by_authority.split_whitespace().collect();
        request("/CN=registry", "registry", &by_authority);
        let (certificate, key) = (path("registry.pem"), path("registry.key"));
        let authority = path("authority.pem");
        let tls = json!({ "certificate": certificate, "key": key });
        let registry = Self::start(bench, name, &json!({ "http": { "tls": tls } }), ", tls");
        (registry, authority)
    }

    /// One with more in its configuration; `tls` is what it says then of where it listens.
    pub fn start(bench: &Bench, name: &str, more: &Value, tls: &str) -> Self {
        integration::require_program("/usr/bin/docker-registry", "docker-registry");
        let directory = bench.directory(name);
        let mut configuration = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": directory.join("data") } },
            "http": {},
        });
        for (key, value) in more.as_object().expect("an object") {
            configuration[key] = value.clone();
        }
        configuration["http"]["addr"] = "127.0.0.1:0".into();
        let file = directory.join("configuration.yml");
        // JSON is YAML.
        fs::write(&file, configuration.to_string()).expect("write");
        let log = directory.join("log");
        let output = File::create(&log).expect("make");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .spawn()
            .expect("start docker-registry");
        let mut registry = Self {
            child,
            address: String::new(),
            directory,
            log,
        };
        let mut address = None;
        wait_until("the registry listens", SOON, || {
            address = registry.listens_at(tls);
            address.is_some()
        });
        registry.address = address.expect("an address");
        registry
    }

    fn listens_at(&self, tls: &str) -> Option<String> {
        let log = fs::read_to_string(&self.log).ok()?;
        let (_, rest) = log.split_once("listening on ")?;
        let (address, _) = rest.split_once(&format!("{tls}\" "))?;
        Some(address.to_owned())
    }

    /// `docker://ADDRESS/NAME`.
    pub fn image(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.address)
    }

    /// Copies an image of a layout to `name`, and gives the digest that it has there.
    pub fn push(&self, layout: &Path, tag: &str, name: &str) -> String {
        let source = format!("oci:{}:{tag}", layout.display());
        let digest = self.directory.join("digest");
        Tool::new("skopeo")
            .args([
                "copy",
                "--all",
                "--dest-tls-verify=false",
                "--dest-creds",
                ALICE,
            ])
            .arg("--digestfile")
            .arg(&digest)
            .args([source, self.image(name)])
            .expect(0);
        fs::read_to_string(digest)
            .expect("a digest")
            .trim()
            .to_owned()
    }

    /// How often a blob was fetched.
    pub fn fetched(&self, digest: &str) -> usize {
        let log = fs::read_to_string(&self.log).expect("a log");
        let blob = format!("/blobs/{digest} HTTP/1.1\" 200");
        let is_of_it = |line: &&str| line.contains("\"GET /") && line.contains(&blob);
        log.lines().filter(is_of_it).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An ordinary user with the program.
#[derive(Debug)]
pub struct User {
    pub bench: Bench,
    program: PathBuf,
    pub home: PathBuf,
}

impl User {
    pub fn new() -> Self {
        let bench = Bench::new();
        let program = bench.path("shifter-imagegw");
        program::copy([shifter_imagegw()], &program);
        let home = bench.directory("home");
        chown(&home, Some(USER), Some(USER)).expect("chown");
        Self {
            bench,
            program,
            home,
        }
    }

    /// `shifter-imagegw make OPTIONS… SOURCE FILE`, FILE in the user's directory, without proxies.
    pub fn make(&self, options: &[&str], source: &str, file: &str) -> Tool {
        let user = USER.to_string();
        let cache: &[&str] = match options.contains(&"--cache") {
            true => &[],
            false => &["--cache", "cache"],
        };
        let mut tool = Tool::new("setpriv")
            .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
            .arg(&self.program)
            .arg("make")
            .args(cache)
            .args(options)
            .args([source, file])
            .current_dir(&self.home);
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            tool.command()
                .env_remove(name)
                .env_remove(name.to_uppercase());
        }
        tool
    }

    /// Makes it, and gives what was told of it.
    #[track_caller]
    pub fn made(&self, options: &[&str], source: &str, file: &str) -> Value {
        let outcome = self.make(options, source, file).expect(0);
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// Fails to make it, and leaves nothing; gives the line that says why.
    #[track_caller]
    pub fn refused(&self, options: &[&str], source: &str, file: &str) -> String {
        let options = [&["--quiet"], options].concat();
        let outcome: Outcome = self.make(&options, source, file).expect(1);
        let left = |directory: &Path| {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
        };
        let beside = left(&self.home);
        let name = file.trim_end_matches(".erofs");
        assert!(
            !beside
                .iter()
                .any(|entry| entry.to_string_lossy().contains(name)),
            "{beside:?}"
        );
        for directory in ["cache/expand", "cache/blobs/incoming"] {
            let left = left(&self.home.join(directory));
            assert!(left.is_empty(), "{directory}: {left:?}");
        }
        outcome.one_line().to_owned()
    }

    /// A file in the user's directory, which the user may read.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.bench.path(name);
        fs::write(&path, content).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        path.display().to_string()
    }

    /// alice's name and password, for a registry.
    pub fn authfile(&self, address: &str, auth: &str) -> String {
        let content = json!({ "auths": { address: { "auth": auth } } });
        self.file("auth.json", &content.to_string())
    }

    /// What an image file holds: kind, mode and content or target of each entry, in order.
    pub fn held(&self, file: &str) -> Vec<String> {
        let out = self.bench.path("out");
        let _ = fs::remove_dir_all(&out);
        let image = self.home.join(file);
        let tool = match file.ends_with("squashfs") {
            true => Tool::new("unsquashfs")
                .args(["-no-progress", "-d"])
                .arg(&out),
            false => Tool::new("fsck.erofs").arg(format!("--extract={}", out.display())),
        };
        tool.arg(image).expect(0);
        let mut told = vec![];
        tell(&out, "", &mut told);
        told.sort();
        told
    }

    pub fn digest(&self, file: &str) -> String {
        verity_digest(self.home.join(file))
    }
}

fn tell(directory: &Path, above: &str, told: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let found = entry.path().symlink_metadata().expect("metadata");
        let mode = found.permissions().mode() & 0o7777;
        if found.is_dir() {
            told.push(format!("{name}/ {mode:o}"));
            tell(&entry.path(), &format!("{name}/"), told);
        } else if found.is_symlink() {
            let target = fs::read_link(entry.path()).expect("a link");
            told.push(format!("{name} -> {}", target.display()));
        } else {
            let content = fs::read(entry.path()).expect("a file");
            told.push(format!(
                "{name} {mode:o} {}",
                String::from_utf8_lossy(&content)
            ));
        }
    }
}
