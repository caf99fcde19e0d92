//! `ConverterOptions`: what a site may say of how image files are written.

use integration::Tool;
use serde_json::{Value, json};

use crate::serving::{ANN, Gateway};

/// An image that a gateway with these keys has made: what is told of it, and the gateway.
fn made(more: &Value) -> (Gateway, Value) {
    let gateway = Gateway::with(more);
    gateway.client(ANN, &["pull", "tools/x:1"]).expect(0);
    let told = gateway.client(ANN, &["inspect", "tools/x:1"]).expect(0);
    let told = serde_json::from_str(&told.stdout).expect("JSON");
    (gateway, told)
}

fn squashfs(options: &Value) -> (Gateway, Value) {
    made(&json!({
        "DefaultImageFormat": "squashfs",
        "ConverterOptions": options,
    }))
}

#[test]
fn a_squashfs_is_written_as_the_site_says_and_the_same_each_time() {
    let gzip = json!({ "squashfs": ["-comp", "gzip", "-b", "64K"] });
    let (gateway, told) = squashfs(&gzip);
    let image = gateway
        .bench
        .path(&format!("images/{}.squashfs", gateway.origin.id()));
    Tool::new("unsquashfs")
        .arg("-s")
        .arg(image)
        .expect(0)
        .says("Compression gzip")
        .says("Block size 65536")
        .says("Xattrs are not stored");
    let (_, again) = squashfs(&gzip);
    assert_eq!(told["verity_digest"], again["verity_digest"]);
    // Processors and memory change nothing but the time that it takes.
    let [usual, other] = ["", "-processors 3 -mem 64M"].map(|options| squashfs(&json!(options)).1);
    assert_ne!(usual["verity_digest"], told["verity_digest"]);
    assert_eq!(usual["verity_digest"], other["verity_digest"]);
}

#[test]
fn an_erofs_is_compressed_where_the_site_says_so() {
    let (_, usual) = made(&json!({}));
    let (gateway, told) =
        made(&json!({ "ConverterOptions": { "erofs": ["-zlz4hc,9", "-C65536"] } }));
    let size = |told: &Value| told["size"].as_u64().expect("a size");
    assert!(size(&told) < size(&usual), "{told}\n{usual}");
    let image = gateway
        .bench
        .path(&format!("images/{}.erofs", gateway.origin.id()));
    Tool::new("fsck.erofs").arg(image).expect(0);
    let (_, again) = made(&json!({ "ConverterOptions": { "erofs": "-zlz4hc,9 -C65536" } }));
    assert_eq!(told["verity_digest"], again["verity_digest"]);
}
