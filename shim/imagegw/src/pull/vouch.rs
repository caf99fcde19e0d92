//! Whether somebody vouches for an image, before anything of it but documents is fetched.

use std::io::Read;

use super::error::{PullError, too_much};
use super::manifest::Document;
use super::origin::{Origin, Resolved};
use super::registry::InRegistry;
use super::source::Source;
use crate::blobs::Digest;
use crate::signature::{Candidate, Policy, Requirement, Scope, verify};

/// cosign's annotation of a layer whose content is signed.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const MOST_SIGNATURES: usize = 64;
/// Of what is signed, bytes.
const MOST_PAYLOAD: u64 = 64 << 10;

/// Who vouches for an image of a registry; none where the policy wants nobody.
///
/// # Errors
/// [`PullError::Untrusted`], and those of asking.
pub(super) fn in_registry(
    policy: &Policy,
    origin: &InRegistry<'_>,
    resolved: &Resolved,
    source: &Source,
) -> Result<Option<String>, PullError> {
    let repository = origin.canonical();
    let version = origin.version();
    let scope = Scope::Registry {
        repository: &repository,
        version,
    };
    let requirements = policy.requirements(scope);
    let wants_signature = |wanted: &Requirement| matches!(wanted, Requirement::Signed { .. });
    let candidates = match requirements.iter().any(wants_signature) {
        true => candidates(origin, &resolved.digests, &source.to_string())?,
        false => vec![],
    };
    all(
        requirements,
        &candidates,
        &resolved.digests,
        &repository,
        version,
        source,
    )
}

/// Likewise of an image of this host, which has no signatures beside it.
///
/// # Errors
/// [`PullError::Untrusted`].
pub(super) fn local(policy: &Policy, source: &Source) -> Result<Option<String>, PullError> {
    let (transport, path) = match source {
        Source::Registry(_) => return Ok(None),
        Source::OciLayout { path, .. } => ("oci", path),
        Source::OciArchive { path, .. } => ("oci-archive", path),
        Source::DockerArchive { path, .. } => ("docker-archive", path),
        Source::ImageFile { path } => ("image", path),
    };
    let requirements = policy.requirements(Scope::Local { transport, path });
    all(requirements, &[], &[], "", "", source)
}

fn all(
    requirements: &[Requirement],
    candidates: &[Candidate],
    digests: &[Digest],
    repository: &str,
    version: &str,
    source: &Source,
) -> Result<Option<String>, PullError> {
    let mut by = None;
    for requirement in requirements {
        let found = verify(requirement, candidates, digests, repository, version);
        let found = found.map_err(|reason| PullError::Untrusted {
            image: source.to_string(),
            reason,
        })?;
        by = by.or(found);
    }
    Ok(by)
}

/// The signatures beside an image: layers of the image with the tag `sha256-HEX.sig`.
fn candidates(
    origin: &InRegistry<'_>,
    digests: &[Digest],
    what: &str,
) -> Result<Vec<Candidate>, PullError> {
    let mut candidates = vec![];
    for digest in digests {
        let tag = format!("{}-{}.sig", digest.algorithm().name(), digest.hex());
        let Some(content) = origin.tagged(&tag)? else {
            continue;
        };
        let what = format!("{what}: its signatures");
        let Document::Manifest(manifest) = Document::parse(&content, None, &what)? else {
            continue;
        };
        for layer in &manifest.layers {
            let Some(signature) = layer.annotations.get(SIGNATURE) else {
                continue;
            };
            if layer.size > MOST_PAYLOAD {
                return Err(too_much(&what, MOST_PAYLOAD, "bytes"));
            }
            if candidates.len() >= MOST_SIGNATURES {
                return Err(too_much(&what, MOST_SIGNATURES as u64, "signatures"));
            }
            let mut payload = vec![];
            let read = origin
                .blob(layer, 0)?
                .take(MOST_PAYLOAD)
                .read_to_end(&mut payload);
            read.map_err(|error| PullError::Registry {
                operation: "read",
                url: what.clone(),
                reason: error.to_string(),
            })?;
            let signature = signature.clone();
            candidates.push(Candidate { payload, signature });
        }
    }
    Ok(candidates)
}
