//! What the shim itself has to know of a bundle that containerd made.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Annotations that name the pod, in the order of containerd's own shim.
const GROUPS: [&str; 2] = [
    "io.containerd.runc.v2.group",
    "io.kubernetes.cri.sandbox-id",
];

/// Where the states of containers are, one directory a namespace.
const STATES: &str = "/run/containerd/opt-runtime";

#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: HashMap<String, String>,
}

/// The pod that the container of `bundle` belongs to, if it says so. All of one pod share a shim.
///
/// # Errors
/// Where its `config.json` can't be read.
pub fn group(bundle: &Path) -> Result<Option<String>> {
    let path = bundle.join("config.json");
    let read = || -> Result<Annotated> {
        let file = File::open(&path)?;
        Ok(serde_json::from_reader(BufReader::new(file))?)
    };
    let mut spec = read().with_context(|| format!("read {}", path.display()))?;
    Ok(GROUPS
        .iter()
        .find_map(|name| spec.annotations.remove(*name))
        .filter(|group| !group.is_empty()))
}

/// The directory of the states of containers in `namespace`, below `root` where the runtime's options name one.
pub fn store(root: &str, namespace: &str) -> PathBuf {
    let root = if root.is_empty() { STATES } else { root };
    Path::new(root).join(namespace)
}

/// The file in a bundle by which `delete` finds a store that isn't the default one.
const STORE_FILE: &str = "opt-runtime.store";

/// Notes the store of the container in its bundle.
///
/// # Errors
/// Where it can't be written.
pub fn note_store(bundle: &Path, store: &Path) -> std::io::Result<()> {
    std::fs::write(
        bundle.join(STORE_FILE),
        store.as_os_str().as_encoded_bytes(),
    )
}

/// The store that was noted, or the default one.
pub fn noted_store(bundle: &Path, namespace: &str) -> PathBuf {
    match std::fs::read_to_string(bundle.join(STORE_FILE)) {
        Ok(path) => path.into(),
        Err(_) => store("", namespace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_named_by_an_annotation() {
        let bundle = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("{}", None),
            (r#"{"annotations": {"other": "x"}}"#, None),
            (
                r#"{"annotations": {"io.kubernetes.cri.sandbox-id": "pod"}}"#,
                Some("pod"),
            ),
            (
                r#"{"annotations": {"io.kubernetes.cri.sandbox-id": "pod", "io.containerd.runc.v2.group": "g"}}"#,
                Some("g"),
            ),
        ] {
            std::fs::write(bundle.path().join("config.json"), text).unwrap();
            assert_eq!(group(bundle.path()).unwrap().as_deref(), expected, "{text}");
        }
        std::fs::write(bundle.path().join("config.json"), "no").unwrap();
        group(bundle.path()).unwrap_err();
    }

    #[test]
    fn a_store_is_noted_where_delete_looks() {
        let bundle = tempfile::tempdir().unwrap();
        assert_eq!(
            noted_store(bundle.path(), "n"),
            Path::new("/run/containerd/opt-runtime/n")
        );
        note_store(bundle.path(), &store("/other", "n")).unwrap();
        assert_eq!(noted_store(bundle.path(), "n"), Path::new("/other/n"));
    }
}
