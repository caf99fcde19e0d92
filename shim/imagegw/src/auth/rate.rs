//! How often one user may ask.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// So many users at once are remembered.
const MOST: usize = 10_000;

/// What every user has left of a minute's requests.
#[derive(Debug)]
pub struct Rates {
    per_minute: f64,
    left: Mutex<HashMap<u32, (Instant, f64)>>,
}

impl Rates {
    /// So many a minute.
    #[allow(
        clippy::cast_precision_loss,
        reason = "nobody asks 2^53 times a minute"
    )]
    pub fn new(per_minute: u64) -> Self {
        Self {
            per_minute: per_minute as f64,
            left: Mutex::default(),
        }
    }

    /// Whether `uid` may ask once more now.
    pub fn allow(&self, uid: u32) -> bool {
        self.allow_at(uid, Instant::now())
    }

    fn allow_at(&self, uid: u32, now: Instant) -> bool {
        let mut all = self
            .left
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if all.len() >= MOST {
            // Whoever has his minute whole needn't be remembered.
            all.retain(|_, (since, _)| now.duration_since(*since).as_secs() < 60);
        }
        let (since, left) = all.entry(uid).or_insert((now, self.per_minute));
        let grown = now.duration_since(*since).as_secs_f64() * self.per_minute / 60.0;
        *left = (*left + grown).min(self.per_minute);
        *since = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_minute_has_so_many_requests_for_each() {
        let rates = Rates::new(60);
        let start = Instant::now();
        assert!((0..60).all(|_| rates.allow_at(1, start)));
        assert!(!rates.allow_at(1, start));
        assert!(rates.allow_at(2, start), "another user");
        let later = start + Duration::from_secs(2);
        assert!(rates.allow_at(1, later) && rates.allow_at(1, later));
        assert!(!rates.allow_at(1, later));
    }
}
