//! Limits as data: what they are called, in which unit they are, and which of two counts.
//!
//! The names of the first three are PIFOP's (its user groups have them); the others are what judges of
//! programming contests limit.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One MB of `max-memory`, in bytes. PIFOP doesn't say which one it means; the kernel's is this.
const MB: u64 = 1 << 20;

const MINUTE: u64 = 60;
const YEAR: u64 = 366 * 24 * 60 * MINUTE;
/// More memory than any host has, in bytes; a value above was meant in another unit.
const MOST_MEMORY: u64 = 1 << 46;
/// Likewise more disk.
const MOST_BYTES: u64 = 1 << 50;

/// Limits on one execution; `None` where nothing is said. The table [`LIMITS`] has what each means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "BTreeMap<String, u64>")]
pub struct Limits {
    /// Memory, in MB of 2^20 bytes: [`Self::memory_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<u64>,
    /// Time on the clock, in minutes: [`Self::wall_time`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<u64>,
    /// Executions at the same time, of whoever the limits are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel_processes: Option<u64>,
    /// Processor time of all processes together, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cpu_time: Option<u64>,
    /// Time on the clock, in seconds: [`Self::wall_time`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wall_time: Option<u64>,
    /// Seconds from asking a command to end to killing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<u64>,
    /// Processes and threads inside one sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_processes: Option<u64>,
    /// Bytes on standard output and standard error together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// Bytes of the largest file that it may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_file_size: Option<u64>,
    /// Open files of one process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_open_files: Option<u64>,
    /// Bytes in the temporary directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch_size: Option<u64>,
}

/// What there is to know about one limit: the configuration's parser, its schema, the documentation and the
/// command line all read it here.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Its name, in `config.json` and, after `--`, on the command line.
    pub name: &'static str,
    /// Its unit, in the plural.
    pub unit: &'static str,
    /// The smallest value that makes sense.
    pub least: u64,
    /// The largest one.
    pub most: u64,
    /// What it limits.
    pub meaning: &'static str,
    get: fn(&Limits) -> Option<u64>,
    slot: fn(&mut Limits) -> &mut Option<u64>,
}

macro_rules! limit {
    ($field:ident, $name:literal, $unit:literal, $least:expr, $most:expr, $meaning:literal) => {
        Limit {
            name: $name,
            unit: $unit,
            least: $least,
            most: $most,
            meaning: $meaning,
            get: |limits| limits.$field,
            slot: |limits| &mut limits.$field,
        }
    };
}

/// Every limit, in the order in which they are documented.
#[rustfmt::skip]
pub static LIMITS: [Limit; 11] = [
    limit!(max_memory, "max-memory", "MB", 1, MOST_MEMORY / MB,
        "memory of all its processes together, swap included; 1 MB is 1048576 bytes"),
    limit!(max_time, "max-time", "minutes", 1, YEAR / MINUTE, "time on the clock"),
    limit!(max_parallel_processes, "max-parallel-processes", "executions", 1, 100_000,
        "executions of the server at the same time: at the top of all commands, on a command of that one, in a user group of each of its users"),
    limit!(max_cpu_time, "max-cpu-time", "seconds", 1, YEAR, "processor time of all its processes together"),
    limit!(max_wall_time, "max-wall-time", "seconds", 1, YEAR,
        "time on the clock, finer than max-time; of both, the shorter counts"),
    limit!(grace, "grace", "seconds", 0, 3600,
        "from asking a command whose time is over to end (SIGTERM) to killing it"),
    limit!(max_processes, "max-processes", "processes", 1, 4_194_304, "processes and threads inside"),
    limit!(max_output, "max-output", "bytes", 1, MOST_BYTES, "standard output and standard error together"),
    limit!(max_file_size, "max-file-size", "bytes", 1, MOST_BYTES, "the largest file that it can write"),
    limit!(max_open_files, "max-open-files", "files", 8, 1_048_576, "open files of each of its processes"),
    limit!(scratch_size, "scratch-size", "bytes", 4096, MOST_BYTES, "what fits into its temporary directory"),
];

/// The grace of a command that has none in its limits.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(2);

/// A value that a limit can't have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {wanted}, not {found}")]
pub struct LimitError {
    /// The limit.
    pub name: &'static str,
    /// What it may be.
    pub wanted: String,
    /// What was given.
    pub found: String,
}

impl Limit {
    /// The limit of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        LIMITS.iter().find(|limit| limit.name == name)
    }

    /// Its value in `limits`.
    pub fn of(&self, limits: &Limits) -> Option<u64> {
        (self.get)(limits)
    }

    /// Sets it in `limits`.
    ///
    /// # Errors
    /// [`LimitError`] where `value` is too small or too large to be meant.
    pub fn set(&'static self, limits: &mut Limits, value: u64) -> Result<(), LimitError> {
        if !(self.least..=self.most).contains(&value) {
            return Err(LimitError {
                name: self.name,
                wanted: self.wanted(),
                found: value.to_string(),
            });
        }
        *(self.slot)(limits) = Some(value);
        Ok(())
    }

    /// Reads `text`, as a command line or a query has it, and sets it in `limits`.
    ///
    /// # Errors
    /// [`LimitError`] where it is no whole number, or too small or too large to be meant.
    pub fn parse(&'static self, limits: &mut Limits, text: &str) -> Result<(), LimitError> {
        let value = text.parse().map_err(|_| LimitError {
            name: self.name,
            wanted: self.wanted(),
            found: format!("{text:?}"),
        })?;
        self.set(limits, value)
    }

    /// What it may be, for "must be …".
    pub fn wanted(&self) -> String {
        let Self {
            unit, least, most, ..
        } = self;
        format!("a whole number of {unit} from {least} to {most}")
    }
}

/// By their names.
impl TryFrom<BTreeMap<String, u64>> for Limits {
    type Error = String;

    fn try_from(named: BTreeMap<String, u64>) -> Result<Self, String> {
        let mut limits = Self::default();
        for (name, value) in named {
            let limit = Limit::named(&name).ok_or_else(|| format!("there is no limit {name}"))?;
            let set = limit.set(&mut limits, value);
            set.map_err(|error| error.to_string())?;
        }
        Ok(limits)
    }
}

impl Limits {
    /// What holds where both do: of each limit, the smaller value.
    #[must_use]
    pub fn narrowed(mut self, other: &Self) -> Self {
        for limit in &LIMITS {
            let both = [limit.of(&self), limit.of(other)];
            *(limit.slot)(&mut self) = both.into_iter().flatten().min();
        }
        self
    }

    /// The limits that are set.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Limit, u64)> + '_ {
        LIMITS
            .iter()
            .filter_map(|limit| Some((limit, limit.of(self)?)))
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// `max-memory` in bytes.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.max_memory
            .map(|megabytes| megabytes.saturating_mul(MB))
    }

    /// The shorter of `max-time` and `max-wall-time`.
    pub fn wall_time(&self) -> Option<Duration> {
        let minutes = self.max_time.map(|minutes| minutes.saturating_mul(MINUTE));
        let seconds = [minutes, self.max_wall_time].into_iter().flatten().min();
        seconds.map(Duration::from_secs)
    }

    /// `max-cpu-time`.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.max_cpu_time.map(Duration::from_secs)
    }

    /// `grace`, or [`DEFAULT_GRACE`].
    pub fn grace(&self) -> Duration {
        self.grace.map_or(DEFAULT_GRACE, Duration::from_secs)
    }
}

/// As `max-memory 512 MB, max-time 2 minutes`, or `none`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (place, (limit, value)) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} {value} {}", limit.name, limit.unit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn limits(pairs: &[(&str, u64)]) -> Limits {
        let mut limits = Limits::default();
        for (name, value) in pairs {
            Limit::named(name)
                .unwrap()
                .set(&mut limits, *value)
                .unwrap();
        }
        limits
    }

    #[test]
    fn every_limit_has_a_field_and_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        for limit in &LIMITS {
            assert!(names.insert(limit.name));
            let only = limits(&[(limit.name, limit.most)]);
            assert_eq!(limit.of(&only), Some(limit.most));
            let set: Vec<&str> = only.iter().map(|(limit, _)| limit.name).collect();
            assert_eq!(set, [limit.name]);
            let json = serde_json::to_value(only).unwrap();
            assert_eq!(json, serde_json::json!({ limit.name: limit.most }));
            assert_eq!(serde_json::from_value::<Limits>(json).unwrap(), only);
        }
    }

    #[test]
    fn the_smaller_of_two_counts_whichever_comes_first() {
        let one = limits(&[("max-memory", 512), ("max-time", 3), ("grace", 0)]);
        let other = limits(&[("max-memory", 256), ("max-output", 10), ("grace", 5)]);
        let both = limits(&[
            ("max-memory", 256),
            ("max-time", 3),
            ("max-output", 10),
            ("grace", 0),
        ]);
        assert_eq!(one.narrowed(&other), both);
        assert_eq!(other.narrowed(&one), both);
        assert_eq!(one.narrowed(&Limits::default()), one);
    }

    #[test]
    fn values_that_nobody_means_are_refused() {
        for limit in &LIMITS {
            let mut limits = Limits::default();
            let most = (limit.most + 1).to_string();
            for text in [
                "",
                "-1",
                "1.5",
                "1e3",
                "0x10",
                "ten",
                " 1",
                "99999999999999999999",
                &most,
            ] {
                let error = limit.parse(&mut limits, text).unwrap_err().to_string();
                assert!(
                    error.starts_with(limit.name) && error.contains(limit.unit),
                    "{error}"
                );
            }
            if let Some(less) = limit.least.checked_sub(1) {
                assert!(limit.set(&mut limits, less).is_err(), "{}", limit.name);
            }
            assert!(limits.is_empty());
            let told = serde_json::json!({ limit.name: limit.most + 1 });
            let error = serde_json::from_value::<Limits>(told).unwrap_err();
            assert!(error.to_string().starts_with(limit.name), "{error}");
            limit.parse(&mut limits, &limit.least.to_string()).unwrap();
            assert_eq!(limit.of(&limits), Some(limit.least));
        }
    }

    #[test]
    fn a_limit_that_there_is_not_is_refused() {
        let error = serde_json::from_str::<Limits>(r#"{"max-memroy":1}"#).unwrap_err();
        assert!(error.to_string().contains("max-memroy"), "{error}");
    }

    #[test]
    fn minutes_and_seconds_are_one_limit() {
        let seconds = |pairs: &[(&str, u64)]| limits(pairs).wall_time().map(|time| time.as_secs());
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[("max-time", 2)]), Some(120));
        assert_eq!(seconds(&[("max-time", 2), ("max-wall-time", 90)]), Some(90));
        assert_eq!(seconds(&[("max-time", 1), ("max-wall-time", 90)]), Some(60));
        assert_eq!(limits(&[("max-memory", 3)]).memory_bytes(), Some(3 << 20));
        assert_eq!(limits(&[("grace", 0)]).grace(), Duration::ZERO);
        assert_eq!(limits(&[]).grace(), DEFAULT_GRACE);
    }

    #[test]
    fn they_are_told_with_their_units() {
        assert_eq!(Limits::default().to_string(), "none");
        let some = limits(&[("max-time", 2), ("max-memory", 512)]);
        assert_eq!(some.to_string(), "max-memory 512 MB, max-time 2 minutes");
    }
}
