//! The file's own keys.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::section::{Notes, Section};
use super::{
    Authentication, Configuration, ConfigurationError, Importers, Limits, Location, Platform, Tls,
    converter,
};
use crate::pull::Format;

/// Where everything lies if nobody says otherwise.
const STATE: &str = "/var/lib/shifter-imagegw";

pub(super) fn read(
    object: Map<String, Value>,
    path: &Path,
) -> Result<Configuration, ConfigurationError> {
    let notes = Rc::new(RefCell::new(Notes::default()));
    let mut top = Section::top(object, Rc::clone(&notes));
    let mut configuration = keys(&mut top, path);
    top.finish();
    let notes = notes.take();
    if !notes.faults.is_empty() {
        return Err(ConfigurationError::Faults {
            path: path.to_path_buf(),
            faults: notes.faults,
        });
    }
    configuration.warnings = notes.warnings;
    Ok(configuration)
}

fn keys(top: &mut Section, path: &Path) -> Configuration {
    for key in ["MongoDBURI", "MongoDB"] {
        top.dead(key, "the gateway has its own database, in StateDirectory");
    }
    for key in ["DefaultLustreReplication", "DefaultOstCount"] {
        top.dead(key, "Shifter reads and forgets it too");
    }
    top.dead("PullUpdateTime", "PullUpdateTimeout counts by itself");
    let state = top.path("StateDirectory").unwrap_or_else(|| STATE.into());
    let cache = top.path("CacheDirectory");
    let expand = top.path("ExpandDirectory");
    let listen = top.text("Listen").unwrap_or("localhost:8000".to_owned());
    let tls = tls(top, &listen);
    Configuration {
        path: path.to_path_buf(),
        tls,
        listen,
        cache: cache.unwrap_or_else(|| state.join("cache")),
        expand: expand.unwrap_or_else(|| state.join("expand")),
        state,
        authentication: authentication(top),
        workers: usize::try_from(top.number("WorkerThreads", 1, 1..=256)).unwrap_or(1),
        log_level: log_level(top),
        format: match top.word("DefaultImageFormat", &["erofs", "squashfs"]) {
            Some("squashfs") => Format::Squashfs,
            _ => Format::Erofs,
        },
        written: converter::read(top),
        pull_update: Duration::from_secs(top.number("PullUpdateTimeout", 300, 1..=31_536_000)),
        expiration: expiration(top),
        metrics: top.switch("Metrics", false),
        importers: importers(top),
        examiner: top.path("examiner"),
        signature_policy: top.path("SignaturePolicy"),
        platforms: platforms(top),
        default_location: String::new(),
        locations: locations(top),
        limits: Limits::read(top.section("Limits")),
        warnings: vec![],
    }
    .with_default_location(top)
}

impl Configuration {
    fn with_default_location(mut self, top: &mut Section) -> Self {
        const KEY: &str = "DefaultImageLocation";
        match top.text(KEY) {
            Some(name) if self.locations.contains_key(&name) => self.default_location = name,
            Some(name) => top.fault(KEY, format!("{name:?} is none of the Locations")),
            None => top.fault(KEY, "is missing: the name of one of the Locations"),
        }
        self
    }
}

fn tls(top: &mut Section, listen: &str) -> Tls {
    let is_loopback = ["localhost:", "127.", "[::1]"]
        .iter()
        .any(|own| listen.starts_with(own));
    match top.any("TLS") {
        None => Tls::Own,
        Some(Value::String(word)) if word == "off" => {
            if !is_loopback {
                top.warn(
                    "TLS",
                    "is off: what users may and what images hold, is on the network in plain text",
                );
            }
            Tls::Off
        }
        Some(Value::Object(object)) => {
            let path = |key| object.get(key).and_then(Value::as_str).map(PathBuf::from);
            match (path("certificate"), path("key"), object.len()) {
                (Some(chain), Some(key), 2) => Tls::Files { chain, key },
                _ => {
                    top.fault("TLS", "has two keys, \"certificate\" and \"key\": paths");
                    Tls::Own
                }
            }
        }
        Some(_) => {
            top.fault(
                "TLS",
                "must be \"off\", or {\"certificate\": PATH, \"key\": PATH}",
            );
            Tls::Own
        }
    }
}

fn authentication(top: &mut Section) -> Authentication {
    let bound_only = top.switch("RequireBoundCredentials", false);
    let mut words = vec![];
    match top.any("Authentication") {
        None => words.push("munge".to_owned()),
        Some(Value::String(word)) => words.push(word),
        Some(Value::Array(items)) => {
            words.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        Some(_) => {}
    }
    let is_known = |word: &String| ["munge", "tokens"].contains(&word.as_str());
    if words.is_empty() || !words.iter().all(is_known) {
        top.fault(
            "Authentication",
            "must be \"munge\", \"tokens\" or a list of both; Shifter's \"mock\" proves nothing",
        );
    }
    Authentication {
        munge: words.iter().any(|word| word == "munge"),
        tokens: words.iter().any(|word| word == "tokens"),
        bound_only,
    }
}

fn log_level(top: &mut Section) -> tracing::Level {
    // Python's names, in any case, as Shifter takes them.
    const KEY: &str = "LogLevel";
    let text = top.text(KEY).unwrap_or("info".to_owned());
    match text.to_lowercase().as_str() {
        "debug" => tracing::Level::DEBUG,
        "info" => tracing::Level::INFO,
        "warn" | "warning" => tracing::Level::WARN,
        "error" | "critical" => tracing::Level::ERROR,
        _ => {
            let levels = "debug, info, warn, warning, error, critical";
            top.fault(KEY, format!("{text:?} is none of {levels}"));
            tracing::Level::INFO
        }
    }
}

/// `DD:HH:MM:SS`.
fn expiration(top: &mut Section) -> Option<Duration> {
    const KEY: &str = "ImageExpirationTimeout";
    let text = top.text(KEY)?;
    let parts: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some([days, hours, minutes, seconds]) if *days < 100_000 => Some(Duration::from_secs(
            ((days * 24 + hours.min(&1000)) * 60 + minutes.min(&1000)) * 60 + seconds.min(&100_000),
        )),
        _ => {
            top.fault(KEY, format!("{text:?} isn't DAYS:HOURS:MINUTES:SECONDS"));
            None
        }
    }
}

fn importers(top: &mut Section) -> Importers {
    match top.any("ImportUsers") {
        None => Importers::Nobody,
        Some(Value::String(word)) if word == "none" => Importers::Nobody,
        Some(Value::String(word)) if word == "all" => Importers::Everybody,
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => Importers::Users(
            items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        ),
        Some(_) => {
            top.fault(
                "ImportUsers",
                "must be a list of names, \"all\" or \"none\"; Shifter finds a user within any other text",
            );
            Importers::Nobody
        }
    }
}

fn platforms(top: &mut Section) -> BTreeMap<String, Platform> {
    let mut platforms = BTreeMap::new();
    for (name, section) in top.sections("Platforms") {
        if let Some(platform) = Platform::read(&name, section) {
            platforms.insert(name, platform);
        } else {
            // Its faults are noted; that there is none besides would be one too many.
            return platforms;
        }
    }
    if platforms.is_empty() {
        top.fault("Platforms", "is missing: the systems that images are for");
    }
    platforms
}

fn locations(top: &mut Section) -> BTreeMap<String, Location> {
    let mut locations = BTreeMap::new();
    for (name, section) in top.sections("Locations") {
        if let Some(location) = Location::read(&name, section) {
            locations.insert(name, location);
        }
    }
    locations
}
