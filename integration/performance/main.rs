//! That `hack/bench` measures what it says it does. What it measures is no test's business: machines differ. And that
//! many runs leave nothing that grows.

mod soak;

use std::process::Command;

use integration::{Bench, opt_runtime, require_program};

#[test]
fn the_benchmark_runs_and_tells_no_ratio_of_too_few_rounds() {
    for (program, package) in [
        ("/usr/bin/crun", "crun"),
        ("/usr/sbin/runc", "runc"),
        ("/usr/bin/bwrap", "bubblewrap"),
    ] {
        require_program(program, package);
    }
    let bench = Bench::new();
    let programs = opt_runtime();
    let output = bench.directory("output");
    let told = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/bench"))
        .args(["--rounds", "2", "--beside", "2", "--output"])
        .arg(&output)
        .env("OPT_BIN_DIR", programs.parent().expect("a directory"))
        .output()
        .expect("run hack/bench");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{said}");
    let table = std::fs::read_to_string(output.join("benchmark.md")).expect("the table");
    for row in [
        "filter: none",
        "filter: sealed",
        "filter: podman",
        "exec",
        "delete",
        "8 at once",
        "beside 2 containers",
        "a sealed command, cold",
        "opt-server explain",
    ] {
        assert!(table.contains(row), "{row}: {table}");
    }
    assert!(table.contains("fewer than 30 rounds"), "{table}");
    assert!(!table.contains("**"), "a ratio of two rounds: {table}");
    let plot = std::fs::read_to_string(output.join("benchmark.svg")).expect("the plot");
    assert!(
        plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"),
        "{plot}"
    );
}
