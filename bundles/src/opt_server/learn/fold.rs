//! Directories in the place of what was used in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Proposal, Seen, Wanted};

/// Directories that too much of the host lies in to be shown for a few of their files; `*` is any one name.
const NEVER: &[&str] = &[
    "/",
    "/*",
    "/usr/bin",
    "/usr/games",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/*",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/usr/lib/*-linux-gnu",
    "/lib/*-linux-gnu",
    "/etc/*",
    "/home/*",
    "/var/*",
    "/var/lib",
    "/srv/*",
    "/mnt/*",
];

/// What was used at or below one path.
#[derive(Default)]
struct Node<'a> {
    below: BTreeMap<PathBuf, Node<'a>>,
    used: Vec<&'a Seen>,
}

/// Proposals for these files, sorted by path.
pub(super) fn fold(wanted: &[Wanted<'_>], fold: usize) -> Vec<Proposal> {
    let mut root = Node::default();
    for (path, file) in wanted {
        let mut node = &mut root;
        let mut so_far = PathBuf::new();
        for component in path.components() {
            so_far.push(component);
            node = node.below.entry(so_far.clone()).or_default();
        }
        node.used.push(file);
    }
    let mut proposals = vec![];
    for (path, node) in &root.below {
        collect(path, node, fold.max(2), &mut proposals);
    }
    proposals.sort_by(|one, other| one.path.cmp(&other.path));
    proposals
}

fn collect(path: &Path, node: &Node<'_>, fold: usize, proposals: &mut Vec<Proposal>) {
    if node.below.is_empty() {
        proposals.push(proposal(path, node, false));
    } else if node.below.len() >= fold && !is_never(path) {
        proposals.push(proposal(path, node, true));
    } else {
        for (path, node) in &node.below {
            collect(path, node, fold, proposals);
        }
    }
}

fn proposal(path: &Path, node: &Node<'_>, is_directory: bool) -> Proposal {
    let mut used = vec![];
    node.all(&mut used);
    let canonical: BTreeSet<&Path> = used.iter().map(|file| &*file.canonical).collect();
    let processes: BTreeSet<&str> = used.iter().map(|file| &*file.process).collect();
    Proposal {
        path: path.to_path_buf(),
        key: "mount-readable",
        is_directory,
        files: canonical.len(),
        is_executed: used.iter().any(|file| file.is_executed),
        processes: processes.into_iter().map(str::to_owned).collect(),
        brings: vec![],
    }
}

impl<'a> Node<'a> {
    fn all(&self, used: &mut Vec<&'a Seen>) {
        used.extend(&self.used);
        for node in self.below.values() {
            node.all(used);
        }
    }
}

fn is_never(path: &Path) -> bool {
    let path = path.to_string_lossy();
    NEVER.iter().any(|pattern| matches(pattern, &path))
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut names = path.split('/');
    let mut patterns = pattern.split('/');
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if matches_name(pattern, name) => {}
            _ => return false,
        }
    }
}

fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => !name.is_empty() && name.ends_with(end),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_lies_in_is_never_folded() {
        for path in [
            "/",
            "/usr",
            "/usr/bin",
            "/usr/lib",
            "/usr/lib/x86_64-linux-gnu",
            "/etc/ssl",
            "/home/x",
            "/opt",
        ] {
            assert!(is_never(Path::new(path)), "{path}");
        }
        for path in [
            "/usr/lib/python3.11",
            "/opt/gams",
            "/usr/lib/gcc",
            "/home/x/solver",
            "/usr/local/lib/x",
        ] {
            assert!(!is_never(Path::new(path)), "{path}");
        }
    }
}
