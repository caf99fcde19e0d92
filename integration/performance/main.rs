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
        ("/usr/bin/podman", "podman"),
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
        "a sealed command, to its first byte",
        " mounts, warm",
        "an own root file system, no network",
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

/// `hack/NAME` with these arguments; its standard output.
fn told_by(name: &str, arguments: &[&str]) -> String {
    let hack = concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/");
    let programs = opt_runtime();
    let told = Command::new(format!("{hack}{name}"))
        .args(arguments)
        .env("OPT_BIN_DIR", programs.parent().expect("a directory"))
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "hack/{name}: {said}");
    String::from_utf8_lossy(&told.stdout).into_owned()
}

#[test]
fn the_measurement_of_growth_runs_and_tells_no_ratio_of_too_few_rounds() {
    require_program("/usr/bin/crun", "crun");
    let arguments = ["--rounds", "2", "--beside", "0,2", "--mounts", "2,20"];
    let mut told = String::new();
    // The table of images mounts some, which not every kernel can: not here.
    for table in ["beside", "mounts"] {
        let only = [arguments.as_slice(), &["--only", table]].concat();
        told += &told_by("bench-growth", &only);
    }
    for row in [
        "create, opt-runtime",
        "run /bin/true, crun",
        "list --quiet, opt-runtime",
        "a container more",
        "`opt-server explain`: the bundle made, ms",
        "a mount more than in the column before",
        "fewer than 30 rounds",
    ] {
        assert!(told.contains(row), "{row}: {told}");
    }
    assert!(!told.contains("**"), "a ratio of two rounds: {told}");
}

#[test]
fn the_model_of_many_nodes_is_what_can_be_worked_out_on_paper() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/model");
    let told = Command::new("python3")
        .args(["-B", "-m", "unittest"])
        .current_dir(model)
        .output()
        .expect("run python3");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && said.contains("OK"), "{said}");
}

#[test]
fn the_page_about_growth_shows_what_the_model_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/growth.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let told = told_by("growth", &[]);
    assert!(told.contains("10,000 nodes"), "{told}");
    assert!(
        page.contains(told.trim()),
        "docs/growth.md is older than the model: hack/growth --write docs/growth.md\n{told}"
    );
}
