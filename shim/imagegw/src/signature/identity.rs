//! What a signature says of what it is for.

use super::policy::Identity;

/// Whether a signature for `signed` is one for what was asked for.
pub(super) fn is_for(identity: &Identity, signed: &str, repository: &str, version: &str) -> bool {
    let (signed_repository, signed_tag) = split(signed);
    match identity {
        Identity::Usual => {
            signed_repository == repository
                // Who asks by digest has what is signed, whatever its tag.
                && (signed_tag.is_none_or(|tag| tag == version) || version.contains(':'))
        }
        Identity::Exact => signed_repository == repository && signed_tag == Some(version),
        Identity::Repository => signed_repository == repository,
        Identity::ThisReference(reference) => signed == reference,
        Identity::ThisRepository(repository) => signed_repository == repository,
    }
}

/// A reference's repository, and its tag if it has one.
fn split(reference: &str) -> (&str, Option<&str>) {
    let name = reference.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_for_what_it_says() {
        let this = |name: &str| Identity::ThisReference(name.to_owned());
        let there = |name: &str| Identity::ThisRepository(name.to_owned());
        let digest = "sha256:00";
        for (identity, signed, version, meant) in [
            (Identity::Usual, "a:5000/x", "1", true),
            (Identity::Usual, "a:5000/x:1", "1", true),
            (Identity::Usual, "a:5000/x:2", "1", false),
            (Identity::Usual, "a:5000/x:2", digest, true),
            (Identity::Usual, "a:5000/y", "1", false),
            (Identity::Usual, "a:5000/y", digest, false),
            (Identity::Usual, "a/x", "1", false),
            (Identity::Usual, "", "1", false),
            (Identity::Exact, "a:5000/x:1", "1", true),
            (Identity::Exact, "a:5000/x", "1", false),
            (Identity::Repository, "a:5000/x:2", "1", true),
            (Identity::Repository, "a:5000/y:1", "1", false),
            (this("b/z:3"), "b/z:3", "1", true),
            (this("b/z:3"), "b/z", "1", false),
            (this("b/z:3"), "a:5000/x:1", "1", false),
            (there("b/z"), "b/z:3", "1", true),
            (there("b/z"), "a:5000/x:1", "1", false),
        ] {
            let found = is_for(&identity, signed, "a:5000/x", version);
            assert_eq!(found, meant, "{identity:?} {signed} {version}");
        }
    }
}
