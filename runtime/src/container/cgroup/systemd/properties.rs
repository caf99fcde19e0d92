//! A container's limits as its unit's properties.
//!
//! The files are written by us as well: systemd has no words for some of them. But what it has words for, it
//! writes again whenever it reloads, so it must know what they are to be.

use oci_spec::runtime::LinuxResources;

use super::super::super::{Error, Result};
use super::super::devices::{Devices, Rule, letters};
use super::super::limits::{IfAbsent, Setting};
use super::message::Value;

/// The properties of a fresh scope with the process `pid` in it.
pub(super) fn of_scope(
    description: String,
    slice: &str,
    pid: i32,
    is_unified: bool,
) -> Vec<(String, Value)> {
    let mut all = vec![
        property("Description", Value::Text(description)),
        property("Slice", Value::Text(slice.to_owned())),
        property("PIDs", Value::Numbers(vec![pid.cast_unsigned()])),
        // What is below is ours.
        property("Delegate", Value::Bool(true)),
        property("DefaultDependencies", Value::Bool(false)),
    ];
    let io = if is_unified {
        "IOAccounting"
    } else {
        "BlockIOAccounting"
    };
    let counted = ["MemoryAccounting", "CPUAccounting", "TasksAccounting", io];
    all.extend(counted.map(|name| property(name, Value::Bool(true))));
    all
}

/// Those that say the same as `settings`.
pub(super) fn of_limits(settings: &[Setting]) -> Vec<(String, Value)> {
    let mut all = vec![];
    for setting in settings {
        all.extend(of_setting(&setting.file, &setting.value));
        if let IfAbsent::Use(file, value) = &setting.if_absent {
            all.extend(of_setting(file, value));
        }
    }
    all.extend(quota_of_v1(settings));
    all
}

fn of_setting(file: &str, value: &str) -> Vec<(String, Value)> {
    let number = |name| vec![property(name, Value::Uint64(number(value)))];
    match file {
        "memory.max" => number("MemoryMax"),
        "memory.low" => number("MemoryLow"),
        "memory.high" => number("MemoryHigh"),
        "memory.min" => number("MemoryMin"),
        "memory.swap.max" => number("MemorySwapMax"),
        "memory.limit_in_bytes" => number("MemoryLimit"),
        "pids.max" => number("TasksMax"),
        "cpu.weight" => number("CPUWeight"),
        "cpu.shares" => number("CPUShares"),
        "io.weight" => number("IOWeight"),
        "blkio.weight" => number("BlockIOWeight"),
        "cpu.max" => {
            let (quota, period) = value.split_once(' ').unwrap_or((value, "100000"));
            quota_properties(quota.parse().ok(), period.parse().unwrap_or(100_000))
        }
        "cpuset.cpus" => vec![property("AllowedCPUs", Value::Bytes(bits(value)))],
        "cpuset.mems" => vec![property("AllowedMemoryNodes", Value::Bytes(bits(value)))],
        _ => vec![],
    }
}

/// Version 1 has it in two files.
fn quota_of_v1(settings: &[Setting]) -> Vec<(String, Value)> {
    let value = |file: &str| {
        let setting = settings.iter().find(|setting| setting.file == file);
        setting.and_then(|setting| setting.value.parse::<i64>().ok())
    };
    let (quota, period) = (value("cpu.cfs_quota_us"), value("cpu.cfs_period_us"));
    if quota.is_none() && period.is_none() {
        return vec![];
    }
    let positive = |value: i64| u64::try_from(value).ok();
    quota_properties(
        quota.and_then(positive),
        period.and_then(positive).unwrap_or(100_000),
    )
}

/// systemd counts whole percents: rounded up, so that what we write ourselves isn't more than its own.
fn quota_properties(quota: Option<u64>, period: u64) -> Vec<(String, Value)> {
    const PERCENT: u64 = 10_000;
    let of_second = quota.map_or(u64::MAX, |quota| {
        (quota.saturating_mul(1_000_000) / period.max(1)).next_multiple_of(PERCENT)
    });
    vec![
        property("CPUQuotaPerSecUSec", Value::Uint64(of_second)),
        property("CPUQuotaPeriodUSec", Value::Uint64(period)),
    ]
}

/// No limit is the highest number.
fn number(value: &str) -> u64 {
    value.parse().unwrap_or(u64::MAX)
}

/// `0-2,5` as bits, the lowest first. What isn't of that form the kernel refuses, to which it is written too.
fn bits(list: &str) -> Vec<u8> {
    let mut bytes = vec![];
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse::<usize>())
        else {
            continue;
        };
        // No machine has more processors than the kernel's own 8192.
        for number in first..=last.min(8191) {
            let at = number / 8;
            if bytes.len() <= at {
                bytes.resize(at + 1, 0_u8);
            }
            bytes[at] |= 1 << (number % 8);
        }
    }
    bytes
}

/// On version 1 systemd writes the device controller's list again when it reloads: it gets what is allowed.
/// It has no word for denying one of many.
pub(super) fn of_devices(rules: &[Rule]) -> Vec<(String, Value)> {
    let mut allowed: Vec<Rule> = vec![];
    for rule in rules {
        if rule.devices == Devices::All {
            allowed.clear();
        }
        if rule.is_allowed {
            allowed.push(*rule);
        } else {
            allowed.retain(|other| other.devices != rule.devices);
        }
    }
    if allowed.iter().any(|rule| rule.devices == Devices::All) {
        return vec![property("DevicePolicy", Value::Text("auto".to_owned()))];
    }
    let pairs = allowed.iter().filter_map(|rule| {
        let (kind, major, minor) = match rule.devices {
            Devices::All => return None,
            Devices::Character(major, minor) => ("char", major, minor),
            Devices::Block(major, minor) => ("block", major, minor),
        };
        let name = match (major, minor) {
            (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
            (Some(major), None) => format!("{kind}-{major}"),
            (None, _) => format!("{kind}-*"),
        };
        Some((name, letters(rule.access)))
    });
    vec![
        property("DevicePolicy", Value::Text("strict".to_owned())),
        property("DeviceAllow", Value::Pairs(pairs.collect())),
    ]
}

const ANNOTATION: &str = "org.systemd.property.";

/// Properties that the bundle asks for itself, as runc and crun have it: an annotation
/// `org.systemd.property.NAME` whose value is written as in GVariant's text format.
///
/// # Errors
/// [`Error::Unsupported`] for a value of another type than a number, a string or a truth value.
pub(super) fn of_annotations<'a>(
    annotations: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<Vec<(String, Value)>> {
    let mut all = vec![];
    for (key, text) in annotations {
        let Some(name) = key.strip_prefix(ANNOTATION) else {
            continue;
        };
        let value = parse(text.trim()).ok_or_else(|| {
            let reason =
                "its value must be a number such as \"uint64 5\", 'a string', true or false";
            Error::unsupported(format!("annotation {key}"), reason)
        })?;
        all.push(in_microseconds(name, value));
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

fn parse(text: &str) -> Option<Value> {
    let quoted = |quote: char| {
        text.strip_prefix(quote)?
            .strip_suffix(quote)
            .map(str::to_owned)
    };
    if let Some(inside) = quoted('\'').or_else(|| quoted('"')) {
        return Some(Value::Text(inside));
    }
    match text.split_once(' ') {
        Some(("uint64", number)) => Some(Value::Uint64(number.trim().parse().ok()?)),
        Some(("int64", number)) => Some(Value::Int64(number.trim().parse().ok()?)),
        Some(("uint32", number)) => Some(Value::Uint32(number.trim().parse().ok()?)),
        Some(("int32", number)) => Some(Value::Int32(number.trim().parse().ok()?)),
        Some(_) => None,
        None if text == "true" || text == "false" => Some(Value::Bool(text == "true")),
        None => Some(Value::Int32(text.parse().ok()?)),
    }
}

/// The bus knows times in microseconds only; the name of a property in seconds is what people write.
fn in_microseconds(name: &str, value: Value) -> (String, Value) {
    let seconds = match value {
        Value::Int32(number) => u64::try_from(number).ok(),
        Value::Int64(number) => u64::try_from(number).ok(),
        Value::Uint32(number) => Some(number.into()),
        Value::Uint64(number) => Some(number),
        _ => None,
    };
    let stem = name.strip_suffix("Sec");
    let stem = stem.filter(|stem| stem.ends_with(|letter: char| letter.is_ascii_lowercase()));
    match (stem, seconds) {
        (Some(stem), Some(seconds)) => (
            format!("{stem}USec"),
            Value::Uint64(seconds.saturating_mul(1_000_000)),
        ),
        _ => (name.to_owned(), value),
    }
}

fn property(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

/// Which limits systemd must know of `resources` on this host.
///
/// # Errors
/// As [`super::super::limits::settings`].
pub(super) fn of_resources(
    resources: &LinuxResources,
    is_unified: bool,
) -> Result<Vec<(String, Value)>> {
    Ok(of_limits(&super::super::limits::settings(
        resources, is_unified,
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resources: &str, is_unified: bool) -> Vec<(String, Value)> {
        of_resources(&serde_json::from_str(resources).unwrap(), is_unified).unwrap()
    }

    fn values(pairs: &[(&str, u64)]) -> Vec<(String, Value)> {
        let properties = pairs
            .iter()
            .map(|(name, value)| property(name, Value::Uint64(*value)));
        properties.collect()
    }

    #[test]
    fn limits_become_properties_of_either_version() {
        let text = r#"{"memory":{"limit":1000,"swap":3000},"pids":{"limit":-1},
            "cpu":{"shares":1024,"quota":25500,"period":50000}}"#;
        let expected = [
            ("MemorySwapMax", 2000),
            ("MemoryMax", 1000),
            ("CPUWeight", 100),
            ("CPUQuotaPerSecUSec", 510_000),
            ("CPUQuotaPeriodUSec", 50_000),
            ("TasksMax", u64::MAX),
        ];
        assert_eq!(of(text, true), values(&expected));
        let expected = [
            ("MemoryLimit", 1000),
            ("CPUShares", 1024),
            ("TasksMax", u64::MAX),
            ("CPUQuotaPerSecUSec", 510_000),
            ("CPUQuotaPeriodUSec", 50_000),
        ];
        assert_eq!(of(text, false), values(&expected));
        let text = r#"{"cpu":{"cpus":"0-1,9"}}"#;
        let cpus = property("AllowedCPUs", Value::Bytes(vec![0b11, 0b10]));
        assert_eq!(of(text, true), [cpus]);
    }

    #[test]
    fn annotations_are_read_as_runc_reads_them() {
        let of = |name: &str, text: &str| {
            let (key, value) = (format!("{ANNOTATION}{name}"), text.to_owned());
            of_annotations([(&key, &value)]).ok()
        };
        let one = |name: &str, value| Some(vec![property(name, value)]);
        assert_eq!(
            of("TimeoutStopUSec", "uint64 123"),
            one("TimeoutStopUSec", Value::Uint64(123))
        );
        assert_eq!(
            of("TimeoutStopSec", "2"),
            one("TimeoutStopUSec", Value::Uint64(2_000_000))
        );
        assert_eq!(
            of("CollectMode", "'inactive-or-failed'"),
            one("CollectMode", Value::Text("inactive-or-failed".to_owned()))
        );
        assert_eq!(
            of("SendSIGHUP", "true"),
            one("SendSIGHUP", Value::Bool(true))
        );
        for wrong in ["", "yes", "uint64 x", "['a']", "uint128 4"] {
            assert_eq!(of("X", wrong), None, "{wrong}");
        }
    }
}
