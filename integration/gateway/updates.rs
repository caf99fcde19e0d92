//! Updates of images: layers that an image has which was made before are taken from its file.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::{Tool, wait_until};
use serde_json::{Value, json};

use crate::fixture::{Registry, User};
use crate::images;
use crate::origin::Origin;
use crate::serving::{ADMIN, ANN, Gateway};

const PLAIN: &[&str] = &["--plain-http"];
/// In a cache of its own, so that nothing is taken over.
const APART: &[&str] = &["--plain-http", "--cache", "another"];

/// An image `latest` in a registry that is updated: two layers that stay, one that takes something of them away, and one
/// that is new each time.
struct App {
    layout: PathBuf,
    /// Digests of those that stay.
    stay: Vec<String>,
}

impl App {
    fn new(bench: &integration::Bench) -> Self {
        let layout = images::layout(bench);
        let data = bench.directory("data");
        for number in 0..200 {
            let text = format!("{number} ").repeat(number * 20);
            fs::write(data.join(format!("file{number}")), text).expect("write");
        }
        let noise: Vec<u8> = (0..1_500_000_u32)
            .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        fs::write(data.join("large"), noise).expect("write");
        let sparse = File::create(data.join("sparse")).expect("make");
        sparse.set_len(2_000_000).expect("grow");
        sparse.write_all_at(b"end", 1_999_000).expect("write");
        images::insert(&layout, "v1", &data, "/data");
        let replaced = bench.file("replaced", "another content");
        images::insert(&layout, "v1", &replaced, "/data/file7");
        let stay = layers(&layout, "v1");
        Self { layout, stay }
    }

    /// Pushes it with a new layer.
    fn push(&self, bench: &integration::Bench, registry: &Registry, version: &str) {
        images::tag(&self.layout, "v1", version);
        let file = bench.file("version", version);
        images::insert(&self.layout, version, &file, "/data/file8");
        images::readable(&self.layout);
        registry.push(&self.layout, version, "app:latest");
    }

    /// That each of the layers that stay was fetched so often.
    #[track_caller]
    fn was_fetched(&self, registry: &Registry, times: usize) {
        for layer in &self.stay {
            assert_eq!(registry.fetched(layer), times, "{layer}");
        }
    }
}

fn layers(layout: &Path, tag: &str) -> Vec<String> {
    let source = format!("oci:{}:{tag}", layout.display());
    let printed = Tool::new("skopeo").arg("inspect").arg(source).expect(0);
    let told: serde_json::Value = serde_json::from_str(&printed.stdout).expect("JSON");
    let layers = told["Layers"].as_array().expect("layers").iter();
    layers
        .map(|layer| layer.as_str().expect("a digest").to_owned())
        .collect()
}

/// Takes all blobs out of a cache.
fn empty(cache: &Path) {
    let blobs = cache.join("sha256");
    for entry in fs::read_dir(&blobs).expect("a cache") {
        fs::remove_file(entry.expect("an entry").path()).expect("remove");
    }
}

/// The cache of `make`, and what is kept there of layers.
fn cache(user: &User) -> PathBuf {
    user.home.join("cache/blobs")
}

fn records(user: &User) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache(user).join("layers")).expect("records");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

#[test]
fn an_update_takes_the_layers_that_stay_from_the_image_before_it_and_is_the_same_bytes() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let app = App::new(&user.bench);
    let source = registry.image("app:latest");
    app.push(&user.bench, &registry, "a");
    let first = user.made(PLAIN, &source, "a.erofs");
    let all = app.stay.len() + 1;
    assert_eq!(first["layers"], json!({ "all": all, "taken-over": 0 }));
    for (version, file, before) in [("b", "b.erofs", "a.erofs"), ("c", "c.erofs", "b.erofs")] {
        empty(&cache(&user));
        app.push(&user.bench, &registry, version);
        let updated = user.made(PLAIN, &source, file);
        assert_eq!(updated["layers"]["taken-over"], app.stay.len());
        app.was_fetched(&registry, 1);
        // The next one takes them from this one.
        fs::remove_file(user.home.join(before)).expect("remove");
        let held = user.held(file);
        assert!(
            held.contains(&format!("data/file8 644 {version}")),
            "{version}"
        );
        assert!(held.contains(&"data/file7 644 another content".to_owned()));
    }
    let anew = user.made(APART, &source, "anew.erofs");
    assert_eq!(anew["layers"]["taken-over"], 0);
    app.was_fetched(&registry, 2);
    assert_eq!(anew["fs-verity"], user.digest("c.erofs").as_str());
    let allocated = |file| {
        use std::os::unix::fs::MetadataExt;
        user.home.join(file).metadata().expect("metadata").blocks()
    };
    assert_eq!(allocated("c.erofs"), allocated("anew.erofs"));
    // Without an image there is nothing to be taken from.
    fs::remove_file(user.home.join("c.erofs")).expect("remove");
    let last = user.made(PLAIN, &source, "d.erofs");
    assert_eq!(last["layers"]["taken-over"], 0);
    assert_eq!(anew["fs-verity"], last["fs-verity"]);
}

/// Damages every byte from the middle on, and a length.
fn damage(path: &Path) {
    let content = fs::read(path).expect("read");
    let middle = content.len() / 2;
    let changed: Vec<u8> = content[middle..].iter().map(|byte| byte ^ 0x55).collect();
    let file = File::options().write(true).open(path).expect("open");
    file.write_all_at(&changed, middle as u64).expect("write");
}

fn cut(path: &Path) {
    let length = path.metadata().expect("metadata").len();
    let file = File::options().write(true).open(path).expect("open");
    file.set_len(length / 2).expect("cut");
}

#[test]
fn an_image_or_a_cache_that_was_written_to_is_of_no_use_and_does_no_harm() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let app = App::new(&user.bench);
    let source = registry.image("app:latest");
    app.push(&user.bench, &registry, "a");
    let meant = user.made(PLAIN, &source, "a.erofs");
    let image = user.home.join("a.erofs");
    let of_records = |change: fn(&Path)| records(&user).iter().for_each(|path| change(path));
    let changes: [(&str, &dyn Fn()); 5] = [
        ("image", &|| damage(&image)),
        ("image, cut", &|| cut(&image)),
        ("records", &|| of_records(damage)),
        ("records, cut", &|| of_records(cut)),
        ("records, empty", &|| {
            of_records(|path| fs::write(path, "").expect("write"))
        }),
    ];
    for (times, (what, change)) in changes.iter().enumerate() {
        change();
        empty(&cache(&user));
        let made = user.made(PLAIN, &source, "a.erofs");
        assert_eq!(made["fs-verity"], meant["fs-verity"], "{what}");
        assert_eq!(made["layers"]["taken-over"], 0, "{what}");
        app.was_fetched(&registry, times + 2);
        let again = user.made(PLAIN, &source, "a.erofs");
        assert_eq!(again["fs-verity"], meant["fs-verity"], "{what}");
        assert_eq!(again["layers"]["taken-over"], app.stay.len() + 1, "{what}");
    }
}

#[test]
fn a_layer_is_not_had_by_whom_the_registry_does_not_show_it_to() {
    let user = User::new();
    let origin = Origin::start(&user.bench);
    let image = |name: &str| format!("docker://{}/{name}", origin.address);
    user.made(PLAIN, &image("tools/x:1"), "x.erofs");
    // The same manifest in a repository whose layer nobody may have: whoever knows digests can write one.
    // Of what is kept of blobs, either.
    let told = user.refused(PLAIN, &image("withheld/y:1"), "z.erofs");
    assert!(told.contains("not found"), "{told}");
    for (name, is_shown) in [("tools/y:1", true), ("withheld/y:1", false)] {
        empty(&cache(&user));
        match is_shown {
            true => {
                let made = user.made(PLAIN, &image(name), "y.erofs");
                assert_eq!(made["layers"], json!({ "all": 1, "taken-over": 1 }));
            }
            false => {
                let told = user.refused(PLAIN, &image(name), "z.erofs");
                assert!(told.contains("not found"), "{told}");
            }
        }
    }
    assert_eq!(origin.fetched(), 1);
}

#[test]
fn an_update_that_is_killed_at_any_moment_leaves_nothing_that_the_next_trips_over() {
    let user = User::new();
    let registry = Registry::open(&user.bench, "registry");
    let app = App::new(&user.bench);
    let source = registry.image("app:latest");
    app.push(&user.bench, &registry, "a");
    user.made(PLAIN, &source, "a.erofs");
    app.push(&user.bench, &registry, "b");
    let anew = user.made(APART, &source, "anew.erofs");
    for wait in (0..15).map(|number| number * 40) {
        let mut running = user.make(PLAIN, &source, "b.erofs").start();
        std::thread::sleep(Duration::from_millis(wait));
        running.kill();
    }
    empty(&cache(&user));
    let updated = user.made(PLAIN, &source, "b.erofs");
    assert_eq!(updated["fs-verity"], anew["fs-verity"]);
    assert!(updated["layers"]["taken-over"].as_u64() >= Some(app.stay.len() as u64));
    app.was_fetched(&registry, 2);
}

/// A gateway with more keys in its configuration, and the registry that it pulls from.
fn gateway(more: &Value) -> (Gateway, Registry) {
    let mut started = None;
    let gateway = Gateway::prepared(|bench| {
        let registry = Registry::open(bench, "registry");
        let url = format!("http://{}", registry.address);
        started = Some(registry);
        let mut keys = more.clone();
        keys["Locations"] = json!({ "reg.io": { "remotetype": "dockerv2", "url": url } });
        keys
    });
    (gateway, started.expect("a registry"))
}

/// Pushes a version of the image, and has the gateway pull it.
fn pull(gateway: &Gateway, registry: &Registry, app: &App, version: &str) {
    app.push(&gateway.bench, registry, version);
    let name = format!("app:{version}");
    registry.push(&app.layout, version, &name);
    let name = format!("docker:{name}");
    gateway.client(ANN, &["pull", &name]).expect(0);
}

#[test]
fn a_gateway_takes_layers_from_images_that_are_on_the_system_and_says_so() {
    let (gateway, registry) = gateway(&json!({}));
    let app = App::new(&gateway.bench);
    let pull = |version: &str| {
        pull(&gateway, &registry, &app, version);
        let told = gateway.log();
        let made = told.lines().rfind(|line| line.contains("\"made\""));
        let made = made.expect("a line of the log");
        serde_json::from_str::<Value>(made).expect("JSON")
    };
    assert_eq!(pull("a")["taken_over"], 0);
    empty(&gateway.bench.path("state/cache"));
    assert_eq!(pull("b")["taken_over"], app.stay.len());
    app.was_fetched(&registry, 1);
    let told = gateway.ask_as(ADMIN, "GET", "/metrics", "").text();
    let counted = format!("layers_total{{from=\"earlier\"}} {}", app.stay.len());
    assert!(told.contains(&counted), "{told}");
}

/// Bytes of all that is kept for later pulls.
fn kept(cache: &Path) -> u64 {
    let directories = ["sha256", "layers", "incoming"].map(|name| cache.join(name));
    let entries = directories.iter().flat_map(fs::read_dir).flatten();
    let lengths = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    lengths.sum()
}

#[test]
fn what_is_kept_for_later_pulls_is_bounded() {
    let limits = json!({ "FreeMegabytes": 0, "CacheMegabytes": 1 });
    let (gateway, registry) = gateway(&json!({ "Limits": limits }));
    let app = App::new(&gateway.bench);
    let cache = gateway.bench.path("state/cache");
    for version in ["a", "b"] {
        pull(&gateway, &registry, &app, version);
        // Nobody waits for it.
        wait_until("what is too much goes", Duration::from_secs(20), || {
            kept(&cache) <= 1 << 20
        });
    }
}
