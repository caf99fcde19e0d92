//! Images as umoci makes them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use integration::{Bench, Tool};
use serde_json::{Value, json};

/// An OCI layout with the image `v1`: two layers, of which the second takes something of the first away.
pub fn layout(bench: &Bench) -> PathBuf {
    let layout = bench.path("layout");
    umoci(&["init", "--layout"]).arg(&layout).expect(0);
    umoci(&["new", "--image"])
        .arg(tagged(&layout, "v1"))
        .expect(0);
    let _ = fs::remove_dir_all(bench.path("lower"));
    let lower = bench.directory("lower");
    let set_id = lower.join("setuid");
    fs::write(&set_id, "s").expect("write");
    fs::set_permissions(&set_id, fs::Permissions::from_mode(0o4755)).expect("chmod");
    fs::write(lower.join("old"), "gone").expect("write");
    fs::write(lower.join("kept"), "kept").expect("write");
    fs::set_permissions(lower.join("kept"), fs::Permissions::from_mode(0o600)).expect("chmod");
    symlink("/etc/passwd", lower.join("link")).expect("a link");
    insert(&layout, "v1", &lower, "/d");
    umoci(&["insert", "--whiteout", "--image"])
        .arg(tagged(&layout, "v1"))
        .arg("/d/old")
        .expect(0);
    let config =
        "--config.entrypoint /bin/sh --config.cmd -c --config.env A=b --config.workingdir /d";
    umoci(&["config", "--image"])
        .arg(tagged(&layout, "v1"))
        .args(config.split(' '))
        .expect(0);
    readable(&layout);
    layout
}

/// What comes of it.
pub const HELD: [&str; 5] = [
    "d/ 755",
    "d/kept 644 kept",
    "d/link -> /etc/passwd",
    "d/setuid 755 s",
    "proof 644 v1",
];

/// Puts a file or a directory into an image, as a layer.
pub fn insert(layout: &Path, tag: &str, what: &Path, place: &str) {
    umoci(&["insert", "--image"])
        .arg(tagged(layout, tag))
        .arg(what)
        .arg(place)
        .expect(0);
}

/// Makes `new` the image that `old` is.
pub fn tag(layout: &Path, old: &str, new: &str) {
    umoci(&["tag", "--image"])
        .arg(tagged(layout, old))
        .arg(new)
        .expect(0);
}

/// Makes `name` an image for two platforms of two that are there: `linux/amd64`, `linux/arm64`.
pub fn index(layout: &Path, amd64: &str, arm64: &str, name: &str) {
    umoci(&["config", "--architecture", "amd64", "--image"])
        .arg(tagged(layout, amd64))
        .expect(0);
    umoci(&["config", "--architecture", "arm64", "--image"])
        .arg(tagged(layout, arm64))
        .expect(0);
    let path = layout.join("index.json");
    let mut top: Value = serde_json::from_slice(&fs::read(&path).expect("an index")).expect("JSON");
    let of = |tag: &str, architecture: &str| {
        let all = top["manifests"].as_array().expect("manifests");
        let has_tag = |entry: &&Value| entry["annotations"][NAME] == tag;
        let found = all.iter().find(has_tag).expect("the tag");
        json!({
            "mediaType": found["mediaType"],
            "digest": found["digest"],
            "size": found["size"],
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [of(amd64, "amd64"), of(arm64, "arm64")],
    });
    let mut entry = blob(layout, index.to_string().as_bytes());
    entry["mediaType"] = INDEX.into();
    entry["annotations"] = json!({ NAME: name });
    top["manifests"]
        .as_array_mut()
        .expect("manifests")
        .push(entry);
    fs::write(&path, top.to_string()).expect("write");
    readable(layout);
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const NAME: &str = "org.opencontainers.image.ref.name";

/// Puts an image into a layout that has these layers, each a descriptor, and this configuration.
pub fn manifest(layout: &Path, name: &str, config: &Value, layers: &[Value]) {
    let document = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": layers,
    });
    let mut entry = blob(layout, document.to_string().as_bytes());
    entry["mediaType"] = document["mediaType"].clone();
    entry["annotations"] = json!({ NAME: name });
    let path = layout.join("index.json");
    let mut top: Value = serde_json::from_slice(&fs::read(&path).expect("an index")).expect("JSON");
    top["manifests"]
        .as_array_mut()
        .expect("manifests")
        .push(entry);
    fs::write(&path, top.to_string()).expect("write");
    readable(layout);
}

/// Puts a blob into a layout; its descriptor, without a type.
pub fn blob(layout: &Path, content: &[u8]) -> Value {
    let sum = Tool::new("sha256sum").input(content).expect(0);
    let hex = sum.stdout.split(' ').next().expect("a digest");
    fs::write(layout.join("blobs/sha256").join(hex), content).expect("write");
    json!({ "digest": format!("sha256:{hex}"), "size": content.len() })
}

/// Lets everybody read it, as umoci doesn't.
pub fn readable(layout: &Path) {
    Tool::new("chmod")
        .args(["-R", "a+rX"])
        .arg(layout)
        .expect(0);
}

fn umoci(arguments: &[&str]) -> Tool {
    Tool::new("umoci").args(arguments)
}

fn tagged(layout: &Path, tag: &str) -> String {
    format!("{}:{tag}", layout.display())
}
