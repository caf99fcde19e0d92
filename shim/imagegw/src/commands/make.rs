//! `make`: an image file of a registry's image, a layout or an archive, without a server.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::{SigSet, Signal};
use runtime::telling;
use serde_json::{Value, json};

use crate::pull::{
    Credentials, Format, Platform, Progress, PullRequest, Puller, Registry, Secret, Settings,
    Source, Step,
};
use crate::signature::Policy;

/// Arguments of `make`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to make; without it the file's ending says
    #[arg(long, value_name = "erofs|squashfs", value_parser = format_of)]
    format: Option<Format>,
    /// The machines that it is for, where there are several; else this one
    #[arg(long, value_name = "linux/ARCHITECTURE[/VARIANT]", value_parser = platform_of)]
    platform: Option<Platform>,
    /// Names and passwords for registries, as `podman login` and `docker login` write them
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Whose signatures images need: a containers-policy.json(5)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Certificates that the registry is believed by, PEM; else the system's
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// Ask the registry in plain text
    #[arg(long)]
    plain_http: bool,
    /// A registry that has the same and is asked first
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    /// Where blobs are kept for the next time, and images unpacked; else ~/.cache/shifter-imagegw
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
    /// Tell nothing but errors
    #[arg(long)]
    quiet: bool,
    /// docker://HOST/REPOSITORY:TAG (or @DIGEST), oci:DIRECTORY[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:TAG]
    source: String,
    /// The file that is made, NAME.erofs or NAME.squashfs
    file: PathBuf,
}

/// Makes it, and prints what it is as JSON.
pub fn execute(arguments: Arguments) -> Result<ExitCode> {
    let source = Source::parse(&arguments.source)?;
    let ending = arguments
        .file
        .extension()
        .and_then(|ending| ending.to_str());
    let Some(format) = arguments.format.or_else(|| format_of(ending?).ok()) else {
        let shown = arguments.file.display();
        bail!("{shown}: its ending says no format; hint: --format erofs");
    };
    let cache = arguments.cache.unwrap_or_else(default_cache);
    let mut settings = Settings::new(cache.join("blobs"), cache.join("expand"));
    let mut credentials = Credentials::Anonymous;
    if let Source::Registry(reference) = &source {
        let host = reference.registry();
        if arguments.plain_http || arguments.authorities.is_some() || !arguments.mirror.is_empty() {
            let scheme = if arguments.plain_http {
                "http"
            } else {
                "https"
            };
            let registry = Registry {
                url: format!("{scheme}://{host}"),
                authorities: arguments.authorities.clone(),
                mirrors: arguments.mirror.clone(),
            };
            settings.registries.insert(host.to_owned(), registry);
        }
        if let Some(path) = &arguments.authfile {
            credentials = credentials_of(path, host)?;
        }
    }
    settings.policy = arguments.policy.as_deref().map(Policy::read).transpose()?;
    let stays_at = std::path::absolute(&arguments.file).ok();
    let request = PullRequest {
        source,
        platform: arguments.platform.unwrap_or_else(Platform::here),
        credentials,
        format,
        destination: arguments.file,
        stays_at,
    };
    let progress = Told::new(arguments.quiet)?;
    let made = Puller::new(settings)?.pull(&request, &progress)?;
    let told = json!({
        "file": made.file,
        "format": made.format,
        "fs-verity": made.digest,
        "size": made.size,
        "manifest": made.found.manifest_digest,
        "private": made.found.is_private,
        "signed-by": made.signed_by,
        "left-out": made.left_out,
        "layers": made.layers,
        "config": made.config,
    });
    telling::print(&format!("{told:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn default_cache() -> PathBuf {
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.filter(|base| base.is_absolute()).or_else(home);
    base.unwrap_or_else(std::env::temp_dir)
        .join("shifter-imagegw")
}

fn format_of(name: &str) -> Result<Format, String> {
    [Format::Erofs, Format::Squashfs]
        .into_iter()
        .find(|format| format.name() == name)
        .ok_or_else(|| "erofs or squashfs".to_owned())
}

fn platform_of(text: &str) -> Result<Platform, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (os, architecture, variant) = match parts[..] {
        [os, architecture] => (os, architecture, None),
        [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
        _ => return Err("OS/ARCHITECTURE, as linux/arm64".to_owned()),
    };
    Ok(Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant,
    })
}

/// Those for a host, of a file `{"auths": {HOST: {"auth": BASE64 of USER:PASSWORD}}}`.
fn credentials_of(path: &Path, host: &str) -> Result<Credentials> {
    let shown = path.display();
    let content = std::fs::read(path).with_context(|| format!("read {shown}"))?;
    let all: Value = serde_json::from_slice(&content).with_context(|| shown.to_string())?;
    let Some(entry) = all["auths"][host]["auth"].as_str() else {
        return Ok(Credentials::Anonymous);
    };
    let decoded = BASE64_STANDARD.decode(entry).ok();
    let decoded = decoded.and_then(|text| String::from_utf8(text).ok());
    let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
    let (user, password) =
        pair.with_context(|| format!("{shown}: the \"auth\" of {host} is none"))?;
    Ok(Credentials::Password {
        user: user.to_owned(),
        password: Secret::new(password),
    })
}

/// Progress for who looks on, until a signal comes.
#[derive(Debug)]
struct Told {
    is_quiet: bool,
    is_terminal: bool,
    is_stopped: Arc<AtomicBool>,
}

impl Told {
    fn new(is_quiet: bool) -> Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        // Before any other thread: all of them inherit it.
        signals.thread_block()?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopped);
        thread::spawn(move || {
            if signals.wait().is_ok() {
                stop.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self {
            is_quiet,
            is_terminal: stderr().is_terminal(),
            is_stopped,
        })
    }
}

impl Progress for Told {
    fn step(&self, step: Step) {
        if !self.is_quiet {
            let name = match step {
                Step::Pulling => "pull",
                Step::Examination => "unpack",
                Step::Conversion => "write",
            };
            telling::say(&format!("shifter-imagegw: {name}\n"));
        }
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        if self.is_quiet || !self.is_terminal {
            return;
        }
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let total = total.map(|total| format!(" of {:.1}", megabytes(total)));
        let total = total.unwrap_or_default();
        telling::say(&format!("\r{:.1}{total} MB\x1b[K\r", megabytes(done)));
    }

    fn should_stop(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}
