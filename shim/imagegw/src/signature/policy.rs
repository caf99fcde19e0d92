//! Whose signatures images need: `{"default": […], "transports": {"docker": {SCOPE: […]}}}`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::key::Key;

/// A policy. Without one, every image is taken.
#[derive(Debug, Clone)]
pub struct Policy {
    default: Vec<Requirement>,
    transports: BTreeMap<String, BTreeMap<String, Vec<Requirement>>>,
}

/// What an image needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// `insecureAcceptAnything`: nothing.
    Nothing,
    /// `reject`: no image is good enough.
    Reject,
    /// `sigstoreSigned`: a signature by one of these keys.
    Signed {
        /// The keys, and where each was.
        keys: Vec<(Key, String)>,
        /// What a signature has to say of what it is for.
        identity: Identity,
    },
}

/// What a signature has to say of what it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// The repository, as cosign writes it, or the repository with the tag that was asked for.
    #[default]
    Usual,
    /// `matchExact`: the repository with the tag.
    Exact,
    /// `matchRepository`: the repository, whatever the tag.
    Repository,
    /// `exactReference`: this name with a tag.
    ThisReference(String),
    /// `exactRepository`: this repository, whatever the tag.
    ThisRepository(String),
}

/// What a requirement is looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// `docker`: an image of a registry.
    Registry {
        /// `HOST[:PORT]/REPOSITORY`.
        repository: &'a str,
        /// The tag, or the digest.
        version: &'a str,
    },
    /// An image of this host: its kind (`oci`, `docker-archive`, …) and path.
    Local {
        /// The kind.
        transport: &'a str,
        /// The path.
        path: &'a Path,
    },
}

/// Why a policy is refused. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It can't be read.
    #[error("read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It isn't what it should be.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Vec<Entry>,
    #[serde(default)]
    transports: BTreeMap<String, BTreeMap<String, Vec<Entry>>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Entry {
    #[serde(rename = "insecureAcceptAnything")]
    Nothing {},
    #[serde(rename = "reject")]
    Reject {},
    #[serde(rename = "sigstoreSigned", rename_all = "camelCase")]
    Signed {
        key_path: Option<PathBuf>,
        key_paths: Option<Vec<PathBuf>>,
        key_data: Option<String>,
        signed_identity: Option<SignedIdentity>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum SignedIdentity {
    MatchExact {},
    MatchRepository {},
    ExactReference { docker_reference: String },
    ExactRepository { docker_repository: String },
}

impl Policy {
    /// Reads a file and the keys that it names.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let malformed = |reason: String| PolicyError::Malformed {
            path: path.to_path_buf(),
            reason,
        };
        let content = fs::read(path).map_err(|source| PolicyError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        let file: File =
            serde_json::from_slice(&content).map_err(|error| malformed(error.to_string()))?;
        let all = |scope: &str, entries: Vec<Entry>| {
            if entries.is_empty() {
                return Err(malformed(format!("{scope:?} has no requirement")));
            }
            let read = |entry| {
                requirement(entry).map_err(|reason| malformed(format!("{scope:?}: {reason}")))
            };
            entries.into_iter().map(read).collect::<Result<Vec<_>, _>>()
        };
        let mut transports = BTreeMap::new();
        for (transport, scopes) in file.transports {
            let mut read = BTreeMap::new();
            for (scope, entries) in scopes {
                let requirements = all(&scope, entries)?;
                read.insert(scope, requirements);
            }
            transports.insert(transport, read);
        }
        Ok(Self {
            default: all("default", file.default)?,
            transports,
        })
    }

    /// What an image needs, all of it: that of the longest scope that it is in.
    pub fn requirements(&self, scope: Scope<'_>) -> &[Requirement] {
        let (transport, names) = match scope {
            Scope::Registry {
                repository,
                version,
            } => ("docker", of_registry(repository, version)),
            Scope::Local { transport, path } => (transport, of_path(path)),
        };
        let scopes = self.transports.get(transport);
        let found = scopes.and_then(|scopes| names.iter().find_map(|name| scopes.get(name)));
        found.unwrap_or(&self.default)
    }
}

fn requirement(entry: Entry) -> Result<Requirement, String> {
    let Entry::Signed {
        key_path,
        key_paths,
        key_data,
        signed_identity,
    } = entry
    else {
        return Ok(match entry {
            Entry::Reject {} => Requirement::Reject,
            _ => Requirement::Nothing,
        });
    };
    let paths = match (key_path, key_paths, key_data) {
        (Some(path), None, None) => vec![path],
        (None, Some(paths), None) if !paths.is_empty() => paths,
        (None, None, Some(data)) => {
            let pem = BASE64_STANDARD
                .decode(data)
                .map_err(|_| "keyData isn't base64")?;
            let key = Key::parse(&pem).map_err(|error| format!("keyData {error}"))?;
            let name = key.fingerprint().to_string();
            return Ok(signed(vec![(key, name)], signed_identity));
        }
        _ => return Err("has one of keyPath, keyPaths and keyData".to_owned()),
    };
    let read = |path: PathBuf| {
        let shown = path.display();
        let pem = fs::read(&path).map_err(|error| format!("read {shown}: {error}"))?;
        let key = Key::parse(&pem).map_err(|error| format!("{shown} {error}"))?;
        Ok((key, shown.to_string()))
    };
    let keys = paths.into_iter().map(read).collect::<Result<_, String>>();
    Ok(signed(keys?, signed_identity))
}

fn signed(keys: Vec<(Key, String)>, identity: Option<SignedIdentity>) -> Requirement {
    let identity = match identity {
        None => Identity::Usual,
        Some(SignedIdentity::MatchExact {}) => Identity::Exact,
        Some(SignedIdentity::MatchRepository {}) => Identity::Repository,
        Some(SignedIdentity::ExactReference { docker_reference }) => {
            Identity::ThisReference(docker_reference)
        }
        Some(SignedIdentity::ExactRepository { docker_repository }) => {
            Identity::ThisRepository(docker_repository)
        }
    };
    Requirement::Signed { keys, identity }
}

/// The scopes of an image, the narrowest first: with its tag, its repository, what is above that, its host, the host's
/// domains as `*.DOMAIN`, and the whole transport.
fn of_registry(repository: &str, version: &str) -> Vec<String> {
    let separator = if version.contains(':') { '@' } else { ':' };
    let mut names = vec![format!("{repository}{separator}{version}")];
    let mut rest = repository;
    names.push(rest.to_owned());
    while let Some((above, _)) = rest.rsplit_once('/') {
        names.push(above.to_owned());
        rest = above;
    }
    let host = rest.split(':').next().unwrap_or_default();
    let mut domain = host;
    while let Some((_, above)) = domain.split_once('.') {
        names.push(format!("*.{above}"));
        domain = above;
    }
    names.push(String::new());
    names
}

fn of_path(path: &Path) -> Vec<String> {
    let ancestors = path.ancestors().map(|path| path.display().to_string());
    ancestors
        .filter(|path| !path.is_empty())
        .chain([String::new()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::key::tests::Private;
    use super::*;

    fn read(text: &str) -> Result<Policy, String> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("key.pub"), Private::new().public()).unwrap();
        let text = text.replace("KEY", directory.path().join("key.pub").to_str().unwrap());
        let path = directory.path().join("policy.json");
        fs::write(&path, text).unwrap();
        Policy::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_narrowest_scope_counts() {
        let policy = read(
            r#"{"default": [{"type": "reject"}], "transports": {
                "docker": {
                    "": [{"type": "reject"}],
                    "a.io": [{"type": "insecureAcceptAnything"}],
                    "a.io/signed": [{"type": "sigstoreSigned", "keyPath": "KEY"}],
                    "a.io/signed/not": [{"type": "insecureAcceptAnything"}],
                    "a.io/x:old": [{"type": "reject"}],
                    "b.io:5000": [{"type": "insecureAcceptAnything"}],
                    "*.c.io": [{"type": "insecureAcceptAnything"}]
                },
                "oci": {"/srv/images": [{"type": "insecureAcceptAnything"}]}
            }}"#,
        )
        .unwrap();
        for (repository, version, meant) in [
            ("a.io/x", "1", "nothing"),
            ("a.io/x", "old", "reject"),
            ("a.io/signed", "1", "signed"),
            ("a.io/signed/deep/x", "1", "signed"),
            ("a.io/signed/not", "1", "nothing"),
            ("a.io/signedx", "1", "nothing"),
            ("a.io.evil/x", "1", "reject"),
            ("b.io:5000/x", "1", "nothing"),
            ("b.io/x", "1", "reject"),
            ("r.c.io/x", "1", "nothing"),
            ("r.c.io:5000/x", "1", "nothing"),
            ("c.io/x", "1", "reject"),
        ] {
            let found = policy.requirements(Scope::Registry {
                repository,
                version,
            });
            let found = match found {
                [Requirement::Nothing] => "nothing",
                [Requirement::Reject] => "reject",
                _ => "signed",
            };
            assert_eq!(found, meant, "{repository}:{version}");
        }
        for (path, meant) in [
            ("/srv/images/x", Requirement::Nothing),
            ("/srv/imagesx", Requirement::Reject),
        ] {
            let found = policy.requirements(Scope::Local {
                transport: "oci",
                path: Path::new(path),
            });
            assert_eq!(found, [meant], "{path}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, fault) in [
            ("{}", "default"),
            (r#"{"default": []}"#, "no requirement"),
            (r#"{"default": [{"type": "accept"}]}"#, "unknown variant"),
            (
                r#"{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "KEY"}]}"#,
                "signedBy",
            ),
            (r#"{"default": [{"type": "reject", "more": 1}]}"#, "more"),
            (
                r#"{"default": [{"type": "reject"}], "transport": {}}"#,
                "transport",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned"}]}"#,
                "one of keyPath",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned", "keyPath": "KEY", "keyData": ""}]}"#,
                "one of keyPath",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned", "keyPath": "/nowhere"}]}"#,
                "/nowhere",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned", "keyPath": "/dev/null"}]}"#,
                "P-256",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned", "keyData": "eA=="}]}"#,
                "P-256",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned", "keyPath": "KEY", "fulcio": {}}]}"#,
                "fulcio",
            ),
            (
                r#"{"default": [{"type": "sigstoreSigned", "keyPath": "KEY",
                    "signedIdentity": {"type": "remapIdentity"}}]}"#,
                "remapIdentity",
            ),
        ] {
            let told = read(text).expect_err(text);
            assert!(told.contains(fault), "{text}: {told}");
        }
    }
}
