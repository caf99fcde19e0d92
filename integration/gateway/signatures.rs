//! Images that a site's policy wants signed, with signatures as cosign makes them: by openssl's own hand.

use std::path::Path;

use integration::Tool;
use serde_json::json;

use crate::fixture::{Registry, User};
use crate::images;

const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn openssl(arguments: &str) -> Tool {
    Tool::new("openssl").args(arguments.split_whitespace())
}

/// Makes a key pair `NAME.pem`, `NAME.pub`.
fn key(user: &User, name: &str) -> String {
    let private = user.bench.path(&format!("{name}.pem"));
    openssl("ecparam -name prime256v1 -genkey -noout -out")
        .arg(&private)
        .expect(0);
    let public = openssl("ec -pubout -in").arg(&private).expect(0).stdout;
    user.file(&format!("{name}.pub"), &public)
}

/// Puts a signature of `digest` beside an image, for `name`, by a key.
fn sign(
    user: &User,
    registry: &Registry,
    layout: &Path,
    by: &str,
    digest: &str,
    name: &str,
    signed: &str,
) {
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": name },
            "image": { "docker-manifest-digest": signed },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string();
    let signature = openssl("dgst -sha256 -sign")
        .arg(user.bench.path(&format!("{by}.pem")))
        .args(["-out"])
        .arg(user.bench.path("signature"))
        .input(payload.clone());
    signature.expect(0);
    let encoded = Tool::new("base64")
        .arg("-w0")
        .arg(user.bench.path("signature"))
        .expect(0)
        .stdout;
    let mut layer = images::blob(layout, payload.as_bytes());
    let diff = layer["digest"].clone();
    layer["mediaType"] = PAYLOAD.into();
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": encoded.trim() });
    let config =
        json!({ "os": "", "architecture": "", "rootfs": { "type": "layers", "diff_ids": [diff] } });
    let mut config = images::blob(layout, config.to_string().as_bytes());
    config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
    let tag = format!("{}.sig", digest.replace(':', "-"));
    images::manifest(layout, &tag, &config, &[layer]);
    registry.push(layout, &tag, &format!("app:{tag}"));
}

#[test]
fn an_image_is_pulled_where_the_sites_key_has_signed_it_and_else_not() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let (site, other) = (key(&user, "site"), key(&user, "other"));
    let name = format!("{}/app", registry.address);
    let policy = json!({
        "default": [{ "type": "reject" }],
        "transports": { "docker": {
            &name: [{ "type": "sigstoreSigned", "keyPath": site }],
            format!("{}/free", registry.address): [{ "type": "insecureAcceptAnything" }],
        }},
    });
    let policy = user.file("policy.json", &policy.to_string());
    let options = ["--plain-http", "--policy", policy.as_str()];
    let source = registry.image("app:v1");
    // Each with a layout of its own, since a tag of umoci's is there once.
    let attempt = |number: usize| {
        let layout = user.bench.path("layout");
        let _ = std::fs::remove_dir_all(&layout);
        let layout = images::layout(&user.bench);
        let content = user.bench.file("content", number.to_string());
        images::insert(&layout, "v1", &content, "/content");
        let digest = registry.push(&layout, "v1", "app:v1");
        (layout, digest)
    };
    let (layout, first) = attempt(0);
    registry.push(&layout, "v1", "free:v1");
    registry.push(&layout, "v1", "else:v1");
    let free = user.made(&options, &registry.image("free:v1"), "free.erofs");
    assert!(free["signed-by"].is_null());
    let told = user.refused(&options, &registry.image("else:v1"), "else.erofs");
    assert!(told.contains("policy rejects"), "{told}");
    let told = user.refused(&options, &source, "unsigned.erofs");
    assert!(told.contains("isn't signed"), "{told}");
    let told = user.refused(
        &options,
        &format!("oci:{}", layout.display()),
        "local.erofs",
    );
    assert!(told.contains("policy rejects"), "{told}");
    sign(&user, &registry, &layout, "site", &first, &name, &first);
    let made = user.made(&options, &source, "signed.erofs");
    assert_eq!(made["signed-by"], site.as_str());
    let cases: [(&str, &str, bool, &str); 3] = [
        ("other", &name, true, "by a key of the site's"),
        ("site", &name, false, "another image"),
        ("site", "example.org/app", true, "another name"),
    ];
    for (number, (by, for_name, is_own, fault)) in cases.into_iter().enumerate() {
        let (layout, digest) = attempt(number + 1);
        let signed = if is_own { &digest } else { &first };
        sign(&user, &registry, &layout, by, &digest, for_name, signed);
        let told = user.refused(&options, &source, "refused.erofs");
        assert!(told.contains(fault), "{fault}: {told}");
    }
    assert_ne!(site, other);
}
