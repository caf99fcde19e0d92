//! An image that is written as its layers come, mounted by the kernel: all of it is as the layers have it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use integration::{Bench, Tool};
use serde_json::{Value, json};

use crate::fixture::User;
use crate::images;

/// Lengths around all that a block and what is behind an inode make a difference for.
const LENGTHS: [usize; 14] = [
    0, 1, 511, 4031, 4032, 4033, 4095, 4096, 4097, 8128, 8129, 12_288, 131_072, 1_000_001,
];

/// Bytes that differ from block to block.
fn bytes(length: usize) -> Vec<u8> {
    let numbers = (0_u32..).flat_map(u32::to_le_bytes);
    numbers.take(length).collect()
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("write");
    fs::set_permissions(path, Permissions::from_mode(0o644)).expect("chmod");
}

fn make(path: PathBuf) -> PathBuf {
    fs::create_dir_all(&path).expect("make a directory");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("chmod");
    path
}

/// A tree of all that an image can have.
fn tree(bench: &Bench) -> PathBuf {
    let tree = make(bench.path("tree"));
    let many = make(tree.join("many"));
    for number in 0..10_000_usize {
        write(
            &many.join(number.to_string()),
            number.to_string().as_bytes(),
        );
    }
    let lengths = make(tree.join("lengths"));
    for length in LENGTHS {
        write(&lengths.join(length.to_string()), &bytes(length));
    }
    // More holes than a header of tar's has room for, not along blocks, and one at the end.
    let holes = lengths.join("holes");
    write(&holes, b"");
    let file = File::options().write(true).open(holes).expect("open");
    for number in 0..30 {
        file.write_all_at(&bytes(5000), number * 300_001)
            .expect("write");
    }
    file.set_len(10 << 20).expect("a hole");
    let names = make(tree.join("names"));
    // Around `.` and `..`, between which a directory has others.
    for name in ["!", "-", "..a", ".a", "...", "\u{e4}", "a b", "a\\b"] {
        write(&names.join(name), name.as_bytes());
    }
    for number in 0..40 {
        write(&names.join(format!("{number:0255}")), b"");
    }
    let links = make(tree.join("links"));
    for (name, target) in [
        ("short", "a"),
        ("up", "../../.."),
        ("long", &"l/".repeat(2020)),
    ] {
        symlink(target, links.join(name)).expect("a link");
    }
    fs::hard_link(lengths.join("4097"), links.join("hard")).expect("a hard link");
    fs::hard_link(lengths.join("4097"), tree.join("hard")).expect("a hard link");
    fs::hard_link(links.join("short"), links.join("again")).expect("a hard link");
    let mut deep = tree.join("deep");
    for _ in 0..100 {
        deep.push("d");
    }
    write(&make(deep).join("file"), b"deep");
    let sticky = make(tree.join("sticky"));
    fs::set_permissions(sticky, Permissions::from_mode(0o1777)).expect("chmod");
    write(&tree.join("program"), b"#!");
    fs::set_permissions(tree.join("program"), Permissions::from_mode(0o755)).expect("chmod");
    tree
}

/// GNU tar's archive of what is in a directory, all of it of one time; and its descriptor.
fn layer(bench: &Bench, layout: &Path, tree: &Path, options: &[&str]) -> (Value, Value) {
    let archive = bench.path("layer.tar");
    Tool::new("tar")
        .args([
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--sort=name",
            "-cf",
        ])
        .arg(&archive)
        .args(options)
        .arg("-C")
        .arg(tree)
        .arg(".")
        .expect(0);
    let content = fs::read(&archive).expect("read");
    let mut blob = images::blob(layout, &content);
    blob["mediaType"] = "application/vnd.oci.image.layer.v1.tar".into();
    let diff = blob["digest"].clone();
    (blob, diff)
}

/// An image of these layers, as a layout.
fn image(layout: &Path, layers: &[(Value, Value)]) {
    let blobs: Vec<Value> = layers.iter().map(|(blob, _)| blob.clone()).collect();
    let diffs: Vec<&Value> = layers.iter().map(|(_, diff)| diff).collect();
    let config = json!({ "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": diffs } });
    let mut config = images::blob(layout, config.to_string().as_bytes());
    config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
    images::manifest(layout, "v1", &config, &blobs);
}

fn layout(bench: &Bench) -> PathBuf {
    let layout = bench.path("layout");
    make(layout.join("blobs/sha256"));
    let index = json!({ "schemaVersion": 2, "manifests": [] });
    write(&layout.join("index.json"), index.to_string().as_bytes());
    write(
        &layout.join("oci-layout"),
        b"{\"imageLayoutVersion\":\"1.0.0\"}",
    );
    layout
}

/// All that is below a directory: kind, mode, time, names, length and target of each, and the digests of its files.
const LIST: &str = r#"cd "$1" && find . -type d -printf '%p|%y|%m|%Ts\n' -o -printf '%p|%y|%m|%Ts|%n|%s|%l\n' | LC_ALL=C sort &&
                      find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum"#;

fn listed(tree: &Path) -> String {
    let tool = Tool::new("sh").args(["-ec", LIST, "sh"]).arg(tree);
    tool.expect(0).stdout
}

/// The same of an image, mounted by the kernel where nobody else sees it.
fn mounted(bench: &Bench, image: &Path) -> String {
    let script = format!("mount -t erofs -o ro \"$2\" \"$1\"\n{LIST}");
    let on = make(bench.path("mounted"));
    let tool = Tool::new("unshare").args(["--mount", "sh", "-ec", &script, "sh"]);
    tool.arg(on).arg(image).expect(0).stdout
}

#[track_caller]
fn assert_same(found: &str, meant: &str) {
    let differ = found.lines().zip(meant.lines()).find(|(a, b)| a != b);
    assert_eq!(differ, None);
    assert_eq!(found.lines().count(), meant.lines().count());
}

#[test]
fn an_image_is_what_its_layer_is_whatever_is_in_it() {
    let user = User::new();
    let tree = tree(&user.bench);
    let layout = layout(&user.bench);
    let time = "--mtime=@1700000000";
    image(
        &layout,
        &[layer(&user.bench, &layout, &tree, &[time, "--sparse"])],
    );
    let source = format!("oci:{}:v1", layout.display());
    user.made(&[], &source, "image.erofs");
    let image = user.home.join("image.erofs");
    Tool::new("fsck.erofs").arg(&image).expect(0);
    // What the kernel shows of it is what the archive has.
    let every = ["-exec", "touch", "-h", "-d", "@1700000000", "{}", "+"];
    Tool::new("find").arg(&tree).args(every).expect(0);
    let (found, meant) = (mounted(&user.bench, &image), listed(&tree));
    assert!(found.lines().count() > 20_000, "{found}");
    assert_same(&found, &meant);
    // And the same bytes each time.
    user.made(&["--cache", "another"], &source, "again.erofs");
    assert_eq!(user.digest("again.erofs"), user.digest("image.erofs"));
}

#[test]
fn what_layers_replace_leaves_room_that_others_take() {
    let user = User::new();
    let lower = make(user.bench.path("lower"));
    for number in 0..200 {
        write(
            &lower.join(number.to_string()),
            &bytes(100_000 + number * 100),
        );
    }
    let layout = layout(&user.bench);
    let time = "--mtime=@1700000000";
    let first = layer(&user.bench, &layout, &lower, &[time]);
    let upper = make(user.bench.path("upper"));
    for number in 0..150_usize {
        match number % 3 {
            0 => write(&upper.join(format!(".wh.{number}")), b""),
            _ => write(&upper.join(number.to_string()), &bytes(90_000)),
        }
    }
    let second = layer(&user.bench, &layout, &upper, &[time]);
    image(&layout, &[first, second]);
    let source = format!("oci:{}:v1", layout.display());
    let made = user.made(&[], &source, "image.erofs");
    let image = user.home.join("image.erofs");
    Tool::new("fsck.erofs").arg(&image).expect(0);
    for number in 0..150_usize {
        let (name, new) = (number.to_string(), upper.join(number.to_string()));
        match number % 3 {
            0 => fs::remove_file(lower.join(name)).expect("remove"),
            _ => fs::rename(new, lower.join(name)).map(drop).expect("move"),
        }
    }
    let every = ["-exec", "touch", "-h", "-d", "@1700000000", "{}", "+"];
    Tool::new("find").arg(&lower).args(every).expect(0);
    assert_same(&mounted(&user.bench, &image), &listed(&lower));
    // Both together would have 35 MB.
    let size = made["size"].as_u64().expect("a size");
    assert!(size < 24_000_000, "{size}");
}

#[test]
fn what_an_archive_has_as_holes_takes_no_room() {
    let user = User::new();
    let tree = make(user.bench.path("tree"));
    let file = File::create(tree.join("sparse")).expect("create");
    file.set_len(400 << 20).expect("a length");
    file.write_all_at(b"middle", 200 << 20).expect("write");
    file.write_all_at(b"end", (400 << 20) - 3).expect("write");
    let layout = layout(&user.bench);
    let options = ["--format=gnu", "--sparse", "--mtime=@1700000000"];
    image(&layout, &[layer(&user.bench, &layout, &tree, &options)]);
    let source = format!("oci:{}:v1", layout.display());
    user.made(&[], &source, "image.erofs");
    let image = user.home.join("image.erofs");
    use std::os::unix::fs::MetadataExt;
    let taken = image.metadata().expect("metadata").blocks() * 512;
    assert!(taken < 64 << 20, "{taken}");
    let script = r#"mount -t erofs -o ro "$2" "$1" && cmp "$1/sparse" "$3/sparse""#;
    let on = make(user.bench.path("mounted"));
    Tool::new("unshare")
        .args(["--mount", "sh", "-ec", script, "sh"])
        .arg(on)
        .arg(&image)
        .arg(&tree)
        .expect(0);
}
