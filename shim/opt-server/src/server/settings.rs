//! `server.json`, beside `config.json`: how the server itself behaves. Every key has a default.

use std::num::NonZeroU64;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use daemon::{FileError, read_json};
use serde::{Deserialize, Serialize};

use super::functions::Name;

/// The name of the file.
pub const FILE_NAME: &str = "server.json";

/// Uid and gid of project files where `service-uid` says nothing: below the ids of sandboxes, and nobody's.
const SERVICE_ID: u32 = 0x6fff_ffff;

/// The server's own settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// The name in the place of `$author` in the Functions API's paths.
    pub author: Name,
    /// Address and port.
    pub listen: String,
    /// Executions at once.
    pub max_running: usize,
    /// Sandboxes that are kept ready, of all commands together: see `pool` in `config.json`.
    pub max_ready: usize,
    /// Executions that wait for their turn, of all keys.
    pub max_queued: usize,
    /// Likewise of one key.
    pub max_queued_per_key: usize,
    /// Executions of one key that the server keeps, ended ones included.
    pub max_kept_per_key: usize,
    /// How long an ended execution is kept, in minutes.
    pub keep_ended_minutes: u64,
    /// How long one is kept that was created and isn't started, in minutes.
    pub keep_created_minutes: u64,
    /// The most that one execution's inputs may hold together, in megabytes (2^20 bytes).
    pub max_upload_mb: u64,
    /// The most files in a project archive.
    pub max_archive_files: usize,
    /// How long one request's body may take, in seconds.
    pub body_seconds: u64,
    /// How long a client may send nothing, or read nothing of what it asked for, in seconds.
    pub idle_seconds: u64,
    /// Connections at once.
    pub max_connections: usize,
    /// Likewise from one address.
    pub max_connections_per_address: usize,
    /// Between the request to end and the end by force, in seconds.
    pub grace_seconds: u64,
    /// Every execution's limit of memory, in megabytes; a key's own can only be lower.
    pub max_memory_mb: Option<NonZeroU64>,
    /// Every execution's limit of time, in minutes; a key's own can only be lower.
    pub max_time_minutes: Option<NonZeroU64>,
    /// Every execution's limit of output, in megabytes.
    pub max_output_mb: NonZeroU64,
    /// Free space of the state directory's file system below which nothing new is taken, in megabytes.
    pub min_free_mb: u64,
    /// Uid and gid that project files belong to.
    pub service_uid: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            author: Name::known("local"),
            listen: "localhost:3445".to_owned(),
            max_running: available_parallelism().map_or(1, Into::into),
            max_ready: 16,
            max_queued: 1000,
            max_queued_per_key: 100,
            max_kept_per_key: 1000,
            keep_ended_minutes: 24 * 60,
            keep_created_minutes: 60,
            max_upload_mb: 256,
            max_archive_files: 10_000,
            body_seconds: 600,
            idle_seconds: 30,
            max_connections: 512,
            max_connections_per_address: 128,
            grace_seconds: 10,
            max_memory_mb: None,
            max_time_minutes: None,
            max_output_mb: NonZeroU64::new(64).unwrap_or(NonZeroU64::MIN),
            min_free_mb: 64,
            service_uid: SERVICE_ID,
        }
    }
}

impl Settings {
    /// Reads `server.json` beside `config`; the defaults where there is none.
    ///
    /// # Errors
    /// Where it can't be read, or says what isn't known.
    pub fn beside(config: &Path) -> Result<Self, FileError> {
        let path = config.with_file_name(FILE_NAME);
        if !path.exists() {
            return Ok(Self::default());
        }
        read_json(&path)
    }

    /// The most that one execution's inputs may hold, in bytes.
    pub fn max_upload(&self) -> u64 {
        self.max_upload_mb.saturating_mul(1 << 20)
    }

    /// How long a client may be idle.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds.max(1))
    }

    /// How long a body may take.
    pub fn body(&self) -> Duration {
        Duration::from_secs(self.body_seconds.max(1))
    }

    /// Between the request to end and the end by force.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE_NAME), text).unwrap();
        Settings::beside(&directory.path().join("config.json")).map_err(|error| {
            let shown = error.to_string();
            let (_, fault) = shown.split_once(FILE_NAME).expect("the file's name");
            fault.to_owned()
        })
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let settings = read("{\n \"author\": \"joe\", \"max-running\": 3 }").unwrap();
        assert_eq!(settings.author.as_str(), "joe");
        assert_eq!(settings.max_running, 3);
        assert_eq!(settings.max_upload(), 256 << 20);
        let missing = Path::new("/nowhere/config.json");
        assert_eq!(Settings::beside(missing).unwrap().listen, "localhost:3445");
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_line() {
        for (text, fault) in [
            ("{\n\"autor\": \"joe\"}", ":2: unknown field `autor`"),
            ("{\"max-running\": \"many\"}", ":1: invalid type: string"),
            ("{\n\n\"author\": \"a/b\"}", ":3: must be made of"),
            ("{\"max-memory-mb\": 0}", ":1: invalid value: integer `0`"),
            ("", ":1: EOF"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.starts_with(fault), "{text}: {found}");
        }
    }
}
