//! Files that scripts look for in a container: what it was made from, and the hosts of its job.

use serde::Serialize;

use super::volumes::{VolumeMap, signature};

/// What a container was made from, as `/var/shifterConfig.json` tells it.
#[derive(Debug, Serialize)]
struct Record<'a> {
    identifier: &'a str,
    user: &'a str,
    #[serde(rename = "volMap")]
    volumes: String,
    modules: String,
}

/// The text of `/var/shifterConfig.json`. Two requests with the same text are for the same container.
///
/// # Errors
/// None that these types have.
pub fn shifter_config(
    identifier: &str,
    user: &str,
    volumes: &[VolumeMap],
    modules: &[&str],
) -> serde_json::Result<String> {
    serde_json::to_string(&Record {
        identifier,
        user,
        volumes: signature(volumes),
        modules: modules.iter().map(|name| format!("{name},")).collect(),
    })
}

/// A job's hosts that aren't told as they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "hosts: {found:?} must be HOST/TASKS, with one task at least, and all of them be told in 64 MiB"
)]
pub struct HostsError {
    /// The word.
    pub found: String,
}

/// The text of `/var/hostsfile` from `host1/2 host2/1`: a line for each task.
///
/// # Errors
/// [`HostsError`] for the first word that is something else.
pub fn hosts_file(hosts: &str) -> Result<String, HostsError> {
    /// More tasks than any node runs.
    const MOST: u32 = 1 << 16;
    /// Longer than the text of any job's hosts.
    const LONGEST: usize = 64 << 20;
    let mut text = String::new();
    for word in hosts.split_ascii_whitespace() {
        let refused = || HostsError {
            found: word.to_owned(),
        };
        let (host, tasks) = word.split_once('/').ok_or_else(refused)?;
        let tasks: u32 = tasks.parse().map_err(|_| refused())?;
        if host.is_empty() || !(1..=MOST).contains(&tasks) {
            return Err(refused());
        }
        let lines =
            usize::try_from(tasks).map_or(usize::MAX, |tasks| tasks.saturating_mul(host.len() + 1));
        if text.len().saturating_add(lines) > LONGEST {
            return Err(refused());
        }
        for _ in 0..tasks {
            text.push_str(host);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shifter::volumes::Asker;
    use crate::vectors::{Wrong, vectors};

    #[test]
    fn a_container_is_told_what_it_was_made_from() {
        let volumes = VolumeMap::parse("/d:/c;/home:/data", Asker::User).unwrap();
        assert_eq!(
            shifter_config("abc", "dmj", &volumes, &["m", "n"]).unwrap(),
            r#"{"identifier":"abc","user":"dmj","volMap":"/d:/c;/home:/data","modules":"m,n,"}"#
        );
        assert_eq!(
            shifter_config("a", "\"", &[], &[]).unwrap(),
            r#"{"identifier":"a","user":"\"","volMap":"","modules":""}"#
        );
    }

    #[test]
    fn no_jobs_hosts_take_all_the_memory() {
        let long = format!("{}/65536", "a".repeat(1 << 20));
        assert!(hosts_file(&long).is_err());
        let many = "a/65536 ".repeat(1 << 10);
        assert!(hosts_file(&many).is_err());
        assert!(hosts_file("a/65536").is_ok());
    }

    #[test]
    fn a_job_has_a_line_for_each_task() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/hosts.tsv") {
            let found = hosts_file(&vector[0]).map_or("refused".to_owned(), |text| text);
            wrong.unless(&vector, &found, &vector[1]);
        }
        wrong.none();
    }
}
