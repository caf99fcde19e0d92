//! What users and Slurm say to `shifter` in a word or a line: volumes, images, variables, lists of nodes.

use std::path::Path;

use bundles::shifter::accounts::{User, filtered_groups, groups_of};
use bundles::shifter::environment::{assignment, read_file};
use bundles::shifter::image::{Descriptor, Identifier};
use bundles::shifter::records::hosts_file;
use bundles::shifter::slurm::hosts;
use bundles::shifter::volumes::{Asker, VolumeMap, signature};
use imagegw::pull::{Reference, Source};

use crate::Run;
use crate::properties::told;

pub(super) fn make(_: &Path) -> Run {
    Box::new(|bytes| {
        let Ok(text) = str::from_utf8(bytes) else {
            return;
        };
        for asker in [Asker::User, Asker::Site] {
            volumes(text, asker);
        }
        images(text);
        variables(text);
        slurm(text);
        accounts(text);
    })
}

/// What was read is written so that it is read again as the same.
fn volumes(text: &str, asker: Asker) {
    let maps = match VolumeMap::parse(text, asker) {
        Ok(maps) => maps,
        Err(error) => return told(&error),
    };
    for map in &maps {
        let printed = map.to_string();
        let again = VolumeMap::parse(&printed, asker);
        assert_eq!(
            again.as_deref(),
            Ok(std::slice::from_ref(map)),
            "{printed:?} of {text:?}"
        );
        assert!(map.from.starts_with('/') || map.cache.is_some(), "{map:?}");
        assert!(
            map.to.starts_with('/') && !map.to.contains("/../"),
            "{map:?}"
        );
    }
    let signed = signature(&maps);
    let again = VolumeMap::parse(&signed, asker).expect("a signature is a list of volumes");
    assert_eq!(signature(&again), signed);
}

fn images(text: &str) {
    for default in [None, Some("docker"), Some("local")] {
        match Descriptor::parse(text, default) {
            Err(error) => told(&error),
            Ok(found) => {
                let printed = format!("{}:{}", found.kind.as_str(), found.tag);
                assert_eq!(Descriptor::parse(&printed, None), Ok(found));
            }
        }
    }
    if let Ok(id) = Identifier::new(text) {
        assert!(!id.as_str().contains('/') && id.as_str() != ".." && !id.as_str().is_empty());
    }
    match Reference::parse(text, "reg.io", |name| name == "other.io") {
        Err(error) => told(&error),
        Ok(found) => {
            assert!(
                !found
                    .repository()
                    .split('/')
                    .any(|part| part == ".." || part.is_empty())
            );
            let printed = found.to_string();
            let again = Reference::parse(&printed, "reg.io", |name| name == found.registry());
            assert_eq!(again, Ok(found), "{printed}");
        }
    }
    match Source::parse(text) {
        Err(error) => told(&error),
        Ok(found) => {
            let printed = match &found {
                Source::Registry(_) => format!("docker://{found}"),
                _ => found.to_string(),
            };
            assert_eq!(Source::parse(&printed), Ok(found), "{printed}");
        }
    }
}

fn variables(text: &str) {
    if let Ok((name, value)) = assignment(text) {
        assert_eq!(format!("{name}={value}"), text);
    }
    match read_file(text, "f") {
        Err(error) => told(&error),
        Ok(all) => {
            for (name, value) in all {
                assert!(!name.is_empty() && !name.contains(['=', '\0', '\n']));
                assert!(!value.contains(['\0', '\n']));
            }
        }
    }
}

/// A job's nodes and tasks, a line each.
fn slurm(text: &str) {
    let (nodes, tasks) = text.split_once('\n').unwrap_or((text, "1"));
    match hosts(nodes, tasks) {
        Err(error) => told(&error),
        Ok(hosts) => {
            if let Ok(lines) = hosts_file(&hosts) {
                assert!(lines.lines().count() >= hosts.split(' ').count());
            }
        }
    }
    if let Err(error) = hosts_file(text) {
        told(&error);
    }
}

fn accounts(text: &str) {
    if let Some(user) = User::find(text, 1000) {
        assert_eq!(User::find(&user.line(), 1000), Some(user));
    }
    let groups = filtered_groups(text, "ann", 8);
    assert!(groups.lines().count() <= text.lines().count() + 8);
    groups_of(text, "ann");
}
