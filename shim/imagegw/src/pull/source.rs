//! Where images come from.

use std::fmt;
use std::path::PathBuf;

use super::reference::{BadReference, Reference, Version};

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A registry, asked by the OCI distribution protocol.
    Registry(Reference),
    /// A directory with `oci-layout`, `index.json` and `blobs`, as skopeo, umoci and buildah write it, also from
    /// `containers-storage`.
    OciLayout {
        /// The directory.
        path: PathBuf,
        /// The `org.opencontainers.image.ref.name` of the image; none where there is only one.
        name: Option<String>,
    },
    /// The same in a tar archive, as `podman save --format oci-archive` and `docker save` since version 25 write it.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// As above.
        name: Option<String>,
    },
    /// What `docker save` and `podman save` write: a tar archive with `manifest.json`.
    DockerArchive {
        /// The file.
        path: PathBuf,
        /// The tag, `REPOSITORY:TAG`; none where there is only one image.
        name: Option<String>,
    },
    /// A squashfs or an EROFS, which is read in a sandbox and never mounted.
    ImageFile {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, name) = match self {
            Self::Registry(reference) => return reference.fmt(to),
            Self::OciLayout { path, name } => ("oci", path, name),
            Self::OciArchive { path, name } => ("oci-archive", path, name),
            Self::DockerArchive { path, name } => ("docker-archive", path, name),
            Self::ImageFile { path } => return write!(to, "image:{}", path.display()),
        };
        write!(to, "{kind}:{}", path.display())?;
        name.iter().try_for_each(|name| write!(to, ":{name}"))
    }
}

impl Source {
    /// Reads one as skopeo writes it: `docker://HOST[:PORT]/REPOSITORY:TAG` (or `@DIGEST`), `oci:DIRECTORY[:NAME]`,
    /// `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:REPOSITORY:TAG]`; or `image:FILE`.
    ///
    /// # Errors
    /// [`BadReference`].
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        let bad = |reason| BadReference {
            text: text.to_owned(),
            reason,
        };
        if let Some(reference) = text.strip_prefix("docker://") {
            let (host, _) = reference
                .split_once('/')
                .ok_or_else(|| bad("has no repository: docker://HOST/REPOSITORY:TAG"))?;
            return Reference::parse(reference, host, |name| name == host).map(Self::Registry);
        }
        let (kind, rest) = text.split_once(':').unwrap_or(("", text));
        let (path, name) = match rest.split_once(':') {
            Some((path, name)) => (PathBuf::from(path), Some(name.to_owned())),
            None => (PathBuf::from(rest), None),
        };
        if rest.is_empty() || name.as_deref() == Some("") {
            return Err(bad("has no path or an empty name: KIND:PATH[:NAME]"));
        }
        match kind {
            "oci" => Ok(Self::OciLayout { path, name }),
            "oci-archive" => Ok(Self::OciArchive { path, name }),
            "docker-archive" => Ok(Self::DockerArchive { path, name }),
            "image" if name.is_none() => Ok(Self::ImageFile { path }),
            _ => Err(bad(
                "is none of docker://…, oci:…, oci-archive:…, docker-archive:… and image:FILE",
            )),
        }
    }

    /// The tag or digest that was asked for.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Registry(reference) => Some(reference.version()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_skopeo_writes_them() {
        for text in [
            "oci:/srv/layout",
            "oci:/srv/layout:name",
            "oci-archive:a.tar:x",
            "docker-archive:a.tar:a.io/x:1",
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), text);
        }
        for (text, meant) in [
            ("docker://a.io:5000/x/y:1", "a.io:5000/x/y:1"),
            ("docker://localhost/y:1", "localhost/y:1"),
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), meant);
        }
        for text in [
            "",
            "x",
            "oci:",
            "oci:/a:",
            "dir:/x",
            "docker:x",
            "docker://x:1",
            "docker://a/x",
            "docker://u@a/x:1",
            "docker://a/../x:1",
        ] {
            Source::parse(text).expect_err(text);
        }
    }
}
