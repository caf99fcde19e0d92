//! What is printed for people.

use chrono::{DateTime, Local};
use serde_json::Value;

/// A line of `images` for each name of each image, in Shifter's columns, sorted by name.
pub fn images(list: &[Value]) -> Vec<String> {
    let mut rows: Vec<(String, String)> = vec![];
    for image in list {
        let text = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
        let id: String = text("id").chars().take(10).collect();
        let time = time(image["last_pull"].as_f64().unwrap_or(0.0));
        let begin = format!(
            "{:<10} {:<10} {:<8} {id:<10}   {time} ",
            text("system"),
            text("itype"),
            text("status")
        );
        let tags = match &image["tag"] {
            Value::Array(tags) => tags.clone(),
            other => vec![other.clone()],
        };
        for tag in tags.iter().filter_map(Value::as_str) {
            rows.push((tag.to_owned(), format!("{begin}{tag:<30}")));
        }
    }
    rows.sort();
    rows.into_iter().map(|(_, line)| line).collect()
}

/// Local time, as Shifter prints it.
#[allow(
    clippy::cast_possible_truncation,
    reason = "seconds since 1970 are fewer than 2^53"
)]
pub fn time(seconds: f64) -> String {
    let time = DateTime::from_timestamp(seconds as i64, 0).unwrap_or_default();
    time.with_timezone(&Local)
        .format("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

/// Bytes, for people.
#[allow(clippy::cast_precision_loss, reason = "three digits of it are shown")]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut number = count as f64;
    let mut unit = 0;
    while number >= 1000.0 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ => format!("{number:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_has_a_line_and_they_are_sorted() {
        let list = [
            json!({ "id": "bbbbbbbbbbbbbbbb", "system": "cluster", "itype": "docker", "status": "READY",
                "tag": ["z:1", "a:1"], "last_pull": 0.5 }),
            json!({ "id": "c", "system": "cluster", "itype": "custom", "status": "READY",
                "tag": "m:1", "last_pull": 1.0 }),
        ];
        let lines = images(&list);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("cluster    docker     READY    bbbbbbbbbb   19"));
        assert!(lines[0].ends_with(&format!("{:<30}", "a:1")));
        assert!(lines[1].contains("m:1") && lines[2].contains("z:1"));
    }

    #[test]
    fn bytes_are_told_in_three_digits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(123_456_789), "123.5 MB");
    }
}
