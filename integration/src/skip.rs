//! What a host can't be tested for is told: a test that returns early passes like any other, and in silence.

use std::fs::File;
use std::io::Write;

/// Tells why a test, or a case of one, doesn't apply on this host: also as a line of the file `$OPT_SKIPPED`, where
/// `hack/test` collects them, for the output of tests that pass is shown to nobody.
pub fn skip(why: &str) {
    println!("skipped: {why}");
    let Some(path) = std::env::var_os("OPT_SKIPPED") else {
        return;
    };
    // The name of its thread is the test's.
    let thread = std::thread::current();
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    let mut file = File::options()
        .append(true)
        .open(path)
        .expect("open $OPT_SKIPPED");
    // At once, so that no two lines mix.
    file.write_all(line.as_bytes()).expect("write");
}
