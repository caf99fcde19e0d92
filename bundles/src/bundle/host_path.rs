//! A path of the host's as it is spelled, and where it leads.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links as path_resolution(7) follows.
const MAX_LINKS: usize = 40;

/// A spelled path followed to its end, with every symbolic link on the way.
///
/// On a merged-usr host `/lib/x.so` leads through the link `/lib`; a sandbox that mounts only
/// `/usr/lib/x.so` must have that link too, or the spelled path isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPath {
    /// The end: no component of it is a link.
    pub canonical: PathBuf,
    /// Links on the way, in the order met: where each stands (its parent canonical) and its text.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Whether the end is a directory.
    pub is_directory: bool,
}

/// A path that can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum HostPathError {
    /// It doesn't begin at the root.
    #[error("{}: must be an absolute path", .0.display())]
    Relative(PathBuf),
    /// Something on the way isn't there or can't be read.
    #[error("{}", path.display())]
    Io {
        /// The spelled path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Links in a circle, or nearly.
    #[error("{}: more than {MAX_LINKS} symbolic links", .0.display())]
    TooManyLinks(PathBuf),
}

impl HostPath {
    /// Follows `spelled` on the host.
    ///
    /// # Errors
    /// Where it is relative, absent, or leads through too many links.
    pub fn follow(spelled: &Path) -> Result<Self, HostPathError> {
        Follower::default().follow(spelled)
    }
}

/// Follows paths that have much of their way in common, looking once at what stands on it.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    known: HashMap<OsString, Stands>,
}

/// What stands at a path.
#[derive(Debug, Clone)]
enum Stands {
    Link(PathBuf),
    Directory,
    Other,
}

impl Follower {
    /// As [`HostPath::follow`].
    pub fn follow(&mut self, spelled: &Path) -> Result<HostPath, HostPathError> {
        if !spelled.is_absolute() {
            return Err(HostPathError::Relative(spelled.to_path_buf()));
        }
        let failed = |source| HostPathError::Io {
            path: spelled.to_path_buf(),
            source,
        };
        if let Some(followed) = self.follow_from_parent(spelled).map_err(failed)? {
            return Ok(followed);
        }
        let mut canonical = PathBuf::from("/");
        let mut is_directory = true;
        let mut links = vec![];
        let mut ahead = names(spelled);
        while let Some(name) = ahead.pop_front() {
            // What something is in is a directory.
            is_directory = true;
            if name == ".." {
                canonical.pop();
                continue;
            }
            canonical.push(&name);
            let target = match self.look(&canonical).map_err(failed)? {
                Stands::Link(target) => target,
                Stands::Directory => continue,
                Stands::Other => {
                    is_directory = false;
                    continue;
                }
            };
            if links.len() == MAX_LINKS {
                return Err(HostPathError::TooManyLinks(spelled.to_path_buf()));
            }
            let here = canonical.clone();
            canonical.pop();
            if target.is_absolute() {
                canonical = PathBuf::from("/");
            }
            for name in names(&target).into_iter().rev() {
                ahead.push_front(name);
            }
            links.push((here, target));
        }
        Ok(HostPath {
            canonical,
            links,
            is_directory,
        })
    }

    /// The short way to what is no link and in a directory that another path led to.
    fn follow_from_parent(&mut self, spelled: &Path) -> io::Result<Option<HostPath>> {
        let (Some(parent), Some(name)) = (spelled.parent(), spelled.file_name()) else {
            return Ok(None);
        };
        // What is known is spelled without links.
        if !matches!(self.known.get(parent.as_os_str()), Some(Stands::Directory)) {
            return Ok(None);
        }
        let canonical = parent.join(name);
        let is_directory = match self.look(&canonical)? {
            Stands::Link(_) => return Ok(None),
            Stands::Directory => true,
            Stands::Other => false,
        };
        Ok(Some(HostPath {
            canonical,
            links: vec![],
            is_directory,
        }))
    }

    /// As realpath(3), for a path that was opened: whether what is before `/..` or an ending `/` is a directory isn't asked
    /// again.
    pub fn canonicalize(&mut self, path: &Path) -> io::Result<PathBuf> {
        match self.follow(path) {
            Ok(followed) => Ok(followed.canonical),
            Err(HostPathError::Io { source, .. }) => Err(source),
            Err(HostPathError::Relative(_) | HostPathError::TooManyLinks(_)) => path.canonicalize(),
        }
    }

    fn look(&mut self, path: &Path) -> io::Result<Stands> {
        if let Some(known) = self.known.get(path.as_os_str()) {
            return Ok(known.clone());
        }
        let stands = match path.symlink_metadata()?.file_type() {
            kind if kind.is_symlink() => Stands::Link(path.read_link()?),
            kind if kind.is_dir() => Stands::Directory,
            _ => Stands::Other,
        };
        self.known.insert(path.into(), stands.clone());
        Ok(stands)
    }
}

/// The names of a path, one by one from the first, as whoever follows its links takes them.
pub fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("usr/lib/deep")).unwrap();
        fs::write(base.join("usr/lib/x.so.1.2"), "").unwrap();
        symlink("usr/lib", base.join("lib")).unwrap();
        symlink("x.so.1.2", base.join("usr/lib/x.so.1")).unwrap();
        symlink("../x.so.1", base.join("usr/lib/deep/up.so")).unwrap();
        let path = HostPath::follow(&base.join("lib/deep/up.so")).unwrap();
        assert_eq!(path.canonical, base.join("usr/lib/x.so.1.2"));
        assert!(!path.is_directory);
        assert_eq!(
            path.links,
            [
                (base.join("lib"), "usr/lib".into()),
                (base.join("usr/lib/deep/up.so"), "../x.so.1".into()),
                (base.join("usr/lib/x.so.1"), "x.so.1.2".into()),
            ]
        );
    }

    /// In whatever order, and after a path that isn't there.
    #[test]
    fn paths_that_are_followed_together_lead_where_each_alone_leads() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("usr/lib/deep")).unwrap();
        fs::write(base.join("usr/lib/file"), "").unwrap();
        symlink("usr/lib", base.join("lib")).unwrap();
        symlink("../lib/deep", base.join("usr/link")).unwrap();
        let spelled = [
            "lib",
            "lib/file",
            "lib/file/x",
            "lib/no",
            "usr/link",
            "usr/link/..",
            "usr/link/../file",
            "usr/lib/deep",
            "lib/deep/",
            "usr/lib/file",
            "usr/lib/./file/",
            "usr//lib/deep/.",
            "usr/lib/no",
            "usr/lib/..",
        ];
        let told = |followed: Result<HostPath, HostPathError>| format!("{followed:?}");
        for turn in 0..spelled.len() {
            let mut follower = Follower::default();
            for at in 0..spelled.len() {
                let path = base.join(spelled[(at * 4 + turn) % spelled.len()]);
                let together = told(follower.follow(&path));
                assert_eq!(together, told(HostPath::follow(&path)), "{path:?}");
                if path.metadata().is_ok() {
                    let canonical = follower.canonicalize(&path).unwrap();
                    assert_eq!(canonical, path.canonicalize().unwrap(), "{path:?}");
                }
            }
        }
    }

    #[test]
    fn circles_absences_and_relative_paths_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        assert!(matches!(
            HostPath::follow(&base.join("a")),
            Err(HostPathError::TooManyLinks(_))
        ));
        assert!(matches!(
            HostPath::follow(&base.join("nothing")),
            Err(HostPathError::Io { .. })
        ));
        assert!(matches!(
            HostPath::follow(Path::new("usr/lib")),
            Err(HostPathError::Relative(_))
        ));
    }
}
