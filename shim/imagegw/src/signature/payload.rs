//! What cosign signs: a few words of JSON with the image's digest and name in it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::identity::is_for;
use super::policy::{Identity, Requirement};
use crate::blobs::Digest;

const KINDS: [&str; 2] = [
    "cosign container image signature",
    "atomic container signature",
];

/// A signature that somebody has put beside an image.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// What is signed.
    pub(crate) payload: Vec<u8>,
    /// The signature, base64.
    pub(crate) signature: String,
}

#[derive(Debug, Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Debug, Deserialize)]
struct Critical {
    identity: Named,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Debug, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// Who has signed an image with one of these digests as a requirement wants it; else why nobody has, as the end of a
/// sentence.
pub(crate) fn verify(
    requirement: &Requirement,
    candidates: &[Candidate],
    digests: &[Digest],
    repository: &str,
    version: &str,
) -> Result<Option<String>, &'static str> {
    let (keys, identity) = match requirement {
        Requirement::Nothing => return Ok(None),
        Requirement::Reject => return Err("the site's policy rejects it"),
        Requirement::Signed { keys, identity } => (keys, identity),
    };
    if candidates.is_empty() {
        return Err("it isn't signed, and the site's policy wants that");
    }
    let mut reason = "no signature of it is by a key of the site's policy";
    for candidate in candidates {
        let Ok(signature) = BASE64_STANDARD.decode(&candidate.signature) else {
            continue;
        };
        let owner = keys
            .iter()
            .find(|(key, _)| key.has_signed(&candidate.payload, &signature));
        let Some((_, owner)) = owner else { continue };
        // Nothing of a payload is believed before somebody vouches for it.
        match is_of(&candidate.payload, identity, digests, repository, version) {
            Ok(()) => return Ok(Some(owner.clone())),
            Err(other) => reason = other,
        }
    }
    Err(reason)
}

fn is_of(
    payload: &[u8],
    identity: &Identity,
    digests: &[Digest],
    repository: &str,
    version: &str,
) -> Result<(), &'static str> {
    let payload: Result<Payload, _> = serde_json::from_slice(payload);
    let Ok(Payload { critical }) = payload else {
        return Err("what is signed is no payload of cosign's");
    };
    if !KINDS.contains(&critical.kind.as_str()) {
        return Err("what is signed is no payload of cosign's");
    }
    if !digests.contains(&critical.image.digest) {
        return Err("its signature is that of another image");
    }
    match is_for(identity, &critical.identity.reference, repository, version) {
        true => Ok(()),
        false => Err("its signature is for another name"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::key::Key;
    use super::super::key::tests::Private;
    use super::*;

    fn payload(digest: &Digest, name: &str) -> Vec<u8> {
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": name },
                "image": { "docker-manifest-digest": digest },
                "type": KINDS[0],
            },
            "optional": null,
        });
        payload.to_string().into_bytes()
    }

    fn candidate(by: &Private, payload: Vec<u8>) -> Candidate {
        let signature = BASE64_STANDARD.encode(by.sign(&payload));
        Candidate { payload, signature }
    }

    #[test]
    fn an_image_is_signed_by_its_own_signature_alone() {
        let (owner, other) = (Private::new(), Private::new());
        let key = Key::parse(owner.public().as_bytes()).unwrap();
        let requirement = Requirement::Signed {
            keys: vec![(key, "site.pub".to_owned())],
            identity: Identity::Usual,
        };
        let (digest, another) = (Digest::of(b"image"), Digest::of(b"another"));
        let digests = [Digest::of(b"index"), digest.clone()];
        let check =
            |candidates: &[Candidate]| verify(&requirement, candidates, &digests, "a/x", "1");
        let good = candidate(&owner, payload(&digest, "a/x"));
        let bad = [
            candidate(&other, payload(&digest, "a/x")),
            candidate(&owner, payload(&another, "a/x")),
            candidate(&owner, payload(&digest, "a/y")),
            candidate(&owner, b"{}".to_vec()),
            Candidate {
                payload: payload(&another, "a/x"),
                ..good.clone()
            },
            Candidate {
                signature: "no base64".to_owned(),
                ..good.clone()
            },
        ];
        assert!(check(&[]).unwrap_err().contains("isn't signed"));
        for bad in &bad {
            assert!(check(std::slice::from_ref(bad)).is_err(), "{bad:?}");
        }
        let of_index = candidate(&owner, payload(&digests[0], "a/x:1"));
        for good in [good, of_index] {
            let all = [&bad[..], &[good]].concat();
            assert_eq!(check(&all), Ok(Some("site.pub".to_owned())));
        }
    }

    #[test]
    fn nothing_and_reject_need_no_signature() {
        assert_eq!(
            verify(&Requirement::Nothing, &[], &[], "a/x", "1"),
            Ok(None)
        );
        assert!(verify(&Requirement::Reject, &[], &[], "a/x", "1").is_err());
    }
}
