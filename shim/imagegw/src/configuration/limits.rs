//! What users may take of the gateway.

use std::time::Duration;

use super::section::Section;

const MEGABYTE: u64 = 1 << 20;

/// What users may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests of one user in a minute.
    pub requests_per_minute: u64,
    /// Pulls and imports of one user that aren't finished.
    pub pulls_per_user: usize,
    /// Likewise of all users.
    pub queued: usize,
    /// What one image may hold, unpacked; bytes.
    pub image_size: u64,
    /// What one imported file may hold; bytes.
    pub import_size: u64,
    /// What all images of one user's may hold on one system; bytes.
    pub stored_per_user: Option<u64>,
    /// Free space below which nothing new is begun; bytes.
    pub free: u64,
    /// What is kept of registries' blobs and of layers for later pulls; bytes.
    pub cached: u64,
    /// Connections at once.
    pub connections: usize,
    /// Likewise from one address.
    pub connections_per_address: usize,
    /// How long a client may be idle.
    pub idle: Duration,
    /// How long one pull may take.
    pub pull_time: Duration,
}

impl Limits {
    pub(super) fn read(section: Option<Section>) -> Self {
        let Some(mut section) = section else {
            return Self::default();
        };
        let read = Self::of(&mut section);
        section.finish();
        read
    }

    fn of(section: &mut Section) -> Self {
        const MOST: u64 = 1 << 40;
        let mut number = |key, default, most| section.number(key, default, 1..=most);
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            requests_per_minute: number("RequestsPerMinute", 6000, MOST),
            pulls_per_user: count(number("PullsPerUser", 20, MOST)),
            queued: count(number("Queued", 1000, MOST)),
            image_size: number("ImageMegabytes", 64 << 10, MOST) * MEGABYTE,
            cached: number("CacheMegabytes", 64 << 10, MOST) * MEGABYTE,
            import_size: number("ImportMegabytes", 16 << 10, MOST) * MEGABYTE,
            connections: count(number("Connections", 512, MOST)),
            connections_per_address: count(number("ConnectionsPerAddress", 128, MOST)),
            idle: Duration::from_secs(number("IdleSeconds", 30, 86_400)),
            pull_time: Duration::from_secs(number("PullMinutes", 240, 100_000) * 60),
            free: section.number("FreeMegabytes", 1024, 0..=MOST) * MEGABYTE,
            stored_per_user: match section.number("StoredMegabytesPerUser", 0, 0..=MOST) {
                0 => None,
                megabytes => Some(megabytes * MEGABYTE),
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let notes = std::rc::Rc::default();
        Self::of(&mut Section::top(serde_json::Map::new(), notes))
    }
}
