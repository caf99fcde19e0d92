//! Archives of images that users import, and the documents in them.

use std::fs;
use std::path::Path;

use imagegw::blobs::Digest;
use imagegw::pull::{
    Credentials, Format, Platform, Proxies, PullRequest, Puller, Settings, Source,
};
use serde_json::json;

use crate::Run;
use crate::properties::told;
use crate::tar;

pub(super) fn make(scratch: &Path) -> Run {
    let mut settings = Settings::new(scratch.join("cache"), scratch.join("expand"));
    settings.proxies = Proxies::default();
    // Root pulls nothing, and without a puller there is nothing to try.
    let Ok(puller) = Puller::new(settings) else {
        return Box::new(|_| {});
    };
    let file = scratch.join("image.tar");
    let layout = scratch.join("layout");
    fs::create_dir_all(layout.join("blobs/sha256")).expect("make a layout");
    fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .expect("write it");
    Box::new(move |input| {
        let mut archive = input.to_vec();
        tar::mend(&mut archive);
        fs::write(&file, archive).expect("write the archive");
        for name in [None, Some("x:1".to_owned())] {
            look_up(
                &puller,
                Source::OciArchive {
                    path: file.clone(),
                    name: name.clone(),
                },
            );
            look_up(
                &puller,
                Source::DockerArchive {
                    path: file.clone(),
                    name,
                },
            );
        }
        document(&layout, input);
        look_up(
            &puller,
            Source::OciLayout {
                path: layout.clone(),
                name: None,
            },
        );
    })
}

/// A layout whose only document this is: a manifest, or an index.
fn document(layout: &Path, content: &[u8]) {
    let digest = Digest::of(content);
    let (_, hex) = digest.as_str().split_once(':').expect("an algorithm");
    let blobs = layout.join("blobs/sha256");
    fs::remove_dir_all(&blobs).expect("empty the layout");
    fs::create_dir(&blobs).expect("make it again");
    fs::write(blobs.join(hex), content).expect("write the document");
    let kind = match content.windows(11).any(|window| window == b"\"manifests\"") {
        true => "application/vnd.oci.image.index.v1+json",
        false => "application/vnd.oci.image.manifest.v1+json",
    };
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{ "mediaType": kind, "digest": digest.as_str(), "size": content.len() }],
    });
    fs::write(layout.join("index.json"), index.to_string()).expect("write the index");
}

fn look_up(puller: &Puller, source: Source) {
    let request = PullRequest {
        source,
        platform: Platform::here(),
        credentials: Credentials::Anonymous,
        format: Format::Squashfs,
        destination: "/nowhere".into(),
        stays_at: None,
    };
    match puller.look_up(&request) {
        Err(error) => told(&error),
        Ok(found) => assert!(found.size <= 32 << 30, "{found:?}"),
    }
}
