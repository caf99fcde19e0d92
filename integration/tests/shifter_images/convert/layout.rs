//! Images made of OCI layouts.

use std::fs;

use integration::{Tool, verity_digest};

use super::Home;

/// A layout with two images: `plain`, and one of the name `other`.
const LAYOUT: &str = r#"
import gzip, hashlib, io, json, os, sys, tarfile
top = sys.argv[1]
os.makedirs(top + '/blobs/sha256')
def blob(data):
    digest = hashlib.sha256(data).hexdigest()
    open(f'{top}/blobs/sha256/{digest}', 'wb').write(data)
    return {'digest': 'sha256:' + digest, 'size': len(data)}
def layer(files):
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode='w') as tar:
        for name, content, mode in files:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return text.getvalue()
manifests = []
for name in ('plain', 'other'):
    layers = [layer([('a', b'lower', 0o600), ('b', b'gone', 0o644)]),
              layer([('.wh.b', b'', 0o644), ('name', name.encode(), 0o4755)])]
    diffs = ['sha256:' + hashlib.sha256(one).hexdigest() for one in layers]
    config = {'architecture': sys.argv[2], 'os': 'linux', 'config': json.loads(sys.argv[3]), 'rootfs': {'type': 'layers', 'diff_ids': diffs}}
    kind = 'application/vnd.oci.image.'
    described = [dict(blob(gzip.compress(one)), mediaType=kind + 'layer.v1.tar+gzip') for one in layers]
    config = dict(blob(json.dumps(config).encode()), mediaType=kind + 'config.v1+json')
    manifest = {'schemaVersion': 2, 'mediaType': kind + 'manifest.v1+json', 'config': config, 'layers': described}
    manifests.append(dict(blob(json.dumps(manifest).encode()), mediaType=kind + 'manifest.v1+json',
                          annotations={'org.opencontainers.image.ref.name': name}))
json.dump({'schemaVersion': 2, 'manifests': manifests}, open(top + '/index.json', 'w'))
json.dump({'imageLayoutVersion': '1.0.0'}, open(top + '/oci-layout', 'w'))
"#;

/// How the images of that layout are run.
const CONFIGURATION: &str = r#"{"Entrypoint": ["cat"], "Cmd": ["a", "it's"], "WorkingDir": "/w", "User": "nobody",
 "Env": ["PATH=/bin", "A=x\nUSERACL: 5"]}"#;

/// Fails unless the `.meta` file beside `made` says all that an image's configuration says and can be said there.
#[track_caller]
fn assert_described(home: &Home, made: &str, format: &str) {
    let meta = fs::read_to_string(home.path("made.meta")).expect("a .meta file");
    let digest = format!("#FSVERITY: {}", verity_digest(home.path(made)));
    let mut lines: Vec<&str> = meta.lines().collect();
    lines.retain(|line| !line.starts_with("#MANIFEST: "));
    let format = format!("FORMAT: {format}");
    let wanted = [
        &*format,
        &*digest,
        "ENTRY: ['cat']",
        "CMD: ['a', \"it's\"]",
        "WORKDIR: /w",
        "#USER: nobody",
        "ENV: PATH=/bin",
    ];
    assert_eq!(lines, wanted, "{meta}");
    assert_eq!(meta.lines().count(), lines.len() + 1, "{meta}");
}

#[test]
fn a_layout_becomes_an_image() {
    let home = Home::new();
    let layout = home.store.bench.directory("layout");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Tool::new("/usr/bin/python3")
        .args(["-c", LAYOUT])
        .arg(&layout)
        .arg(architecture)
        .arg(CONFIGURATION)
        .expect(0);
    for (name, format) in [("plain", "erofs"), ("other", "squashfs")] {
        let source = layout.with_file_name(format!("layout:{name}"));
        let made = format!("made.{format}");
        let outcome = home.convert(&source, &made).expect(0);
        let told = "setuid and setgid bits taken away: 1;";
        assert!(outcome.stderr.contains(told), "{outcome}");
        assert_described(&home, &made, format);
        fs::copy(home.path(&made), home.store.path("made", format)).expect("copy");
        let meta = home.store.directory.join("made.meta");
        fs::copy(home.path("made.meta"), meta).expect("copy");
        // One is there, which counts for another image.
        let other = home.convert(&source, "made.sqfs").expect(125);
        assert!(other.stderr.contains("made.meta"), "{other}");
        fs::remove_file(home.path("made.meta")).expect("remove");
        let shown = home
            .store
            .script("made", "cd $1; ls; cat a name; stat -c ' %A %u' a name")
            .expect(0);
        assert_eq!(
            shown.stdout,
            format!("a\nname\nlower{name} -rw-r--r-- 0\n -rwxr-xr-x 0\n"),
            "{shown}"
        );
        fs::remove_file(home.path(&made)).expect("remove");
        home.assert_holds(&[]);
    }
    // Which one?
    let outcome = home.convert(&layout, "made.erofs").expect(125);
    let last = outcome.stderr.lines().last().unwrap_or_default().to_owned();
    assert!(last.contains("it has several images"), "{outcome}");
    home.assert_holds(&[]);
}
