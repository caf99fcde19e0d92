//! What is to be pulled, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use image_files::FileDigests;
use serde::{Deserialize, Serialize};

use super::reference::{BadReference, Reference, Version};
use crate::blobs::Digest;

/// One image that is wanted.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Where it is.
    pub source: Source,
    /// For which machines, where the source has it for several.
    pub platform: Platform,
    /// What the source is shown, if it asks.
    pub credentials: Credentials,
    /// What is made of it.
    pub format: Format,
    /// The file that is to be there. Its directory is on a local disk; what is there already is replaced.
    pub destination: PathBuf,
}

impl PullRequest {
    /// The same, but for the image that has this digest, whatever a tag means in the meantime. Only registries are
    /// asked so; other sources don't change below a request.
    pub fn at(mut self, digest: Digest) -> Self {
        if let Source::Registry(reference) = &mut self.source {
            *reference = reference.at(digest);
        }
        self
    }
}

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

/// The machines that an image is for, in the words of the OCI image specification (Go's `GOOS` and `GOARCH`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, `ppc64le`, ….
    pub architecture: String,
    /// `v7`, `v8`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// That of this machine.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "x86" => "386",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.os, self.architecture)?;
        self.variant
            .iter()
            .try_for_each(|variant| write!(to, "/{variant}"))
    }
}

/// What a registry is shown. It is shown nothing unless it asks.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    Anonymous,
    /// A user's name and password, or what a registry takes for one.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that was issued elsewhere.
    Bearer(Secret),
}

/// A text that is told to nobody but the registry.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// To be shown to whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Secret(…)")
    }
}

/// File systems that image files are made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// EROFS, not compressed: the soonest to start from.
    #[default]
    Erofs,
    /// squashfs, compressed with zstd.
    Squashfs,
}

impl Format {
    /// As in a `.meta` file's FORMAT, and as an image file's ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
        }
    }
}

/// The steps of a pull, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The manifest, its signatures and the layers are fetched.
    Pulling,
    /// The layers are laid upon each other, and what has no place in an image is refused or left out.
    Examination,
    /// The image file is written.
    Conversion,
}

/// Follows a pull. Called on the thread that pulls, a few times a second at most.
pub trait Progress {
    /// A step begins.
    fn step(&self, step: Step);
    /// So much of it is done; `total` where that is known. In Pulling, bytes of layers; in Examination, bytes of
    /// layers, unpacked; in Conversion, bytes of the image file.
    fn bytes(&self, done: u64, total: Option<u64>);
    /// Looks at what was unpacked, before anything is made of it; an error is why nothing shall be.
    ///
    /// # Errors
    /// What the site has against it.
    fn examine(&self, _tree: &std::path::Path) -> Result<(), String> {
        Ok(())
    }
    /// Whether nobody wants the image any more.
    fn should_stop(&self) -> bool {
        false
    }
}

/// For whom nobody waits.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn step(&self, _: Step) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}
}

/// What a source says of an image before anything of it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of the manifest for the platform that was asked for: the image's identity.
    pub manifest_digest: Digest,
    /// Bytes of its layers as the source has them.
    pub size: u64,
    /// Whether the source showed it only for the credentials: others have no right to it by being able to ask us.
    pub is_private: bool,
}

/// An image file that was made.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// What the source said of it.
    pub found: Found,
    /// What a container of it runs.
    pub config: ImageConfig,
    /// The file, complete and on the disk.
    pub file: PathBuf,
    /// What it holds.
    pub format: Format,
    /// Of the file.
    pub digests: FileDigests,
    /// Bytes of the file.
    pub size: u64,
    /// What was left out of it or taken away.
    pub left_out: LeftOut,
    /// Whose signature was found and good; none where the policy wants none.
    pub signed_by: Option<String>,
}

/// What an image may not have, and had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Devices, pipes and sockets.
    pub special: u64,
    /// Setuid and setgid bits.
    pub set_id: u64,
    /// Extended attributes.
    pub attributes: u64,
}

/// The `config` of an image's configuration, as the OCI image specification has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// ENTRYPOINT.
    #[serde(default, rename = "Entrypoint", deserialize_with = "or_null")]
    pub entrypoint: Vec<String>,
    /// CMD.
    #[serde(default, rename = "Cmd", deserialize_with = "or_null")]
    pub cmd: Vec<String>,
    /// ENV, `NAME=VALUE` each.
    #[serde(default, rename = "Env", deserialize_with = "or_null")]
    pub env: Vec<String>,
    /// WORKDIR; empty where none is set.
    #[serde(default, rename = "WorkingDir", deserialize_with = "or_null")]
    pub working_directory: String,
    /// USER; empty where none is set. Containers of Shifter's run as who starts them.
    #[serde(default, rename = "User", deserialize_with = "or_null")]
    pub user: String,
    /// LABEL.
    #[serde(default, rename = "Labels", deserialize_with = "or_null")]
    pub labels: BTreeMap<String, String>,
}

/// Go writes null for what is empty.
fn or_null<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_in_a_configuration_is_empty() {
        let text = r#"{"Entrypoint":null,"Cmd":["sh"],"Labels":null,"WorkingDir":"/w","Volumes":{"/v":{}}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        let meant = ImageConfig {
            cmd: vec!["sh".to_owned()],
            working_directory: "/w".to_owned(),
            ..ImageConfig::default()
        };
        assert_eq!(config, meant);
    }

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

    #[test]
    fn secrets_are_not_printed() {
        let credentials = Credentials::Password {
            user: "alice".to_owned(),
            password: Secret::new("hunter2"),
        };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
