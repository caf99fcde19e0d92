//! How a container's unit is called, and where its cgroup is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::super::{Error, Result};

/// A transient unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::container) struct Unit {
    /// `PREFIX-NAME.scope`.
    pub name: String,
    /// The slice that it is in.
    pub slice: String,
    /// Whether it is the user's manager's, and not the system's.
    pub is_user: bool,
}

impl Unit {
    /// The unit that `linux.cgroupsPath` names, `SLICE:PREFIX:NAME`; or where it names none, one called
    /// `default`. Without a slice it is in the one where the manager puts what nobody else puts anywhere.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a path of another form.
    pub(super) fn named(path: Option<&Path>, default: &Path, is_user: bool) -> Result<Self> {
        let usual = if is_user {
            "user.slice"
        } else {
            "system.slice"
        };
        let Some(path) = path else {
            let name = default.file_name().unwrap_or_default().to_string_lossy();
            return Ok(Self {
                name: format!("{}.scope", escape(&name)),
                slice: usual.to_owned(),
                is_user,
            });
        };
        let text = path.to_string_lossy();
        let [slice, prefix, name] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(wrong(
                path,
                "systemd makes the cgroup, so it must have the form SLICE:PREFIX:NAME",
            ));
        };
        if name.is_empty() || text.contains('/') {
            return Err(wrong(
                path,
                "the unit's name is empty, or has a slash in it",
            ));
        }
        if name.ends_with(".slice") {
            return Err(wrong(path, "a container is a scope, and can't be a slice"));
        }
        let stem = match prefix {
            "" => escape(name),
            prefix => format!("{}-{}", escape(prefix), escape(name)),
        };
        let unit = Self {
            name: format!("{stem}.scope"),
            slice: if slice.is_empty() { usual } else { slice }.to_owned(),
            is_user,
        };
        unit.slice_path()
            .ok_or_else(|| wrong(path, "it names no slice of systemd's"))?;
        Ok(unit)
    }

    /// Its cgroup, below that of the manager.
    pub(super) fn cgroup(&self) -> PathBuf {
        self.slice_path().unwrap_or_default().join(&self.name)
    }

    /// A slice's name has those of the slices above it in it: `a-b.slice` is in `a.slice`, `-.slice` is the
    /// root (systemd.slice(5)).
    fn slice_path(&self) -> Option<PathBuf> {
        let stem = self.slice.strip_suffix(".slice")?;
        if stem == "-" {
            return Some(PathBuf::new());
        }
        let parts: Vec<&str> = stem.split('-').collect();
        let is_wrong = |part: &&str| part.is_empty() || part.contains('/');
        if parts.iter().any(is_wrong) {
            return None;
        }
        let above = (1..=parts.len()).map(|count| format!("{}.slice", parts[..count].join("-")));
        Some(above.collect())
    }
}

/// What a unit's name can't hold (systemd.unit(5)); an id may have a plus in it.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b":-_.\\".contains(&byte) {
            escaped.push(byte.into());
        } else {
            escaped += &format!("\\x{byte:02x}");
        }
    }
    escaped
}

fn wrong(path: &Path, reason: &str) -> Error {
    Error::unsupported(format!("linux.cgroupsPath {}", path.display()), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroup(path: &str) -> Option<String> {
        let unit = Unit::named(Some(Path::new(path)), Path::new("/x"), false).ok()?;
        Some(unit.cgroup().to_string_lossy().into_owned())
    }

    #[test]
    fn a_path_names_slice_and_scope() {
        for (path, expected) in [
            ("system.slice:runc:x", Some("system.slice/runc-x.scope")),
            (":runc:x", Some("system.slice/runc-x.scope")),
            ("-.slice:a:b", Some("a-b.scope")),
            (
                "a-b-c.slice:p:n",
                Some("a.slice/a-b.slice/a-b-c.slice/p-n.scope"),
            ),
            ("a.slice::n+", Some("a.slice/n\\x2b.scope")),
            ("/absolute/path", None),
            ("a:b", None),
            ("a.slice:b:c:d", None),
            ("a.slice:b:", None),
            ("a.slice:b:../c", None),
            ("a.slice:b:c.slice", None),
            ("a:b:c", None),
            ("a--b.slice:b:c", None),
            (".slice:b:c", None),
        ] {
            assert_eq!(cgroup(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn without_a_path_it_is_named_after_the_container() {
        let unit = Unit::named(None, Path::new("/opt-runtime-a+b"), true).unwrap();
        assert_eq!(
            unit.cgroup(),
            Path::new("user.slice/opt-runtime-a\\x2bb.scope")
        );
    }
}
