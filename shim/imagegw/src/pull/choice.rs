//! The image of an index that is for the machines at hand.

use super::error::PullError;
use super::manifest::Descriptor;
use super::request::Platform;

/// The entry of an index that is for a platform: the one without a variant, where none is asked for.
///
/// # Errors
/// [`PullError::Platform`].
pub(super) fn choose<'a>(
    index: &'a [Descriptor],
    wanted: &Platform,
    what: &str,
) -> Result<&'a Descriptor, PullError> {
    if let [only] = index
        && only.platform.is_none()
    {
        return Ok(only);
    }
    let fits = |entry: &&Descriptor| {
        entry.platform.as_ref().is_some_and(|platform| {
            platform.os == wanted.os && platform.architecture == wanted.architecture
        })
    };
    let variant = |entry: &Descriptor| {
        entry
            .platform
            .as_ref()
            .and_then(|found| found.variant.clone())
    };
    let rank = |entry: &&Descriptor| match (variant(entry), &wanted.variant) {
        (found, wanted) if found == *wanted => 0,
        // The usual arm64 is v8, and is often not said.
        (Some(found), None) if wanted.architecture == "arm64" && found == "v8" => 1,
        (None, Some(_)) => 1,
        (Some(_), None) => 2,
        _ => 3,
    };
    let found = index.iter().filter(fits).min_by_key(rank);
    found.filter(|found| rank(found) < 3).ok_or_else(|| {
        let has = index
            .iter()
            .filter_map(|entry| Some(entry.platform.as_ref()?.to_string()));
        let mut has: Vec<String> = has
            .filter(|name| !name.starts_with("unknown/"))
            .take(20)
            .collect();
        has.sort();
        has.dedup();
        PullError::Platform {
            image: what.to_owned(),
            wanted: wanted.to_string(),
            has: has.join(", "),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::blobs::Digest;

    #[test]
    fn the_platform_that_is_asked_for_is_chosen() {
        let index: Vec<Descriptor> = [
            ("linux", "arm64", Some("v8")),
            ("linux", "amd64", Some("v3")),
            ("linux", "amd64", None),
            ("windows", "amd64", None),
            ("linux", "arm", Some("v6")),
            ("linux", "arm", Some("v7")),
            ("unknown", "unknown", None),
        ]
        .iter()
        .enumerate()
        .map(|(number, (os, architecture, variant))| {
            let mut entry = json!({ "size": number, "digest": Digest::of(b"") });
            entry["platform"] = json!({ "os": os, "architecture": architecture });
            if let Some(variant) = variant {
                entry["platform"]["variant"] = (*variant).into();
            }
            serde_json::from_value(entry).unwrap()
        })
        .collect();
        let wanted = |text: &str| {
            let mut parts = text.split('/').map(str::to_owned);
            Platform {
                os: parts.next().unwrap(),
                architecture: parts.next().unwrap(),
                variant: parts.next(),
            }
        };
        for (text, meant) in [
            ("linux/amd64", Some(2)),
            ("linux/amd64/v3", Some(1)),
            ("linux/amd64/v2", Some(2)),
            ("linux/arm64", Some(0)),
            ("linux/arm64/v8", Some(0)),
            ("linux/arm", Some(4)),
            ("linux/arm/v7", Some(5)),
            ("linux/arm/v5", None),
            ("windows/amd64", Some(3)),
            ("linux/s390x", None),
        ] {
            let found = choose(&index, &wanted(text), "x").map(|entry| entry.size);
            assert_eq!(found.as_ref().ok(), meant.as_ref(), "{text}: {found:?}");
        }
        let error = choose(&index, &wanted("linux/s390x"), "x")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("linux/arm64/v8") && !error.contains("unknown"),
            "{error}"
        );
    }
}
