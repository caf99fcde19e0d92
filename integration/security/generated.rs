//! Bundles that are made up: what passes `check` is sealed when it is created, as seen from outside without any of
//! the runtime's own code, and `explain` lists what mountinfo shows. What doesn't pass is never created.

mod seen;

use std::fs;

use integration::generated::{Choices, Place, bytes, change};
use integration::{Bench, Bundle, Outcome, Probe, Tool, weaken};
use serde_json::Value;

use seen::Seen;

/// So many bundles, from the seeds 0 on; `OPT_GENERATED_BUNDLES` may say how many, or from which on to which: `60..2000`.
const BUNDLES: u64 = 60;

/// And those in which something was found: a mount that a masked path hides.
const FOUND: [u64; 1] = [415];

fn seeds() -> Vec<u64> {
    let Ok(said) = std::env::var("OPT_GENERATED_BUNDLES") else {
        return (0..BUNDLES).chain(FOUND).collect();
    };
    let (from, to) = said.split_once("..").unwrap_or(("0", &said));
    (from.parse().expect("a number")..to.parse().expect("a number")).collect()
}

/// Sources for mounts.
fn place(bench: &Bench) -> Place {
    let made = ["plain", "with-mount"].map(|name| {
        let directory = bench.directory(name);
        fs::write(directory.join("file"), "x").expect("write a file");
        fs::create_dir(directory.join("below")).expect("make a directory");
        directory.to_str().expect("text").to_owned()
    });
    let [directory, with_mount] = made;
    Place {
        directory,
        with_mount,
    }
}

/// Creates it; every other time where there is a mount below a source, which nobody else sees.
fn create(bench: &Bench, bundle: &Bundle, id: &str, seed: u64, place: &Place) -> Outcome {
    let create = bundle.create(bench, id);
    let create = match seed % 2 {
        0 => create,
        _ => create.after(&format!("mount -t tmpfs tmpfs {}/below", place.with_mount)),
    };
    create.quietly().run()
}

/// What became of one bundle.
enum Became {
    /// `check` refuses it, and so does `create`.
    Refused,
    /// It passes, and there is another reason why no container can be made from it.
    Impossible,
    /// It was created, and seen.
    Sealed,
}

/// What the runtime made in its root file system for the one before.
fn tidy(bundle: &Bundle) {
    for name in ["data", "srv"] {
        let path = bundle.rootfs().join(name);
        // One of them is right, if it is there at all.
        let _ = fs::remove_dir_all(&path);
        let _ = fs::remove_file(&path);
    }
}

fn json(tool: Tool) -> Value {
    let outcome = tool.expect(0);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

fn try_one(bench: &Bench, bundle: &Bundle, seed: u64, place: &Place) -> Became {
    let id = &format!("generated-{}-{seed}", std::process::id());
    tidy(bundle);
    let check = bundle.check(bench).run();
    let outcome = create(bench, bundle, id, seed, place);
    if outcome.code != Some(0) {
        // What can't be executed has codes of its own.
        assert!(matches!(outcome.code, Some(125..=127)), "{outcome}");
        bench.assert_gone(id);
        return match check.code {
            Some(1) => Became::Refused,
            _ => Became::Impossible,
        };
    }
    assert_eq!(
        check.code,
        Some(0),
        "created, and is not what it promises: {check}"
    );
    let state = json(bench.runtime().args(["state", id]));
    let pid = state["pid"].as_i64().expect("a pid");
    let seen = Seen::of(pid, &bundle.spec());
    seen.is_sealed();
    let explain = bench
        .runtime()
        .args(["explain", "--json"])
        .arg(&bundle.directory);
    let explained = json(explain);
    seen.is_explained(&explained);
    bench.runtime().args(["delete", "--force", id]).expect(0);
    bench.assert_gone(id);
    Became::Sealed
}

#[test]
fn what_passes_the_check_is_observed_sealed_and_explained() {
    let bench = Bench::new();
    let place = place(&bench);
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    let sealed = bundle.spec();
    let seeds = seeds();
    let count = seeds.len();
    let [mut refused, mut impossible, mut made] = [0; 3];
    for seed in seeds {
        let mut spec = sealed.clone();
        change(&mut spec, &mut Choices::of(&bytes(seed, 128)), &place);
        bundle.set_spec(&spec);
        // Where a bundle is found wanting, this is the one.
        println!("seed {seed}: {}", difference(&sealed, &spec));
        match try_one(&bench, &bundle, seed, &place) {
            Became::Refused => refused += 1,
            Became::Impossible => impossible += 1,
            Became::Sealed => made += 1,
        }
    }
    println!("{count} bundles: {refused} refused, {impossible} impossible, {made} sealed");
    assert!(
        refused * 10 > count && made * 10 > count,
        "{refused} refused, {made} sealed"
    );
}

/// The look from outside isn't blind: without the promise that refuses them, it sees weaknesses.
#[test]
fn what_is_not_sealed_is_seen_from_outside() {
    const SEEN: [&str; 7] = [
        "/tmp without nosuid",
        "/dev/shm without nodev",
        "a bounding capability",
        "no profile",
        "no network namespace",
        "no masked paths",
        "/proc/sys is writable",
    ];
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    let sealed = bundle.spec();
    let is_seen = |spec: &Value, id: &str| {
        bundle.set_spec(spec).without_promise();
        bundle.create(&bench, id).quietly().expect(0);
        let state = json(bench.runtime().args(["state", id]));
        let seen =
            Seen::of(state["pid"].as_i64().expect("a pid"), spec).with_the_runtimes_own_closed();
        let looked = std::panic::catch_unwind(|| seen.is_sealed());
        bench.runtime().args(["delete", "--force", id]).expect(0);
        looked.is_err()
    };
    let id = |number: usize| format!("weak-{}-{number}", std::process::id());
    assert!(!is_seen(&sealed, &id(0)));
    let mut ways = weaken::all();
    ways.retain(|way| SEEN.contains(&way.what));
    assert_eq!(ways.len(), SEEN.len());
    for (number, way) in (1..).zip(ways) {
        let mut weak = sealed.clone();
        (way.apply)(&mut weak);
        assert!(is_seen(&weak, &id(number)), "{way:?} isn't seen");
    }
}

/// What of a specification is another's.
fn difference(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let changed = after
                .iter()
                .filter(|(key, value)| before.get(*key) != Some(value));
            let changed = changed.map(|(key, value)| {
                let old = before.get(key).unwrap_or(&Value::Null);
                format!("{key}: {}", difference(old, value))
            });
            let gone = before
                .keys()
                .filter(|key| !after.contains_key(*key))
                .map(|key| format!("no {key}"));
            changed.chain(gone).collect::<Vec<_>>().join("; ")
        }
        (Value::Array(before), Value::Array(after)) => {
            let new = after.iter().filter(|item| !before.contains(item));
            let gone = before.iter().filter(|item| !after.contains(item));
            let all = new
                .map(|item| format!("+{item}"))
                .chain(gone.map(|item| format!("-{item}")));
            all.collect::<Vec<_>>().join(" ")
        }
        _ => after.to_string(),
    }
}
