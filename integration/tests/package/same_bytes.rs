//! The same programs make the same package, wherever, whenever and by whomever it is packed. That the programs are the same,
//! two builds from nothing, `hack/reproducible` sees.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::{Bench, Tool};

/// Packing compresses what was built for tests, too.
const PATIENCE: Duration = Duration::from_secs(300);

/// When the copies' one commit was made.
const COMMITTED: &str = "1700000000";

/// The package that `hack/package` makes of a copy of the source, the one commit of a repository: in a place of its own, of
/// this moment, with such a umask, time zone and language. Nobody names a time: the commit's must do.
fn packed(bench: &Bench, built: &Path, place: &str, [umask, zone, language]: [&str; 3]) -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = bench.directory(place);
    let target = source.join("target");
    let script = "set -e; umask \"$1\"; mkdir -p \"$3\"; git -C \"$2\" archive HEAD | tar -xm -C \"$3\"; \
                  unset SOURCE_DATE_EPOCH; git init -q \"$3\"; git -C \"$3\" -c user.name=x -c user.email=x \
                  -c commit.gpgsign=false commit -q --allow-empty -m x; \
                  mkdir \"$3/target\"; ln -s \"$4\" \"$3/target/tools\"; exec \"$3/hack/package\" dev";
    let paths = [top, source.clone(), tools()].map(|path| path.display().to_string());
    Tool::new("bash")
        .args(["-c", script, "bash", umask])
        .args(paths)
        .env("CARGO_TARGET_DIR", target.to_str().expect("text"))
        .env("CARGO_NET_OFFLINE", "true")
        .env("OPT_STATIC", built.to_str().expect("text"))
        .env("GIT_COMMITTER_DATE", &format!("{COMMITTED} +0000"))
        .env("TZ", zone)
        .env("LC_ALL", language)
        .limit(PATIENCE)
        .expect(0);
    let names = integration::host::names_in(&target.join("package"));
    let [name] = &names[..] else {
        panic!("not one package: {names:?}");
    };
    target.join("package").join(name)
}

/// What `hack/build-static` made, with one of the programs: they are large before they are optimized.
fn smallest_program(bench: &Bench) -> PathBuf {
    let made = std::env::var("OPT_STATIC");
    let made = made.expect("OPT_STATIC names what hack/build-static made, or use hack/test");
    let built = bench.directory("built");
    let script = "cp -r \"$1\"/[!b]* \"$1\"/bash \"$2\" && mkdir \"$2/bin\" && cp \"$1/bin/shifterimg\" \"$2/bin\"";
    Tool::new("bash")
        .args(["-c", script, "bash", &made])
        .arg(&built)
        .expect(0);
    built
}

/// Where `hack/package` has put cargo-deb.
fn tools() -> PathBuf {
    let probe = integration::probe_path();
    let target = probe.parent().and_then(Path::parent);
    let tools = std::env::var_os("OPT_TOOLS").map(PathBuf::from);
    tools.unwrap_or_else(|| target.expect("a target directory").join("tools"))
}

#[test]
fn the_same_programs_make_the_same_package_wherever_and_whenever() {
    let bench = Bench::new();
    let built = smallest_program(&bench);
    let one = packed(&bench, &built, "one", ["022", "UTC", "C"]);
    // Files have their times in seconds.
    std::thread::sleep(Duration::from_millis(1100));
    let other = packed(
        &bench,
        &built,
        "quite/another-one",
        ["077", "Asia/Tokyo", "C.UTF-8"],
    );
    let [one, other] = [one, other].map(|path| fs::read(path).expect("the package"));
    assert!(one.len() > 1 << 20, "{} bytes", one.len());
    assert!(one == other, "they differ");
    // The first member's time: ar(5).
    assert!(
        one[24..36].starts_with(COMMITTED.as_bytes()),
        "not the commit's time"
    );
}
